//! The report as a page of documentation.

use std::fmt::Write;

use super::{NONE, Report, Row, rows};
use crate::project::kebab_case;

const COLUMNS: [&str; 13] = [
    "",
    "scenario",
    "alert",
    "severity",
    "rule",
    "pending",
    "firing",
    "firing, undivided",
    "delivered",
    "resolved",
    "resolved delivered",
    "undeclared",
    "evidence",
];

impl Report {
    /// The table in Markdown, with an introduction.
    pub fn to_markdown(&self) -> String {
        let mut page = format!(
            "# The drills\n\n\
             `drill` wrote this page on {date}, at commit {commit}, on the stack {platform} with {versions}. It ran\n\
             at `SPEED={speed}`: every duration of rules, scrapes, notifications and scenarios is divided by {speed}. The times of\n\
             resolved and resolved delivered count from the end of the fault, the others from the start of the scenario. Undivided,\n\
             an alert fires about {speed} times as late. An alert links to its runbook. Evidence is the telemetry that the runbook\n\
             refers to, and when the drill had found all of it. Undeclared are alerts that fired although the\n\
             catalogue does not list them.\n\n",
            date = self.run.date,
            commit = self.run.commit.as_deref().unwrap_or("unknown"),
            platform = self.platform,
            versions = self.run.versions.join(" and "),
            speed = self.speed,
        );
        // Writing into a String cannot fail.
        let _ = writeln!(page, "| {} |", COLUMNS.join(" | "));
        let _ = writeln!(page, "| {} |", ["---"; COLUMNS.len()].join(" | "));
        for row in rows(self) {
            let cells = self.cells(row).map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        let problems = self.problems();
        if !problems.is_empty() {
            let _ = writeln!(page, "\nFailures:\n");
            for problem in problems {
                let _ = writeln!(page, "- {}", problem.replace('\n', "\n  "));
            }
        }
        page
    }

    fn cells(&self, row: Row<'_>) -> [String; COLUMNS.len()] {
        let none = || NONE.to_owned();
        let name = &row.outcome.scenario;
        let script = self.links.scenarios.get(name);
        let scenario = script.map_or_else(|| name.clone(), |script| format!("[{name}]({script})"));
        let runbook = |name: &String| match &self.links.runbooks {
            Some(folder) => format!("[{name}]({folder}/{}.md)", kebab_case(name)),
            None => name.clone(),
        };
        let alert = row.alert.map(|alert| runbook(&alert.name));
        let rule = row.alert.and_then(|alert| self.rules.get(&alert.name));
        let file = rule.map(|rule| format!("[{0}]({1}/{0})", rule.file, self.links.rules));
        let undivided = row.alert.and_then(|alert| alert.firing).map(|firing| firing * self.speed.factor());
        let minutes = |duration: std::time::Duration| format!("{:.1} min", duration.as_secs_f64() / 60.0);
        [
            if row.is_success() { "✓" } else { "✗" }.to_owned(),
            scenario,
            alert.unwrap_or_else(none),
            rule.map_or_else(none, |rule| rule.severity.clone()),
            file.unwrap_or_else(none),
            row.seconds(|alert| alert.pending),
            row.seconds(|alert| alert.firing),
            undivided.map_or_else(none, minutes),
            row.seconds(|alert| alert.delivered),
            row.seconds(|alert| alert.resolved),
            row.seconds(|alert| alert.resolved_delivered),
            row.undeclared(),
            row.evidence(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::report::tests::example;

    #[test]
    fn the_page_has_a_row_for_each_alert_and_test() {
        let page = example().to_markdown();
        let run = "on 2026-11-26, at commit 0123abc, on the stack of docker-compose.yml with Prometheus 3.5.0 and Alertmanager";
        assert!(page.contains(run), "{page}");
        let row = "| ✓ | [instance-down](../load-tests/scenarios/instance-down.js) | [InstanceDown](runbooks/instance-down.md) \
                   | critical | [alerts.yml](../deploy/prometheus/rules/alerts.yml) | 1.0 s | 3.0 s | 1.5 min | 4.0 s | 2.0 s \
                   | 5.0 s | none | 2.0 s: metric up == 0 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| ✗ | [smoke](../load-tests/scenarios/smoke.js) | – | – |"), "{page}");
        let columns: Vec<_> =
            page.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [14; 5], "{page}");
    }
}
