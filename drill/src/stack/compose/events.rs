use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::docker::Docker;
use crate::stack::child::{Child, Output};

/// Hears of containers that start and end.
pub(super) struct Events(Child);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    actor: Actor,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Actor {
    attributes: BTreeMap<String, String>,
}

impl Events {
    pub(super) fn of(docker: &Docker) -> Result<Self> {
        let project = format!("label=com.docker.compose.project={}", docker.project());
        let filters = ["--filter", "type=container", "--filter", "event=start", "--filter", "event=die"];
        let listen = ["events", "--format", "{{json .}}", "--filter", &project].into_iter().chain(filters);
        Ok(Self(docker.command(listen).start(Output::default())?))
    }

    /// The services whose container has ended and was not started again, each with its exit code.
    pub(super) fn ended(&mut self) -> Result<BTreeMap<String, String>> {
        let lines = self.0.output().lines();
        if let Some(status) = self.0.ended()? {
            bail!("docker events ended ({status}):\n{}", lines.join("\n"));
        }
        Ok(ended(&lines))
    }
}

fn ended(lines: &[String]) -> BTreeMap<String, String> {
    let mut ended = BTreeMap::new();
    for event in lines.iter().filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
        let mut attributes = event.actor.attributes;
        let Some(service) = attributes.remove("com.docker.compose.service") else { continue };
        if event.action == "die" {
            ended.insert(service, attributes.remove("exitCode").unwrap_or_default());
        } else {
            ended.remove(&service);
        }
    }
    ended
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
    fn what_was_started_again_has_not_ended() {
        let lines = [
            event("die", "redis", "137"),
            event("die", "api", "101"),
            "warning: no JSON".to_owned(),
            event("start", "redis", ""),
        ];
        assert_eq!(ended(&lines), BTreeMap::from([("api".to_owned(), "101".to_owned())]));
    }
}
