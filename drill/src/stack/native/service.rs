//! The processes of the service: migration, API, worker and payment-gateway simulator.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::postgres::Postgres;
use crate::catalogue::Process;
use crate::stack::addresses::Addresses;
use crate::stack::options::SERVICE_LIMITS;
use crate::stack::process::ProcessSpec;

/// The servers that the processes of the service use.
pub(super) struct ServiceSpecs<'a> {
    pub(super) binary: &'a Path,
    pub(super) postgres: &'a Postgres,
    pub(super) redis: SocketAddr,
    /// The OTLP receiver.
    pub(super) collector: SocketAddr,
    pub(super) addresses: &'a Addresses,
    pub(super) folder: &'a Path,
}

impl ServiceSpecs<'_> {
    /// The process that migrates the schema.
    pub(super) fn migrate(&self) -> Result<ProcessSpec> {
        let mut spec = self.spec("migrate");
        spec.environment.insert("DATABASE_MIGRATION_URL", self.postgres.owner_url()?);
        Ok(spec)
    }

    /// The process that adds the demo tenants, which have the plans that a sign-up does not get.
    pub(super) fn seed(&self) -> Result<ProcessSpec> {
        let mut spec = self.spec("seed").argument("--demo");
        spec.environment.extend(SERVICE_LIMITS.map(|(name, value)| (name, value.to_owned())));
        spec.environment.insert("DATABASE_URL", self.postgres.service_url()?);
        Ok(spec)
    }

    /// A process that runs a command on the database, once the command's arguments are added.
    pub(super) fn command(&self) -> Result<ProcessSpec> {
        let mut spec = self.program("command");
        spec.environment.insert("DATABASE_URL", self.postgres.service_url()?);
        Ok(spec)
    }

    /// A long-running process of the service.
    pub(super) fn process(&self, process: Process) -> Result<ProcessSpec> {
        let mut spec = self.spec(match process {
            Process::Api => "serve",
            Process::Worker => "worker",
            Process::Gateway => "gateway",
        });
        let Self { redis, collector, addresses: Addresses { http, gateway, .. }, .. } = self;
        let environment = &mut spec.environment;
        environment.extend(SERVICE_LIMITS.map(|(name, value)| (name, value.to_owned())));
        environment.insert("GLASSHOUSE_MANAGEMENT_ADDR", self.addresses.management(process).to_string());
        environment.insert("GLASSHOUSE_FAULTS_ENABLED", "true".to_owned());
        environment.insert("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
        if process == Process::Gateway {
            environment.insert("GLASSHOUSE_GATEWAY_ADDR", gateway.to_string());
            return Ok(spec);
        }
        environment.insert("DATABASE_URL", self.postgres.service_url()?);
        environment.insert("GLASSHOUSE_PAYMENT_GATEWAY_URL", format!("http://{gateway}"));
        if process == Process::Api {
            environment.insert("GLASSHOUSE_HTTP_ADDR", http.to_string());
            environment.insert("REDIS_URL", format!("redis://{redis}"));
            environment.insert("JWT_SECRET", format!("{:032x}", rand::random::<u128>()));
        }
        Ok(spec)
    }

    fn spec(&self, command: &'static str) -> ProcessSpec {
        self.program(command).argument(command)
    }

    /// The binary without arguments; `name` is its name in messages.
    fn program(&self, name: &'static str) -> ProcessSpec {
        let mut spec = ProcessSpec::new(name, self.binary);
        spec.environment.insert("GLASSHOUSE_LOG_FORMAT", "json".to_owned());
        spec.environment.insert("TMPDIR", self.folder.display().to_string());
        spec
    }
}
