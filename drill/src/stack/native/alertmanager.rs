//! Alertmanager as a process.

use anyhow::{Result, ensure};
use yaml_serde::{Mapping, Value};

use crate::stack::monitoring_config;
use crate::stack::options::StackContext;
use crate::stack::process::ProcessSpec;

/// The name of its data folder.
pub(super) const DATA: &str = "alertmanager-data";

/// Writes the configuration, with the receiver of the drill, and returns the process that uses it.
pub(super) fn spec(context: &StackContext<'_>) -> Result<ProcessSpec> {
    let &StackContext { project, speed, addresses, folder } = context;
    let mut config = monitoring_config::alertmanager(project, speed)?;
    let webhooks = redirect_webhooks(&mut config, &format!("http://{}", addresses.receiver));
    ensure!(webhooks > 0, "{}: no receiver has a webhook", project.alertmanager_config().display());
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

/// Sets the server of every webhook, and returns how many there are.
fn redirect_webhooks(config: &mut Value, server: &str) -> usize {
    let receivers = config.get_mut("receivers").and_then(Value::as_sequence_mut).into_iter().flatten();
    let webhooks = receivers.filter_map(|one| one.get_mut("webhook_configs")?.as_sequence_mut()).flatten();
    let redirect = |webhook: &mut Mapping| {
        let url = webhook.get("url").and_then(Value::as_str).unwrap_or_default();
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        webhook.insert("url".into(), format!("{server}/{path}").into());
    };
    webhooks.filter_map(Value::as_mapping_mut).map(redirect).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_webhook_is_redirected() {
        let text = "receivers: [{ name: a, webhook_configs: [{ url: 'http://x/webhook' }, { url: 'http://y/heartbeat', send_resolved: true }] },
                                { name: b, webhook_configs: [{ url: 'http://z:1/webhook' }] }, { name: c }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        assert_eq!(redirect_webhooks(&mut config, "http://here"), 3);
        let text = yaml_serde::to_string(&config).unwrap();
        assert_eq!(text.matches("url: http://here/webhook\n").count(), 2, "{text}");
        assert_eq!(text.matches("url: http://here/heartbeat\n").count(), 1, "{text}");
        assert!(text.contains("send_resolved: true"), "{text}");
    }
}
