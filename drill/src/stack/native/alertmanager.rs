use std::path::Path;

use anyhow::{Context, Result, ensure};
use yaml_serde::Value;

use crate::project::Project;
use crate::speed::Speed;
use crate::stack::child::{Launch, find_program};
use crate::stack::{Addresses, configuration};

/// The folder of its data.
pub(super) const DATA: &str = "alertmanager-data";

/// Writes its configuration, with our receiver, and tells how to start Alertmanager with it.
pub(super) fn launch(
    project: &Project,
    speed: Speed,
    addresses: &Addresses,
    folder: &Path,
) -> Result<Launch> {
    let mut config = configuration::alertmanager(project, speed)?;
    let webhooks = redirect(&mut config, &format!("http://{}/webhook", addresses.receiver));
    ensure!(webhooks > 0, "{}: no receiver has a webhook", project.alertmanager_config().display());
    let file = folder.join("alertmanager.json");
    configuration::write(&config, &file)?;

    // Debian calls it after the project that it belongs to.
    let program = find_program(&["alertmanager", "prometheus-alertmanager"]);
    Ok(Launch::new("alertmanager", program.context("alertmanager is not installed")?)
        .argument(format!("--config.file={}", file.display()))
        .argument(format!("--web.listen-address={}", addresses.alertmanager))
        .argument(format!("--storage.path={}", folder.join(DATA).display()))
        .argument("--cluster.listen-address=")
        .argument("--log.level=warn"))
}

/// Sends every webhook here, and tells how many there are.
fn redirect(config: &mut Value, url: &str) -> usize {
    let receivers = config.get_mut("receivers").and_then(Value::as_sequence_mut).into_iter().flatten();
    let webhooks = receivers.filter_map(|one| one.get_mut("webhook_configs")?.as_sequence_mut()).flatten();
    webhooks.filter_map(Value::as_mapping_mut).map(|webhook| webhook.insert("url".into(), url.into())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_webhook_leads_here() {
        let text = "receivers: [{ name: a, webhook_configs: [{ url: 'http://x' }, { url: 'http://y', send_resolved: true }] },
                                { name: b, webhook_configs: [{ url: 'http://z' }] }, { name: c }]";
        let mut config: Value = yaml_serde::from_str(text).unwrap();
        assert_eq!(redirect(&mut config, "http://here"), 3);
        let text = yaml_serde::to_string(&config).unwrap();
        assert_eq!(text.matches("url: http://here\n").count(), 3, "{text}");
        assert!(text.contains("send_resolved: true"), "{text}");
    }
}
