//! Divides the durations in rule files and in the configurations of Prometheus and Alertmanager.

use anyhow::{Context, Result};
use yaml_serde::Value;

use super::Speed;

/// The fields that hold a duration.
const DURATIONS: [&str; 11] = [
    "evaluation_interval",
    "for",
    "group_interval",
    "group_wait",
    "interval",
    "keep_firing_for",
    "query_offset",
    "repeat_interval",
    "resolve_timeout",
    "scrape_interval",
    "scrape_timeout",
];

/// Fields with free-form keys, which are never durations.
const FREE_FORM: [&str; 2] = ["annotations", "labels"];

impl Speed {
    /// Divides every duration in a rule file or a configuration of Prometheus or Alertmanager.
    ///
    /// # Errors
    /// A duration or expression is invalid. The error names the path of fields that leads to it.
    pub fn divide_file(self, file: &mut Value) -> Result<()> {
        match file {
            Value::Mapping(mapping) => mapping.iter_mut().try_for_each(|(key, value)| {
                let key = key.as_str().unwrap_or_default();
                self.divide_field(key, value).with_context(|| key.to_owned())
            }),
            Value::Sequence(values) => values.iter_mut().try_for_each(|value| self.divide_file(value)),
            _ => Ok(()),
        }
    }

    fn divide_field(self, key: &str, value: &mut Value) -> Result<()> {
        match value {
            _ if FREE_FORM.contains(&key) => {}
            Value::String(text) if DURATIONS.contains(&key) => *text = self.divide_text(text)?,
            Value::String(text) if key == "expr" => *text = self.divide_expression(text)?,
            _ => self.divide_file(value)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_of_rules_and_configurations_is_divided() {
        let mut file: Value = yaml_serde::from_str(
            r#"
            global: { scrape_interval: 15s, resolve_timeout: 5m }
            route: { group_wait: 30s, routes: [{ repeat_interval: 4h }] }
            groups:
              - name: red
                interval: 30s
                rules:
                  - alert: HighErrorRate
                    expr: rate(errors_total[5m]) > 0.05
                    for: 2m
                    labels: { severity: critical, interval: 30s }
                    annotations: { for: "1m of 5m" }
            "#,
        )
        .unwrap();
        "30".parse::<Speed>().unwrap().divide_file(&mut file).unwrap();
        let expected: Value = yaml_serde::from_str(
            r#"
            global: { scrape_interval: 500ms, resolve_timeout: 10s }
            route: { group_wait: 1s, routes: [{ repeat_interval: 8m }] }
            groups:
              - name: red
                interval: 1s
                rules:
                  - alert: HighErrorRate
                    expr: rate(errors_total[10s]) > 0.05
                    for: 4s
                    labels: { severity: critical, interval: 30s }
                    annotations: { for: "1m of 5m" }
            "#,
        )
        .unwrap();
        assert_eq!(file, expected);
    }

    #[test]
    fn an_error_names_the_field() {
        let mut file: Value = yaml_serde::from_str("groups: [{ rules: [{ for: often }] }]").unwrap();
        let error = Speed::NORMAL.divide_file(&mut file).unwrap_err();
        assert!(format!("{error:#}").contains("for: “often”"), "{error:#}");
    }
}
