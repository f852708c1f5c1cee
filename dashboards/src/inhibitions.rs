//! The inhibitions of Alertmanager as PromQL: Prometheus does not know which of its alerts are inhibited.

use std::path::Path;

use anyhow::{Context, Result};
use glasshouse_drill::project::read_yaml;
use serde::Deserialize;

/// The firing alerts of Prometheus, as a selector without its closing brace.
const FIRING: &str = r#"ALERTS{alertstate="firing""#;

/// The inhibition rules.
#[derive(Clone, Debug, Deserialize)]
pub struct Inhibitions {
    inhibit_rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rule {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    #[serde(default)]
    equal: Vec<String>,
}

impl Inhibitions {
    /// Reads the configuration of Alertmanager.
    ///
    /// # Errors
    /// The file cannot be read, or has no inhibition rules.
    pub fn read(path: &Path) -> Result<Self> {
        read_yaml(path)
    }

    /// The pending and firing alerts that are not inhibited.
    ///
    /// # Errors
    /// A matcher has no operator.
    pub fn active_alerts(&self) -> Result<String> {
        let inhibited = self.inhibit_rules.iter().map(Rule::inhibited).collect::<Result<Vec<_>>>()?;
        // Watchdog, which always fires, has the severity none.
        Ok(format!(r#"(ALERTS{{severity!="none"}} unless ({}))"#, inhibited.join(" or ")))
    }
}

impl Rule {
    /// The firing alerts that this rule inhibits.
    fn inhibited(&self) -> Result<String> {
        let (target, source) = (matchers(&self.target_matchers)?, matchers(&self.source_matchers)?);
        Ok(format!("{FIRING}{target}}} and on ({}) {FIRING}{source}}}", self.equal.join(", ")))
    }
}

/// Matchers in PromQL, each after a comma. Alertmanager allows spaces around the operator, and values without quotes.
fn matchers(matchers: &[String]) -> Result<String> {
    let matcher = |matcher: &String| {
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| matcher.contains(operator));
        let operator = operator.with_context(|| format!("no operator in {matcher}"))?;
        let (label, value) = matcher.split_once(operator).unwrap_or_default();
        Ok(format!(r#", {}{operator}"{}""#, label.trim(), value.trim().trim_matches('"')))
    };
    matchers.iter().map(matcher).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inhibited_alert_is_left_out() {
        let text = r#"
inhibit_rules:
  - source_matchers: [alertname = Down]
    target_matchers: [severity != critical, 'alertname =~ "Slow|Full"']
    equal: [service, instance]
  - { source_matchers: [a=b], target_matchers: [c="d"] }
"#;
        let inhibitions: Inhibitions = yaml_serde::from_str(text).unwrap();
        let expected = concat!(
            r#"(ALERTS{severity!="none"} unless (ALERTS{alertstate="firing", severity!="critical", alertname=~"Slow|Full"} "#,
            r#"and on (service, instance) ALERTS{alertstate="firing", alertname="Down"} "#,
            r#"or ALERTS{alertstate="firing", c="d"} and on () ALERTS{alertstate="firing", a="b"}))"#
        );
        assert_eq!(inhibitions.active_alerts().unwrap(), expected);
        glasshouse_drill::promql::parse(expected).unwrap();
    }

    #[test]
    fn a_matcher_without_an_operator_is_an_error() {
        assert!(matchers(&["alertname".to_owned()]).is_err());
    }
}
