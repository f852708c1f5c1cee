use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::postgres::Postgres;
use crate::catalogue::Process;
use crate::stack::child::Launch;
use crate::stack::{Addresses, LIMITS};

/// How the service's processes are started.
pub(super) struct Launches<'a> {
    pub(super) binary: &'a Path,
    pub(super) postgres: &'a Postgres,
    pub(super) redis: SocketAddr,
    /// The receiver of OTLP.
    pub(super) collector: SocketAddr,
    pub(super) addresses: &'a Addresses,
    pub(super) folder: &'a Path,
}

impl Launches<'_> {
    /// Brings the schema up to date.
    pub(super) fn migrate(&self) -> Result<Launch> {
        let mut launch = self.launch("migrate");
        launch.environment.insert("DATABASE_MIGRATION_URL", self.postgres.owner_url()?);
        Ok(launch)
    }

    /// A process that keeps running.
    pub(super) fn of(&self, process: Process) -> Result<Launch> {
        let mut launch = self.launch(match process {
            Process::Api => "serve",
            Process::Worker => "worker",
            Process::Gateway => "gateway",
        });
        let Self { redis, collector, addresses: Addresses { http, gateway, .. }, .. } = self;
        let environment = &mut launch.environment;
        environment.extend(LIMITS.map(|(name, value)| (name, value.to_owned())));
        environment.insert("GLASSHOUSE_MANAGEMENT_ADDR", self.addresses.management(process).to_string());
        environment.insert("GLASSHOUSE_FAULTS_ENABLED", "true".to_owned());
        environment.insert("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
        if process == Process::Gateway {
            environment.insert("GLASSHOUSE_GATEWAY_ADDR", gateway.to_string());
            return Ok(launch);
        }
        environment.insert("DATABASE_URL", self.postgres.service_url()?);
        environment.insert("GLASSHOUSE_PAYMENT_GATEWAY_URL", format!("http://{gateway}"));
        if process == Process::Api {
            environment.insert("GLASSHOUSE_HTTP_ADDR", http.to_string());
            environment.insert("REDIS_URL", format!("redis://{redis}"));
            environment.insert("JWT_SECRET", format!("{:032x}", rand::random::<u128>()));
        }
        Ok(launch)
    }

    fn launch(&self, role: &'static str) -> Launch {
        let mut launch = Launch::new(role, self.binary).argument(role);
        launch.environment.insert("GLASSHOUSE_LOG_FORMAT", "json".to_owned());
        launch.environment.insert("TMPDIR", self.folder.display().to_string());
        launch
    }
}
