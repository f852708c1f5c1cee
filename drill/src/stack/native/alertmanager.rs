//! Alertmanager as a process.

use anyhow::Result;

use crate::stack::monitoring_config;
use crate::stack::options::StackContext;
use crate::stack::process::ProcessSpec;

/// The name of its data folder.
pub(super) const DATA: &str = "alertmanager-data";

/// Writes the configuration, with the receiver of the drill, and returns the process that uses it.
pub(super) fn spec(context: &StackContext<'_>) -> Result<ProcessSpec> {
    let &StackContext { project, speed, addresses, folder, .. } = context;
    let receiver = format!("http://{}", addresses.receiver);
    let config = monitoring_config::alertmanager(project, speed, &receiver)?;
    let file = folder.join("alertmanager.json");
    monitoring_config::write(&config, &file)?;

    // Debian names the program after its project.
    Ok(ProcessSpec::installed("alertmanager", &["alertmanager", "prometheus-alertmanager"])?
        .flag("config.file", file.display())
        .flag("web.listen-address", addresses.alertmanager)
        .flag("storage.path", folder.join(DATA).display())
        .flag("cluster.listen-address", "")
        .flag("log.level", "warn"))
}
