//! Listens to the events of Docker, to detect containers that exit.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::docker::Docker;
use crate::stack::output::Output;
use crate::stack::process::Child;

/// A running `docker events` of one stack.
pub(super) struct ContainerEvents(Child);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerEvent {
    action: String,
    actor: Actor,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Actor {
    attributes: BTreeMap<String, String>,
}

impl ContainerEvents {
    pub(super) fn listen(docker: &Docker) -> Result<Self> {
        let project = format!("label=com.docker.compose.project={}", docker.project());
        let filters = ["--filter", "type=container", "--filter", "event=start", "--filter", "event=die"];
        let listen = ["events", "--format", "{{json .}}", "--filter", &project].into_iter().chain(filters);
        Ok(Self(docker.command(listen).spawn(Output::default())?))
    }

    /// The services whose container has exited and was not restarted, each with its exit code.
    pub(super) fn exited(&mut self) -> Result<BTreeMap<String, String>> {
        let lines = self.0.output().lines();
        if let Some(status) = self.0.exit_status()? {
            bail!("docker events exited ({status}):\n{}", lines.join("\n"));
        }
        Ok(exited(&lines))
    }
}

fn exited(lines: &[String]) -> BTreeMap<String, String> {
    let mut exited = BTreeMap::new();
    for event in lines.iter().filter_map(|line| serde_json::from_str::<ContainerEvent>(line).ok()) {
        let mut attributes = event.actor.attributes;
        let Some(service) = attributes.remove("com.docker.compose.service") else { continue };
        if event.action == "die" {
            exited.insert(service, attributes.remove("exitCode").unwrap_or_default());
        } else {
            exited.remove(&service);
        }
    }
    exited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, service: &str, code: &str) -> String {
        let attributes = format!(r#"{{"com.docker.compose.service":"{service}","exitCode":"{code}"}}"#);
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"1","Attributes":{attributes}}}}}"#
        )
    }

    #[test]
    fn a_restarted_container_has_not_exited() {
        let lines = [
            event("die", "redis", "137"),
            event("die", "api", "101"),
            "warning: no JSON".to_owned(),
            event("start", "redis", ""),
        ];
        assert_eq!(exited(&lines), BTreeMap::from([("api".to_owned(), "101".to_owned())]));
    }
}
