//! The report as a page of documentation.

use std::fmt::Write;

use super::{COLUMNS, Report, rows};

impl Report {
    /// The table in Markdown, with an introduction.
    pub fn to_markdown(&self) -> String {
        let mut page = format!(
            "# The drills\n\n\
             `make drills` wrote this page on the stack {platform} at `SPEED={speed}`: every duration of rules,\n\
             scrapes, notifications and scenarios is divided by {speed}. The times of pending, firing and delivered count\n\
             from the start of the scenario; those of resolved and resolved delivered from the end of the fault. Evidence\n\
             is the telemetry that the runbook refers to and that the drill found. Undeclared are alerts that fired\n\
             although the catalogue does not list them.\n\n",
            platform = self.platform,
            speed = self.speed,
        );
        // Writing into a String cannot fail.
        let _ = writeln!(page, "|  | {} |", COLUMNS.join(" | "));
        let _ = writeln!(page, "| {} |", ["---"; COLUMNS.len() + 1].join(" | "));
        for (is_success, row) in rows(self) {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(page, "| {} | {} |", if is_success { "✓" } else { "✗" }, cells.join(" | "));
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
}

#[cfg(test)]
mod tests {
    use crate::report::tests::example;

    #[test]
    fn the_page_has_a_row_for_each_alert_and_test() {
        let page = example().to_markdown();
        assert!(page.contains("the stack of docker-compose.yml at `SPEED=30`"), "{page}");
        let row = "| ✓ | instance-down | InstanceDown | 1.0 s | 3.0 s | 4.0 s | 2.0 s | 5.0 s | none | metric up == 0 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| ✗ | smoke | – |"), "{page}");
        let columns: Vec<_> =
            page.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [11; 5], "{page}");
    }
}
