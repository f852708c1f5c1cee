//! A process of the service, with a proxy in front of each server that it uses.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use glasshouse_drill::stack::{Child, Output, PortAllocator, ProcessSpec};
use rustix::process::Signal;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Clock, Postgres};
use crate::proxy::{FailPoints, Proxy};

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Api,
    Worker,
    Gateway,
    /// Everything in one process.
    Demo,
}

impl Role {
    /// The command of the binary.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Api => "serve",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
            Self::Demo => "demo",
        }
    }
}

/// The servers that a process uses.
pub(super) struct Servers<'a> {
    pub(super) postgres: &'a Postgres,
    pub(super) redis: SocketAddr,
    pub(super) gateway: SocketAddr,
}

/// The proxies through which a process connects.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) postgres: Proxy,
    /// Only the API uses Redis.
    pub(crate) redis: Option<Proxy>,
    pub(crate) gateway: Proxy,
    pub(crate) fail_points: Arc<FailPoints>,
}

/// A process that can be killed, paused and restarted. It keeps its addresses.
pub(crate) struct Replica {
    role: Role,
    number: u32,
    spec: ProcessSpec,
    output: Output,
    child: Child,
    http: Option<SocketAddr>,
    management: SocketAddr,
    links: Option<Links>,
    clock: Option<Clock>,
}

/// How long a process may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Replica {
    /// Starts an API or a worker behind proxies.
    pub(super) async fn start(
        role: Role,
        number: u32,
        mut spec: ProcessSpec,
        clock: Option<Clock>,
        servers: &Servers<'_>,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        let fail_points = FailPoints::new();
        let links = Links {
            postgres: Proxy::postgres(servers.postgres.address(), fail_points.clone()).await?,
            redis: match role {
                Role::Api => Some(Proxy::opaque(servers.redis).await?),
                Role::Worker | Role::Gateway | Role::Demo => None,
            },
            gateway: Proxy::gateway(servers.gateway).await?,
            fail_points,
        };
        let (http, management) = (ports.allocate()?, ports.allocate()?);
        let environment = &mut spec.environment;
        environment.insert("DATABASE_URL", servers.postgres.service_url_at(links.postgres.address()));
        environment.insert("GLASSHOUSE_PAYMENT_GATEWAY_URL", format!("http://{}", links.gateway.address()));
        environment.insert("GLASSHOUSE_MANAGEMENT_ADDR", management.to_string());
        if let Some(redis) = &links.redis {
            environment.insert("GLASSHOUSE_HTTP_ADDR", http.to_string());
            environment.insert("REDIS_URL", format!("redis://{}", redis.address()));
        }
        let output = Output::default();
        let child = spec.spawn(output.clone())?;
        let http = (role == Role::Api).then_some(http);
        let links = Some(links);
        let mut replica = Self { role, number, spec, output, child, http, management, links, clock };
        replica.wait_until_ready(START_TIMEOUT).await?;
        Ok(replica)
    }

    /// Starts the gateway or the demo.
    pub(super) async fn server(role: Role, mut spec: ProcessSpec, management: SocketAddr) -> Result<Self> {
        spec.environment.insert("GLASSHOUSE_MANAGEMENT_ADDR", management.to_string());
        let output = Output::default();
        let child = spec.spawn(output.clone())?;
        let http = spec.environment.get("GLASSHOUSE_HTTP_ADDR").map(|address| address.parse()).transpose()?;
        let mut replica =
            Self { role, number: 1, spec, output, child, http, management, links: None, clock: None };
        replica.wait_until_ready(START_TIMEOUT).await?;
        Ok(replica)
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Where the API listens.
    pub(crate) const fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Lets the servers know of the connections that were lost when the machine of the process died.
    pub(crate) fn forget_lost(&self) {
        let links = self.links.iter();
        let proxies =
            links.flat_map(|links| [Some(&links.postgres), links.redis.as_ref(), Some(&links.gateway)]);
        proxies.flatten().for_each(Proxy::forget_lost);
    }

    /// Where it serves metrics and health checks.
    pub(crate) const fn management(&self) -> SocketAddr {
        self.management
    }

    /// What it has written, over all restarts.
    pub(crate) const fn output(&self) -> &Output {
        &self.output
    }

    /// Where the gateway listens.
    pub(super) fn gateway(&self) -> Option<SocketAddr> {
        self.spec.environment.get("GLASSHOUSE_GATEWAY_ADDR")?.parse().ok()
    }

    /// Where the metrics are.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.management)
    }

    /// The proxies of an API or a worker.
    ///
    /// # Errors
    /// The gateway and the demo have none.
    pub(crate) fn links(&self) -> Result<&Links> {
        self.links.as_ref().with_context(|| format!("{self} has no proxies"))
    }

    /// The clock of the process, if it can jump.
    pub(crate) const fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// The time by the clock of the process.
    ///
    /// # Errors
    /// It does not respond.
    pub(crate) async fn time(&self) -> Result<OffsetDateTime> {
        let response = reqwest::get(format!("http://{}/health/live", self.management)).await?;
        let date = response.headers().get("date").context("the response has no Date")?.to_str()?;
        // Rfc2822 reads the zone GMT of HTTP too.
        OffsetDateTime::parse(date, &Rfc2822).with_context(|| date.to_owned())
    }

    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.exit_status()?.is_none())
    }

    /// Kills the process.
    pub(crate) fn kill(&self) -> Result<()> {
        self.child.signal(Signal::KILL)
    }

    /// Pauses the process, as a machine that is suspended.
    pub(crate) fn pause(&self) -> Result<()> {
        self.child.signal(Signal::STOP)
    }

    /// Continues a paused process.
    pub(crate) fn resume(&self) -> Result<()> {
        self.child.signal(Signal::CONT)
    }

    /// Ends the process as an orchestrator does, and returns its exit code.
    pub(crate) async fn terminate(&mut self, timeout: Duration) -> Result<Option<i32>> {
        self.child.signal(Signal::TERM)?;
        Ok(self.child.wait(timeout).await?.code())
    }

    /// Lets the process run another binary from its next start on.
    pub(super) fn install(&mut self, binary: &Path) {
        binary.clone_into(&mut self.spec.program);
    }

    /// Starts the process again, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child = self.spec.spawn(self.output.clone())?;
        self.wait_until_ready(START_TIMEOUT).await
    }

    /// Waits until the process is ready.
    ///
    /// # Errors
    /// It has exited, or is not ready before the timeout.
    pub(crate) async fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let url = format!("http://{}/health/ready", self.management);
        let is_ready = async || reqwest::get(&url).await.is_ok_and(|response| response.status().is_success());
        let name = self.to_string();
        self.child.wait_until_ready(timeout, is_ready).await.context(name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "API",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
            Self::Demo => "demo",
        })
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.number)
    }
}
