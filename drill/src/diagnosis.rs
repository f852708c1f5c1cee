//! Names the cause of a miss: people see this instead of the stack, which is gone by then.

use std::time::Duration;

use anyhow::Result;
use promql_parser::parser::VectorSelector;
use promql_parser::util::display_duration;

use crate::promql::{Condition, conditions, parse, selectors};
use crate::speed::Speed;
use crate::stack::Stack;
use crate::watch::{LoadedRule, PrometheusApi};

/// How often Prometheus scrapes, before it is divided.
const RESOLUTION: Duration = Duration::from_secs(15);
/// Recording rules may build upon each other, but hardly deeper than this.
const DEPTH: usize = 5;

/// Why an alert was not pending in the time that has passed.
pub async fn of_silence(stack: &Stack, alert: &str, passed: Duration) -> Result<String> {
    let rules = stack.prometheus().rules().await?;
    let Some(rule) = rules.iter().find(|rule| rule.name == alert && rule.duration.is_some()) else {
        return Ok("the rules have no alert of this name".to_owned());
    };
    if !rule.last_error.is_empty() {
        return Ok(format!("its expression fails: {}", rule.last_error));
    }
    let past = Past { prometheus: stack.prometheus(), rules: &rules, passed, speed: stack.options().speed };
    let expression = parse(&rule.query)?;
    let mut causes = Vec::new();
    for condition in conditions(&expression) {
        causes.extend(past.shortfall(&condition).await?);
    }
    if causes.is_empty() {
        causes.extend(past.absent(&selectors(&expression), DEPTH).await?);
    }
    if causes.is_empty() {
        causes.push(format!("its conditions never held at the same time: {}", rule.query));
    }
    Ok(causes.join("; "))
}

/// Why an alert that was pending does not fire.
pub async fn of_hesitation(stack: &Stack, alert: &str) -> Result<String> {
    let rules = stack.prometheus().rules().await?;
    let hold =
        rules.iter().filter(|rule| rule.name == alert).find_map(|rule| rule.duration).unwrap_or_default();
    Ok(format!("its expression did not hold for {hold} s without a break"))
}

/// Why an alert that fires was not delivered.
pub async fn of_undelivered(stack: &Stack, alert: &str) -> Result<String> {
    let known = stack.alertmanager().alerts().await?;
    let Some(alert) = known.iter().find(|known| known.name() == alert) else {
        return Ok("Prometheus did not tell Alertmanager".to_owned());
    };
    if let Some(reason) = alert.held_back() {
        return Ok(format!("Alertmanager holds it back: {reason}"));
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

/// What Prometheus saw since the scenario began.
struct Past<'a> {
    prometheus: &'a PrometheusApi,
    rules: &'a [LoadedRule],
    passed: Duration,
    speed: Speed,
}

impl Past<'_> {
    /// By how much a condition was missed, if it was.
    async fn shortfall(&self, condition: &Condition) -> Result<Option<String>> {
        let extreme = if condition.above == Some(false) { "min" } else { "max" };
        let step = display_duration(&self.speed.divide(RESOLUTION));
        let window = display_duration(&self.passed);
        let query = format!("{extreme}({extreme}_over_time(({})[{window}:{step}]))", condition.value);
        let seen = self.prometheus.query(&query).await?;
        let Some(value) = seen.first().map(crate::watch::Sample::value) else {
            let absent = self.absent(&selectors(&condition.value), DEPTH).await?;
            let cause = absent.unwrap_or_else(|| format!("{} gave nothing", condition.value));
            return Ok(Some(format!("its expression returned no data: {cause}")));
        };
        let (held, how) = match condition.above {
            Some(true) => (value > condition.threshold, "stayed below its threshold"),
            Some(false) => (value < condition.threshold, "stayed above its threshold"),
            None => return Ok(None),
        };
        let told =
            || format!("it {how}: {} of {} ({})", short(value), short(condition.threshold), condition.text);
        Ok((!held).then(told))
    }

    /// The first of these selectors that found nothing, followed through recording rules to its source.
    async fn absent(&self, selectors: &[&VectorSelector], depth: usize) -> Result<Option<String>> {
        for selector in selectors {
            let Some(name) = &selector.name else { continue };
            let plain = VectorSelector { offset: None, at: None, ..(*selector).clone() };
            if self.was_there(&plain.to_string()).await? {
                continue;
            }
            let recording = self.rules.iter().find(|rule| rule.name == *name && rule.duration.is_none());
            if let (Some(recording), true) = (recording, depth > 0) {
                let source = parse(&recording.query)?;
                let inner = Box::pin(self.absent(&crate::promql::selectors(&source), depth - 1)).await?;
                return Ok(Some(inner.unwrap_or_else(|| format!("{name} was never recorded"))));
            }
            return Ok(Some(if self.was_there(name).await? {
                format!("the metric {name} has no series with {{{}}}", selector.matchers)
            } else {
                format!("there is no metric {name}")
            }));
        }
        Ok(None)
    }

    async fn was_there(&self, selector: &str) -> Result<bool> {
        let query = format!("present_over_time({selector}[{}])", display_duration(&self.passed));
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
    fn numbers_are_short() {
        let shown = [0.0, 0.031_42, 0.05, 1.5, 123.4, 1_234_567.0, f64::NAN].map(short);
        assert_eq!(shown, ["0", "0.0314", "0.05", "1.5", "123", "1234567", "NaN"]);
    }
}
