//! The results of a campaign as a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use time::OffsetDateTime;

/// The results of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// In all campaigns whose inputs are kept, as is the time.
    pub(super) executions: u64,
    /// The number of inputs that libFuzzer keeps, because each reaches something that no other does.
    pub(super) corpus: u64,
    /// The number of edges between basic blocks of our crates that were reached.
    pub(super) edges: u64,
    /// In the last campaign.
    pub(super) findings: u64,
    pub(super) seconds: f64,
}

/// The results of all targets, by name.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: BTreeMap<&'static str, Row>,
}

const BEGIN: &str = "<!-- fuzz:begin -->";
const END: &str = "<!-- fuzz:end -->";

impl Row {
    /// What the log of libFuzzer says. Its lines are such as `#9  NEW  cov: 7 ft: 7 corp: 2/5b …`, and its last ones such as
    /// `stat::number_of_executed_units: 26146946`.
    pub(super) fn from_log(log: &str) -> Self {
        let last = |name: &str| {
            let line = log.lines().rfind(|line| line.starts_with('#') && line.contains(name))?;
            number(line.split_once(name)?.1)
        };
        let executions = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        Self {
            executions: executions.and_then(number).unwrap_or_default(),
            corpus: last("corp:").unwrap_or_default(),
            edges: last("cov:").unwrap_or_default(),
            ..Self::default()
        }
    }

    fn line(&self, name: &str) -> String {
        let Self { executions, corpus, edges, findings, seconds } = self;
        let per_second = *executions as f64 / seconds.max(1.0);
        format!("| {name} | {executions} | {per_second:.0} | {corpus} | {edges} | {findings} |")
    }
}

/// The number at the beginning of a text.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

impl Report {
    pub(super) fn add(&mut self, name: &'static str, row: Row) {
        self.rows.insert(name, row);
    }

    /// Whether nothing was found.
    pub(super) fn is_clean(&self) -> bool {
        self.rows.values().all(|row| row.findings == 0)
    }

    /// The results as a Markdown table.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![
            "| target | executions | per second | corpus | edges | findings |".to_owned(),
            "| --- | ---: | ---: | ---: | ---: | ---: |".to_owned(),
        ];
        let mut total = Row::default();
        for (name, row) in &self.rows {
            lines.push(row.line(&format!("`{name}`")));
            total.executions += row.executions;
            total.corpus += row.corpus;
            total.edges += row.edges;
            total.findings += row.findings;
            total.seconds += row.seconds;
        }
        lines.push(total.line("**total**"));
        lines.join("\n")
    }

    /// Writes the table with its date and commit between the marks of a Markdown page.
    ///
    /// # Errors
    /// When the page cannot be read or written, or has no marks.
    pub(super) fn write_to(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let marks = text.find(BEGIN).zip(text.find(END)).filter(|(begin, end)| begin < end);
        let (begin, end) = marks.with_context(|| format!("{}: no {BEGIN} … {END}", page.display()))?;
        let (date, commit) = (OffsetDateTime::now_utc().date(), commit());
        let section =
            format!("{date}, commit {}.\n\n{}", commit.as_deref().unwrap_or("unknown"), self.table());
        let text = format!("{}{BEGIN}\n\n{section}\n\n{}", &text[..begin], &text[end..]);
        fs::write(page, text).with_context(|| page.display().to_string())
    }
}

/// The commit of the repository in the current folder.
fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: Loaded 1 modules   (168 inline 8-bit counters): 168 [0x1, 0x2),
#2	INITED cov: 6 ft: 6 corp: 1/1b exec/s: 0 rss: 27Mb
#31	NEW    cov: 7 ft: 9 corp: 12/5b lim: 4 exec/s: 0 rss: 27Mb L: 4/4
#26146946	DONE   cov: 17 ft: 21 corp: 13/90b lim: 4096 exec/s: 1245092 rss: 27Mb
stat::number_of_executed_units: 26146946
";

    #[test]
    fn a_row_is_read_from_the_log_of_libfuzzer() {
        let row = Row { executions: 26_146_946, corpus: 13, edges: 17, ..Row::default() };
        assert_eq!(Row::from_log(LOG), row);
        assert_eq!(Row::from_log("error"), Row::default());
    }

    #[test]
    fn a_table_ends_with_the_total() {
        let mut report = Report::default();
        report.add("b", Row { executions: 30, corpus: 2, edges: 5, findings: 1, seconds: 3.0 });
        report.add("a", Row { executions: 10, corpus: 1, edges: 4, findings: 0, seconds: 2.0 });
        let table = report.table();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `a` | 10 | 5 | 1 | 4 | 0 |",
                "| `b` | 30 | 10 | 2 | 5 | 1 |",
                "| **total** | 40 | 8 | 3 | 9 | 1 |"
            ]
        );
        assert!(!report.is_clean());
    }
}
