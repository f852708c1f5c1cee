//! The report as a table for a terminal.

use comfy_table::{Table, presets};

use super::{NONE, Report, rows};

const COLUMNS: [&str; 10] = [
    "",
    "scenario",
    "alert",
    "pending",
    "firing",
    "delivered",
    "resolved",
    "resolved delivered",
    "undeclared",
    "evidence",
];

impl Report {
    /// The table, followed by the failures.
    pub fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(COLUMNS);
        for row in rows(self) {
            table.add_row([
                if row.is_success() { "ok" } else { "FAILED" }.to_owned(),
                row.outcome.scenario.clone(),
                row.alert.map_or(NONE, |alert| &alert.name).to_owned(),
                row.seconds(|alert| alert.pending),
                row.seconds(|alert| alert.firing),
                row.seconds(|alert| alert.delivered),
                row.seconds(|alert| alert.resolved),
                row.seconds(|alert| alert.resolved_delivered),
                row.undeclared(),
                row.evidence(),
            ]);
        }
        let problems = self.problems();
        if problems.is_empty() {
            return format!("{table}\nAll drills succeeded.");
        }
        format!("{table}\nFailures: {}\n  - {}", problems.len(), problems.join("\n  - "))
    }
}

#[cfg(test)]
mod tests {
    use crate::report::tests::example;

    #[test]
    fn a_failure_is_marked_and_listed() {
        let table = example().to_table();
        let line = |part: &str| table.lines().find(|line| line.contains(part)).unwrap().to_owned();
        assert!(line("InstanceDown").contains("ok"), "{table}");
        assert!(line("InstanceDown").contains("3.0 s"), "{table}");
        assert!(line("NotReady").contains("FAILED"), "{table}");
        assert!(line(" smoke ").contains("FAILED"), "{table}");
        assert!(table.contains("  - NotReady fired, but was not delivered"), "{table}");
    }
}
