//! The rule file of Prometheus that the objectives imply.

use std::fmt::Write;

use super::spec::WINDOW;
use super::tier::{KEEP_PAGING, TIERS, Tier};
use super::{Slo, Slos};

const HEAD: &str = "\
# Generated from deploy/slo/glasshouse.yml by `make slo`. Do not edit.
#
# For each objective and window: the rate of requests that spend the budget, and their ratio of all requests that count. Each ratio
# is computed of counts, not of ratios over shorter windows, so that hours are weighted by their traffic.

groups:
";

/// The text of the file.
pub(super) fn file(slos: &Slos) -> String {
    let mut text = HEAD.to_owned();
    for window in Slo::WINDOWS {
        text += &group(&format!("slo-{window}"), window == Slo::LONGEST);
        let mut totals = Vec::new();
        for slo in slos.iter() {
            if window != Slo::LONGEST && !totals.contains(&slo.total()) {
                totals.push(slo.total());
                text += &record(&slo.total_rate(window), &slo.total_query(window));
            }
            text += &ratio(slo, window);
        }
    }
    text += "  # For dashboards: 1 is a full budget, 0 an exhausted one, below 0 a missed objective. With less than 30 days of data, it\n\
             \x20 # covers the time that there is.\n";
    text += &group("slo-budget", true);
    for slo in slos.iter() {
        let spent = format!("1 - (\n{}\n) / {}", indent(&of_rates(slo, "30d"), 2), slo.budget());
        text += &record(&slo.budget_left(), &spent);
    }
    text += "  # Multi-window, multi-burn-rate alerts: the long window shows that the burn is significant, the short one that it\n\
             \x20 # continues, so that the alert resolves soon after its cause.\n";
    text += &group("budgets", false);
    for slo in slos.iter() {
        for (number, tier) in TIERS.iter().enumerate() {
            text += &alert(slo, tier, number.checked_sub(1).map(|faster| &TIERS[faster]));
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// A group; those that read much are evaluated each minute.
fn group(name: &str, is_expensive: bool) -> String {
    let interval = if is_expensive { "    interval: 1m\n" } else { "" };
    format!("  - name: {name}\n{interval}    rules:\n")
}

fn ratio(slo: &Slo, window: &str) -> String {
    if window == Slo::LONGEST {
        return record(&slo.ratio(window), &of_rates(slo, window));
    }
    // 0 instead of absent before the first failure; the ratio is absent without requests.
    let bad = format!("(\n{}\n)\nor 0 * {}", indent(&slo.error_query(window), 2), slo.total_rate(window));
    let ratio = format!("{} / ({} > 0)", slo.bad_rate(window), slo.total_rate(window));
    record(&slo.bad_rate(window), &bad) + &record(&slo.ratio(window), &ratio)
}

/// A ratio over a long window. It is computed of recorded rates, because reading days of all series would be expensive.
fn of_rates(slo: &Slo, window: &str) -> String {
    let (bad, total) = (slo.bad_rate("5m"), slo.total_rate("5m"));
    format!("sum_over_time({bad}[{window}])\n/ (sum_over_time({total}[{window}]) > 0)")
}

fn record(name: &str, expression: &str) -> String {
    format!("      - record: {name}\n        expr: |-\n{}\n\n", indent(expression, 10))
}

fn alert(slo: &Slo, tier: &Tier, faster: Option<&Tier>) -> String {
    let Tier { factor, long, short, long_in_words, consequence, minimum_rate, hold, is_page, .. } = tier;
    let (alerting, budget) = (slo.alerting(), slo.budget());
    let name = slo.alert(tier);
    let mut expression = format!(
        "{} > {factor} * {budget}\nand {} > {factor} * {budget}\nand {} > {minimum_rate}",
        slo.ratio(long),
        slo.ratio(short),
        slo.bad_rate(short),
    );
    if let (true, Some(faster)) = (is_page, faster) {
        // Whoever was paged for the spike is not paged again for the time that it stays in the windows.
        let earlier = format!("{}|{}", slo.alert(faster), alerting.annotations.symptom);
        let firing = format!(r#"ALERTS{{alertname=~"{earlier}", alertstate="firing"}}"#);
        let _ = write!(expression, "\nunless on (job) max_over_time({firing}[{short}])");
    }
    let keep = if *is_page { format!("        keep_firing_for: {KEEP_PAGING}\n") } else { String::new() };
    let labels = if *is_page { &alerting.page_alert } else { &alerting.ticket_alert };
    let labels: String =
        labels.labels.iter().map(|(name, value)| format!("          {name}: {value}\n")).collect();
    let wording = &alerting.annotations;
    let page = crate::project::kebab_case(&name);
    let allowed = format!("{} %", budget * 100.0);
    format!(
        "      - alert: {name}\n        expr: |-\n{}\n        for: {hold}\n{keep}        labels:\n{labels}          \
         service: '{{{{ $labels.job }}}}'\n        annotations:\n          \
         summary: '{{{{ $labels.job }}}} burns its 30-day {} budget at a rate that {consequence}'\n          \
         description: '{{{{ $value | humanizePercentage }}}} of the requests in the last {long_in_words} {}; the objective \
         allows {allowed}.'\n          \
         runbook_url: '{{{{ $externalLabels.grafana_url }}}}/public/runbooks/{page}.html'\n          \
         dashboard_url: '{{{{ $externalLabels.grafana_url }}}}/d/glasshouse-slo?var-job={{{{ $labels.job }}}}&from=now-{long}&to=now'\n\n",
        indent(&expression, 10),
        wording.budget,
        wording.failure,
    )
}

fn indent(text: &str, spaces: usize) -> String {
    let space = " ".repeat(spaces);
    text.lines().map(|line| format!("{space}{line}")).collect::<Vec<_>>().join("\n")
}

impl Slo {
    fn error_query(&self, window: &str) -> String {
        self.0.sli.events.error_query.replace(WINDOW, window)
    }

    fn total_query(&self, window: &str) -> String {
        self.0.sli.events.total_query.replace(WINDOW, window)
    }
}
