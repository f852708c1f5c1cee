//! The results of a run.
#![allow(clippy::print_stdout, reason = "this is a program for a terminal")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use crate::books::{Finding, Kind};
use crate::load::Counts;

/// Writes a line to standard output.
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// What one fault did.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Whether the fault happened. A fail point may not be reached.
    pub(crate) took_effect: bool,
    pub(crate) counts: Counts,
    /// The time from the end of the fault until everything worked again.
    pub(crate) recovery: Duration,
    pub(crate) findings: Vec<Finding>,
}

impl Outcome {
    fn number_of(&self, kind: Kind) -> u64 {
        self.findings.iter().filter(|finding| finding.kind == kind).map(|finding| finding.count).sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { requests, failed, acknowledged } = self.counts;
        write!(f, "{requests} requests, {failed} failed, {acknowledged} acknowledged")?;
        write!(f, ", recovered in {:.1} s", self.recovery.as_secs_f64())?;
        if !self.took_effect {
            f.write_str(", not reached")?;
        }
        for finding in &self.findings {
            write!(f, "\n    {finding}")?;
        }
        Ok(())
    }
}

/// The outcomes of all faults of one kind.
#[derive(Clone, Debug, Default)]
struct Row {
    repetitions: u64,
    counts: Counts,
    stuck: u64,
    lost: u64,
    twice: u64,
    other_findings: u64,
    worst_recovery: Duration,
}

/// The results of a run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    seed: u64,
    rows: BTreeMap<String, Row>,
}

const BEGIN: &str = "<!-- chaos:begin -->";
const END: &str = "<!-- chaos:end -->";

impl Report {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, rows: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, kind: String, outcome: Outcome) {
        let row = self.rows.entry(kind).or_default();
        row.repetitions += u64::from(outcome.took_effect);
        row.counts.requests += outcome.counts.requests;
        row.counts.failed += outcome.counts.failed;
        row.counts.acknowledged += outcome.counts.acknowledged;
        row.stuck += outcome.number_of(Kind::Stuck);
        row.lost += outcome.number_of(Kind::Lost);
        row.twice += outcome.number_of(Kind::Twice);
        row.other_findings += outcome.number_of(Kind::Other);
        row.worst_recovery = row.worst_recovery.max(outcome.recovery);
    }

    /// Whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.rows.values().all(|row| row.lost + row.twice + row.stuck + row.other_findings == 0)
    }

    /// The results as a Markdown table.
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![
            "| fault | times | requests | acknowledged | lost | done twice | stuck | other findings | worst \
             recovery | failed requests |"
                .to_owned(),
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
        ];
        let mut total = Row::default();
        for (kind, row) in &self.rows {
            lines.push(row.line(kind));
            total.repetitions += row.repetitions;
            total.counts.requests += row.counts.requests;
            total.counts.failed += row.counts.failed;
            total.counts.acknowledged += row.counts.acknowledged;
            total.stuck += row.stuck;
            total.lost += row.lost;
            total.twice += row.twice;
            total.other_findings += row.other_findings;
            total.worst_recovery = total.worst_recovery.max(row.worst_recovery);
        }
        lines.push(total.line("**total**"));
        lines.join("\n")
    }

    /// Writes the table with its seed, date and commit between the marks of a Markdown page.
    ///
    /// # Errors
    /// The page cannot be read or written, or has no marks.
    pub(crate) fn write_to(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let marks = text.find(BEGIN).zip(text.find(END)).filter(|(begin, end)| begin < end);
        let (begin, end) = marks.with_context(|| format!("{}: no {BEGIN} … {END}", page.display()))?;
        let section = format!(
            "Seed {}, {}, commit {}.\n\n{}",
            self.seed,
            OffsetDateTime::now_utc().date(),
            commit().as_deref().unwrap_or("unknown"),
            self.table()
        );
        let text = format!("{}{BEGIN}\n\n{section}\n\n{}", &text[..begin], &text[end..]);
        fs::write(page, text).with_context(|| page.display().to_string())
    }
}

impl Row {
    fn line(&self, kind: &str) -> String {
        let Self { repetitions, counts, stuck, lost, twice, other_findings, worst_recovery } = self;
        let Counts { requests, failed, acknowledged } = counts;
        format!(
            "| {kind} | {repetitions} | {requests} | {acknowledged} | {lost} | {twice} | {stuck} | \
             {other_findings} | {:.1} s | {failed} |",
            worst_recovery.as_secs_f64()
        )
    }
}

/// The commit of the repository in the current folder.
fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
