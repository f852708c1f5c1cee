use std::fmt::Write;

use super::{COLUMNS, Report, rows};

impl Report {
    /// A page of documentation: the table, and how to read it.
    pub fn to_markdown(&self) -> String {
        let mut page = format!(
            "# The drills\n\n\
             `make drills` wrote this page, on the stack {platform}, at `SPEED={speed}`:\n\
             every duration of rules, scrapes, notifications and scenarios is divided by {speed}. The first three times\n\
             count from the start of the scenario, the next two from the end of the cause. “Evidence” is what the\n\
             alert's runbook sends people to, and was found.\n\n",
            platform = self.platform,
            speed = self.speed,
        );
        // Writing into a String cannot fail.
        let _ = writeln!(page, "|  | {} |", COLUMNS.join(" | "));
        let _ = writeln!(page, "| {} |", ["---"; COLUMNS.len() + 1].join(" | "));
        for (is_good, row) in rows(self) {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(page, "| {} | {} |", if is_good { "✓" } else { "✗" }, cells.join(" | "));
        }
        let problems = self.problems();
        if !problems.is_empty() {
            let _ = writeln!(page, "\nWhat went wrong:\n");
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
        assert!(page.contains("the stack of docker-compose.yml, at `SPEED=30`"), "{page}");
        let row = "| ✓ | instance-down | InstanceDown | 1.0 s | 3.0 s | 4.0 s | 2.0 s | 5.0 s | none | metric up == 0 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| ✗ | smoke | – |"), "{page}");
        let columns: Vec<_> =
            page.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [11; 5], "{page}");
    }
}
