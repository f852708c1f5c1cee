//! Checks what `drill.toml` says, before anything starts.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::config::{Config, SECRET};
use crate::template::placeholders;

/// The placeholders that a native stack has besides ports.
const NATIVE_VALUES: [&str; 10] = [
    "alertmanager",
    "folder",
    "otlp",
    "postgres.owner_url",
    "postgres.superuser_url",
    "postgres.url",
    "programs",
    "prometheus",
    "receiver",
    "redis",
];

/// Those that a stack has in addition once it runs, for pages and functions.
const SHOWN_VALUES: [&str; 3] = ["alertmanager.alerts", "logs", "prometheus.alerts"];

impl Config {
    /// Parses and checks the text of `drill.toml`.
    ///
    /// # Errors
    /// A key is unknown or missing, or a value is not valid.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)?;
        let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            config.name.starts_with(|c: char| c.is_ascii_lowercase()) && config.name.chars().all(is_valid),
            "name = “{}”: it consists of lowercase letters, digits and _, and begins with a letter",
            config.name
        );
        ensure!(!config.processes.is_empty(), "no [[process]]: the service has at least one");
        config.check_names()?;
        config.check_placeholders()?;
        Ok(config)
    }

    fn check_names(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for process in &self.processes {
            let name = &process.name;
            ensure!(names.insert(name), "two processes have the name {name}");
            ensure!(
                !process.ports.is_empty(),
                "the process {name} has no ports: Prometheus could not scrape it"
            );
            let metrics = process.metrics_port();
            let is_port = process.ports.iter().any(|port| port == metrics);
            ensure!(is_port, "the process {name} has no port “{metrics}”, which metrics names");
        }
        if let Some(remedy) = &self.remedy {
            ensure!(names.contains(&remedy.process), "[remedy]: there is no process {}", remedy.process);
        }
        let ports: BTreeSet<_> = self.ports().collect();
        let front_door = self.native.front_door.iter().map(|door| &door.to);
        let compose = self.compose.iter().flat_map(|compose| compose.ports.keys());
        for port in front_door.chain(compose).chain(self.attached.ports.keys()) {
            ensure!(ports.contains(port), "there is no port {port}: the processes have {}", list(&ports));
        }
        Ok(())
    }

    fn check_placeholders(&self) -> Result<()> {
        let ports: BTreeSet<_> = self.ports().collect();
        let known =
            ports.iter().map(String::as_str).chain(NATIVE_VALUES).chain([SECRET]).collect::<BTreeSet<_>>();
        check(self.texts(), &known)?;
        let shown = known.into_iter().chain(SHOWN_VALUES).collect();
        let pages = self.pages.values().map(String::as_str);
        check(pages.chain([self.shown.functions.as_str()]), &shown)?;
        let plain =
            self.environment.iter().chain(self.compose.iter().flat_map(|compose| &compose.environment));
        for (name, text) in plain {
            let is_plain = placeholders(text).is_ok_and(|found| found.is_empty());
            ensure!(is_plain, "{name} = “{text}”: variables of all platforms have no placeholders");
        }
        Ok(())
    }

    /// All texts with placeholders.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let processes = self.processes.iter().flat_map(|process| {
            let urls = process.ready.iter().chain(&process.faults);
            process.command.iter().chain(process.environment.values()).chain(urls)
        });
        let setup =
            self.setup.iter().flat_map(|setup| setup.command.iter().chain(setup.environment.values()));
        let remedy = self.remedy.iter().flat_map(|remedy| &remedy.command);
        let variables = self.native.environment.values().chain(self.shown.environment.values());
        let variables = variables.chain(self.scenarios.environment.values());
        processes.chain(setup).chain(remedy).chain(variables).map(String::as_str)
    }
}

/// Checks that texts have no other placeholders.
fn check<'a>(texts: impl Iterator<Item = &'a str>, known: &BTreeSet<&str>) -> Result<()> {
    for text in texts {
        for name in placeholders(text)? {
            ensure!(known.contains(name), "“{text}”: there is no {{{name}}}, but {}", list(known));
        }
    }
    Ok(())
}

fn list<T: AsRef<str>>(names: &BTreeSet<T>) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "name = 'a'\n[[process]]\nname = 'web'\nports = ['http', 'admin']\nmetrics = 'admin'\n";

    fn error(text: &str) -> String {
        format!("{:#}", Config::parse(text).unwrap_err())
    }

    #[test]
    fn a_process_has_defaults() {
        let config = Config::parse(SMALL).unwrap();
        let web = &config.processes[0];
        assert_eq!((web.service(), web.metrics().as_str()), ("web", "web.admin"));
        assert_eq!(web.ready(), "http://{web.admin}/metrics");
        assert_eq!(config.ports().collect::<Vec<_>>(), ["web.http", "web.admin"]);
        assert!(config.catalogue().is_none());
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        let wrong = |added: &str| error(&format!("{SMALL}{added}"));
        assert!(wrong("comand = ['x']").contains("unknown field `comand`"), "{}", wrong("comand = ['x']"));
        assert!(error("name = 'A-b'\n").contains("lowercase letters"));
        assert!(error("name = 'a'\n").contains("no [[process]]"));
        assert!(error(&SMALL.replace("metrics = 'admin'", "metrics = 'x'")).contains("has no port “x”"));
        assert!(
            wrong("[[process]]\nname = 'web'\nports = ['a']").contains("two processes have the name web")
        );
        assert!(wrong("[[process]]\nname = 'db'").contains("the process db has no ports"));
        assert!(wrong("[pages]\na = 'http://{web.htp}/'").contains("there is no {web.htp}, but "));
        assert!(wrong("[shown]\nfunctions = 'a() ( {b} )'").contains("there is no {b}, but "));
        let alone = "[shown]\nenvironment = { A = '{logs}' }";
        assert!(wrong(alone).contains("there is no {logs}, but "), "it has no value before the stack runs");
        assert!(wrong("[environment]\nA = '{web.http}'").contains("have no placeholders"));
        assert!(
            wrong("[attached.ports]\n'web.x' = 'a:1'").contains("there is no port web.x: the processes have")
        );
        assert!(wrong("[remedy]\nprocess = 'db'").contains("there is no process db"));
    }
}
