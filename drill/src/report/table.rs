use comfy_table::{Table, presets};

use super::{COLUMNS, Report, rows};

impl Report {
    /// A table for a terminal, and below it what went wrong.
    pub fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([""].into_iter().chain(COLUMNS));
        for (is_good, row) in rows(self) {
            let mark = if is_good { "ok" } else { "MISS" };
            table.add_row([mark.to_owned()].into_iter().chain(row));
        }
        let problems = self.problems();
        if problems.is_empty() {
            return format!("{table}\nEvery drill succeeded.");
        }
        format!("{table}\n{} went wrong:\n  - {}", problems.len(), problems.join("\n  - "))
    }
}

#[cfg(test)]
mod tests {
    use crate::report::tests::example;

    #[test]
    fn a_miss_is_marked_and_told() {
        let table = example().to_table();
        let line = |part: &str| table.lines().find(|line| line.contains(part)).unwrap().to_owned();
        assert!(line("InstanceDown").contains("ok"), "{table}");
        assert!(line("InstanceDown").contains("3.0 s"), "{table}");
        assert!(line("NotReady").contains("MISS"), "{table}");
        assert!(line(" smoke ").contains("MISS"), "{table}");
        assert!(table.contains("  - NotReady fired, but was not delivered"), "{table}");
    }
}
