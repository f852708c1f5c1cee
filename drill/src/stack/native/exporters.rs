//! The exporters of the stack as processes: Postgres, the file systems, and the public port as customers see it.

use std::net::SocketAddr;

use anyhow::Result;
use url::Url;

use super::managed_process::{ManagedProcess, ReadinessProbe};
use super::prometheus::OtherTargets;
use crate::project::Project;
use crate::stack::ports::PortAllocator;
use crate::stack::process::ProcessSpec;

/// The running exporters.
pub(super) struct Exporters {
    pub(super) postgres: ManagedProcess,
    pub(super) node: ManagedProcess,
    pub(super) blackbox: ManagedProcess,
    addresses: [SocketAddr; 3],
}

impl Exporters {
    /// Starts the exporters. Debian names the programs after their project.
    pub(super) async fn start(
        project: &Project,
        mut postgres_url: Url,
        ports: &mut PortAllocator,
    ) -> Result<Self> {
        let addresses = [ports.allocate()?, ports.allocate()?, ports.allocate()?];
        let installed = |name, programs: [&str; 2], address: SocketAddr| {
            anyhow::Ok(ProcessSpec::installed(name, &programs)?.flag("web.listen-address", address))
        };
        let mut postgres = installed(
            "postgres-exporter",
            ["postgres_exporter", "prometheus-postgres-exporter"],
            addresses[0],
        )?
        .argument("--disable-default-metrics")
        .argument("--disable-settings-metrics");
        // Without it, the exporter insists on TLS.
        postgres_url.query_pairs_mut().append_pair("sslmode", "disable");
        postgres.environment.insert("DATA_SOURCE_NAME", postgres_url.into());
        let node = installed("node-exporter", ["node_exporter", "prometheus-node-exporter"], addresses[1])?
            .argument("--collector.disable-defaults")
            .argument("--collector.filesystem");
        // A probe may take as long as a scrape, less this: by default half a second, which is more than a scrape of a drill may take.
        let blackbox = installed(
            "blackbox-exporter",
            ["blackbox_exporter", "prometheus-blackbox-exporter"],
            addresses[2],
        )?
        .flag("config.file", project.blackbox_config().display())
        .flag("timeout-offset", 0.05);
        let start = async |spec, address| {
            ManagedProcess::start(spec, ReadinessProbe::Http(format!("http://{address}/metrics"))).await
        };
        Ok(Self {
            postgres: start(postgres, addresses[0]).await?,
            node: start(node, addresses[1]).await?,
            blackbox: start(blackbox, addresses[2]).await?,
            addresses,
        })
    }

    /// What Prometheus scrapes of them, beside itself and Alertmanager.
    pub(super) fn targets(
        &self,
        prometheus: SocketAddr,
        alertmanager: SocketAddr,
        front_door: SocketAddr,
        replica: SocketAddr,
    ) -> OtherTargets {
        let [postgres, node, blackbox] = self.addresses;
        OtherTargets {
            jobs: vec![
                ("alertmanager", alertmanager),
                ("node-exporter", node),
                ("postgres-exporter", postgres),
                ("prometheus", prometheus),
            ],
            probes: vec![("front-door", front_door), ("replica", replica)],
            blackbox,
        }
    }

    pub(super) fn all(&mut self) -> [&mut ManagedProcess; 3] {
        [&mut self.postgres, &mut self.node, &mut self.blackbox]
    }
}
