//! The exporters of the stack as processes: Postgres, the file systems, and the public port as customers see it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use url::Url;

use super::managed_process::{ManagedProcess, ReadinessProbe};
use super::prometheus::{OtherTargets, Probe};
use crate::project::Project;
use crate::stack::monitoring_config::PROBE_TIMEOUT_OFFSET;
use crate::stack::ports::PortAllocator;
use crate::stack::process::ProcessSpec;

/// The running exporters: those that the project needs.
pub(super) struct Exporters {
    pub(super) postgres: Option<ManagedProcess>,
    node: Option<ManagedProcess>,
    blackbox: Option<ManagedProcess>,
    addresses: [SocketAddr; 3],
    probes: Vec<Probe>,
}

impl Exporters {
    /// Starts the exporters. Debian names the programs after their project.
    pub(super) async fn start(
        project: &Project,
        database: Option<Url>,
        ports: &mut PortAllocator,
        logs: Option<&Path>,
    ) -> Result<Self> {
        let addresses = [ports.allocate()?, ports.allocate()?, ports.allocate()?];
        let native = &project.config().native;
        let database = database.filter(|_| native.postgres.as_ref().is_some_and(|roles| roles.exporter));
        let postgres = database.map(|url| postgres_exporter(url, addresses[0])).transpose()?;
        let node = native.node_exporter.then(|| node_exporter(addresses[1])).transpose()?;
        let blackbox = native.front_door.as_ref().map(|_| blackbox_exporter(project, addresses[2]));
        Ok(Self {
            postgres: start(postgres, addresses[0], logs).await?,
            node: start(node, addresses[1], logs).await?,
            blackbox: start(blackbox.transpose()?, addresses[2], logs).await?,
            addresses,
            probes: Vec::new(),
        })
    }

    /// Probes a path at the front door, and where that leads to.
    pub(super) fn probe(&mut self, front_door: SocketAddr, replica: SocketAddr, path: &str) {
        let probe = |via, address| Probe { via, url: format!("http://{address}{path}") };
        self.probes = vec![probe("front-door", front_door), probe("replica", replica)];
    }

    /// What Prometheus scrapes of them, beside itself and Alertmanager.
    pub(super) fn targets(&self, prometheus: SocketAddr, alertmanager: SocketAddr) -> OtherTargets {
        let [postgres, node, blackbox] = self.addresses;
        let mut jobs = vec![("alertmanager", alertmanager), ("prometheus", prometheus)];
        jobs.extend(self.node.as_ref().map(|_| ("node-exporter", node)));
        jobs.extend(self.postgres.as_ref().map(|_| ("postgres-exporter", postgres)));
        OtherTargets { jobs, probes: self.probes.clone(), blackbox }
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut ManagedProcess> {
        [&mut self.postgres, &mut self.node, &mut self.blackbox].into_iter().flatten()
    }
}

async fn start(
    spec: Option<ProcessSpec>,
    address: SocketAddr,
    logs: Option<&Path>,
) -> Result<Option<ManagedProcess>> {
    let Some(spec) = spec else { return Ok(None) };
    let ready = ReadinessProbe::Http(format!("http://{address}/metrics"));
    ManagedProcess::start(spec, ready, logs).await.map(Some)
}

fn installed(name: &str, programs: [&str; 2], address: SocketAddr) -> Result<ProcessSpec> {
    Ok(ProcessSpec::installed(name, &programs)?.flag("web.listen-address", address))
}

fn postgres_exporter(mut database: Url, address: SocketAddr) -> Result<ProcessSpec> {
    let programs = ["postgres_exporter", "prometheus-postgres-exporter"];
    let mut spec = installed("postgres-exporter", programs, address)?
        .argument("--disable-default-metrics")
        .argument("--disable-settings-metrics");
    // Without it, the exporter insists on TLS.
    database.query_pairs_mut().append_pair("sslmode", "disable");
    spec.environment.insert("DATA_SOURCE_NAME", database);
    Ok(spec)
}

fn node_exporter(address: SocketAddr) -> Result<ProcessSpec> {
    let spec = installed("node-exporter", ["node_exporter", "prometheus-node-exporter"], address)?;
    Ok(spec.argument("--collector.disable-defaults").argument("--collector.filesystem"))
}

fn blackbox_exporter(project: &Project, address: SocketAddr) -> Result<ProcessSpec> {
    let programs = ["blackbox_exporter", "prometheus-blackbox-exporter"];
    Ok(installed("blackbox-exporter", programs, address)?
        .flag("config.file", project.blackbox_config()?.display())
        .flag("timeout-offset", PROBE_TIMEOUT_OFFSET))
}
