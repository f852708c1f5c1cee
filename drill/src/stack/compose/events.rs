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
    #[serde(rename = "ID")]
    id: String,
    attributes: BTreeMap<String, String>,
}

impl ContainerEvents {
    pub(super) fn listen(docker: &Docker) -> Result<Self> {
        let project = format!("label=com.docker.compose.project={}", docker.project());
        let filters = ["type=container", "event=start", "event=die", "event=destroy", &project];
        let filters = filters.into_iter().flat_map(|filter| ["--filter", filter]);
        let listen = ["events", "--format", "{{json .}}"].into_iter().chain(filters);
        Ok(Self(docker.command(listen).spawn(Output::default())?))
    }

    /// The services of which a container has exited, and was neither restarted nor removed, each with its exit code.
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
        let Actor { id, mut attributes } = event.actor;
        let Some(service) = attributes.remove("com.docker.compose.service") else { continue };
        if event.action == "die" {
            exited.insert(id, (service, attributes.remove("exitCode").unwrap_or_default()));
        } else {
            exited.remove(&id);
        }
    }
    exited.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of the container with the number `replica` of a service.
    fn event(action: &str, service: &str, replica: u32, code: &str) -> String {
        let attributes = format!(r#"{{"com.docker.compose.service":"{service}","exitCode":"{code}"}}"#);
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{service}-{replica}","Attributes":{attributes}}}}}"#
        )
    }

    #[test]
    fn a_restarted_container_has_not_exited() {
        let lines = [
            event("die", "redis", 1, "137"),
            event("die", "api", 1, "101"),
            "warning: no JSON".to_owned(),
            event("start", "redis", 1, ""),
        ];
        assert_eq!(exited(&lines), BTreeMap::from([("api".to_owned(), "101".to_owned())]));
    }

    #[test]
    fn a_removed_replica_has_not_exited_and_does_not_hide_one_that_has() {
        let removed = [event("die", "worker", 2, "0"), event("destroy", "worker", 2, "")];
        assert_eq!(exited(&removed), BTreeMap::new());
        let crashed = [event("die", "worker", 1, "101"), event("start", "worker", 2, "")];
        assert_eq!(exited(&crashed), BTreeMap::from([("worker".to_owned(), "101".to_owned())]));
    }
}
