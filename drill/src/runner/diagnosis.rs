//! Explains why an alert missed a step, while the stack still runs: afterwards it cannot be inspected.

use std::time::Duration;

use anyhow::Result;
use promql_parser::parser::VectorSelector;
use promql_parser::util::display_duration;

use crate::prometheus_api::{LoadedRule, PrometheusApi, Sample};
use crate::promql::{Condition, conditions, parse, selectors};
use crate::speed::Speed;
use crate::stack::Stack;

/// The scrape interval at normal speed.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
/// The maximum depth of recording rules that use other recording rules.
const MAX_DEPTH: usize = 5;

/// Why an alert was never pending since the start of the scenario, `elapsed` ago.
pub(super) async fn not_pending(stack: &Stack, alert: &str, elapsed: Duration) -> Result<String> {
    let rules = stack.prometheus().rules().await?;
    let Some(rule) = rules.iter().find(|rule| rule.name == alert && rule.duration.is_some()) else {
        return Ok("the rules have no alert of this name".to_owned());
    };
    if !rule.last_error.is_empty() {
        return Ok(format!("the evaluation of its expression fails: {}", rule.last_error));
    }
    let history =
        History { prometheus: stack.prometheus(), rules: &rules, elapsed, speed: stack.options().speed };
    let expression = parse(&rule.query)?;
    let mut causes = Vec::new();
    for condition in conditions(&expression) {
        causes.extend(history.missed_threshold(&condition).await?);
    }
    if causes.is_empty() {
        causes.extend(history.missing_metric(&selectors(&expression), MAX_DEPTH).await?);
    }
    if causes.is_empty() {
        causes.push(format!("its conditions never held at the same time: {}", rule.query));
    }
    Ok(causes.join("; "))
}

/// Why a pending alert does not fire.
pub(super) async fn not_firing(stack: &Stack, alert: &str) -> Result<String> {
    let rules = stack.prometheus().rules().await?;
    let for_seconds =
        rules.iter().filter(|rule| rule.name == alert).find_map(|rule| rule.duration).unwrap_or_default();
    Ok(format!("its expression did not hold for {for_seconds} s without interruption"))
}

/// Why a firing alert was not delivered.
pub(super) async fn not_delivered(stack: &Stack, alert: &str) -> Result<String> {
    let received = stack.alertmanager().alerts().await?;
    let Some(alert) = received.iter().find(|received| received.name() == alert) else {
        return Ok("Alertmanager has not received it from Prometheus".to_owned());
    };
    if let Some(reason) = alert.suppression() {
        return Ok(format!("Alertmanager suppresses it: {reason}"));
    }
    let failed = stack.alertmanager().failed_notifications().await?;
    Ok(match stack.alertmanager_errors().await?.pop() {
        Some(line) => format!(
            "Alertmanager delivered nothing to the receiver, {failed} notifications failed; the last error: {}",
            line.split_once("err=").map_or(line.as_str(), |(_, error)| error)
        ),
        None => "Alertmanager has not sent it: does its route lead to the receiver?".to_owned(),
    })
}

/// The samples that Prometheus has stored since the start of the scenario.
struct History<'a> {
    prometheus: &'a PrometheusApi,
    rules: &'a [LoadedRule],
    /// Since the start of the scenario.
    elapsed: Duration,
    speed: Speed,
}

impl History<'_> {
    /// The extreme value of a condition that never held, and its threshold.
    async fn missed_threshold(&self, condition: &Condition) -> Result<Option<String>> {
        let extreme = if condition.above == Some(false) { "min" } else { "max" };
        let step = display_duration(&self.speed.divide(SCRAPE_INTERVAL));
        let window = display_duration(&self.elapsed);
        let query = format!("{extreme}({extreme}_over_time(({})[{window}:{step}]))", condition.value);
        let samples = self.prometheus.query(&query).await?;
        let Some(value) = samples.first().map(Sample::value) else {
            let missing = self.missing_metric(&selectors(&condition.value), MAX_DEPTH).await?;
            let cause = missing.unwrap_or_else(|| format!("{} returned nothing", condition.value));
            return Ok(Some(format!("its expression returned no data: {cause}")));
        };
        let (held, problem) = match condition.above {
            Some(true) => (value > condition.threshold, "stayed below its threshold"),
            Some(false) => (value < condition.threshold, "stayed above its threshold"),
            None => return Ok(None),
        };
        let message = || {
            let (value, threshold) = (short(value), short(condition.threshold));
            format!("it {problem}: {value} of {threshold} ({})", condition.text)
        };
        Ok((!held).then(message))
    }

    /// The first of these selectors without samples, traced through recording rules to the metric that is missing.
    async fn missing_metric(&self, selectors: &[&VectorSelector], depth: usize) -> Result<Option<String>> {
        for selector in selectors {
            let Some(name) = &selector.name else { continue };
            let plain = VectorSelector { offset: None, at: None, ..(*selector).clone() };
            if self.had_samples(&plain.to_string()).await? {
                continue;
            }
            let recording = self.rules.iter().find(|rule| rule.name == *name && rule.duration.is_none());
            if let (Some(recording), true) = (recording, depth > 0) {
                let source = parse(&recording.query)?;
                let inner =
                    Box::pin(self.missing_metric(&crate::promql::selectors(&source), depth - 1)).await?;
                return Ok(Some(inner.unwrap_or_else(|| format!("{name} was never recorded"))));
            }
            return Ok(Some(if self.had_samples(name).await? {
                format!("the metric {name} has no series with {{{}}}", selector.matchers)
            } else {
                format!("there is no metric {name}")
            }));
        }
        Ok(None)
    }

    async fn had_samples(&self, selector: &str) -> Result<bool> {
        let query = format!("present_over_time({selector}[{}])", display_duration(&self.elapsed));
        Ok(!self.prometheus.query(&query).await?.is_empty())
    }
}

/// A number with three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    let decimals = (2.0 - magnitude).clamp(0.0, 9.0);
    let text = format!("{value:.0$}", decimals as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_have_three_significant_digits() {
        let shown = [0.0, 0.031_42, 0.05, 1.5, 123.4, 1_234_567.0, f64::NAN].map(short);
        assert_eq!(shown, ["0", "0.0314", "0.05", "1.5", "123", "1234567", "NaN"]);
    }
}
