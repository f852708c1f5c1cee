//! The results of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::ops::AddAssign;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use glasshouse_drill::project::Project;
use time::OffsetDateTime;

use crate::books::{Finding, Kind};
use crate::evidence;
use crate::load::Counts;

/// Writes a line to standard output, while anyone reads it.
pub(crate) fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
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
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    repetitions: u64,
    counts: Counts,
    stuck: u64,
    lost: u64,
    twice: u64,
    leaks: u64,
    telemetry: u64,
    other_findings: u64,
    worst_recovery: Duration,
}

/// The results of a run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    seed: u64,
    rows: BTreeMap<String, Row>,
}

impl Report {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, rows: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, kind: String, outcome: &Outcome) {
        *self.rows.entry(kind).or_default() += Row::from(outcome);
    }

    /// Whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.total().findings() == 0
    }

    /// The results as a Markdown table.
    pub(crate) fn table(&self) -> String {
        let mut lines = vec![
            "| fault | times | requests | acknowledged | lost | done twice | stuck | leaks | wrong telemetry | \
             other findings | worst recovery | failed requests |"
                .to_owned(),
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
        ];
        lines.extend(self.rows.iter().map(|(kind, row)| row.line(kind)));
        lines.push(self.total().line("**total**"));
        lines.join("\n")
    }

    fn total(&self) -> Row {
        let mut total = Row::default();
        self.rows.values().for_each(|row| total += *row);
        total
    }

    /// Writes the table with its seed, date and commit, and the table of evidence, into the sections `chaos` and `evidence` of
    /// a Markdown page.
    ///
    /// # Errors
    /// The page cannot be read or written, or has no such section.
    pub(crate) fn write_to(&self, page: &Path, project: &Project) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let results = format!(
            "Seed {}, {}, commit {}.\n\n{}",
            self.seed,
            OffsetDateTime::now_utc().date(),
            project.commit().as_deref().unwrap_or("unknown"),
            self.table()
        );
        let text = with_section(&text, "chaos", &results)?;
        let text = with_section(&text, "evidence", &evidence::table())?;
        fs::write(page, text).with_context(|| page.display().to_string())
    }
}

/// A Markdown page with another content between the marks `begin` and `end` of a section.
fn with_section(page: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let (before, rest) = page.split_once(&begin).with_context(|| format!("no {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no {end} after {begin}"))?;
    Ok(format!("{before}{begin}\n\n{content}\n\n{end}{after}"))
}

impl From<&Outcome> for Row {
    fn from(outcome: &Outcome) -> Self {
        Self {
            repetitions: outcome.took_effect.into(),
            counts: outcome.counts,
            stuck: outcome.number_of(Kind::Stuck),
            lost: outcome.number_of(Kind::Lost),
            twice: outcome.number_of(Kind::Twice),
            leaks: outcome.number_of(Kind::Leak),
            telemetry: outcome.number_of(Kind::Telemetry),
            other_findings: outcome.number_of(Kind::Other),
            worst_recovery: outcome.recovery,
        }
    }
}

impl AddAssign for Row {
    fn add_assign(&mut self, other: Self) {
        self.repetitions += other.repetitions;
        self.counts += other.counts;
        self.stuck += other.stuck;
        self.lost += other.lost;
        self.twice += other.twice;
        self.leaks += other.leaks;
        self.telemetry += other.telemetry;
        self.other_findings += other.other_findings;
        self.worst_recovery = self.worst_recovery.max(other.worst_recovery);
    }
}

impl Row {
    fn findings(&self) -> u64 {
        self.lost + self.twice + self.stuck + self.leaks + self.telemetry + self.other_findings
    }

    fn line(&self, kind: &str) -> String {
        let Self {
            repetitions,
            counts,
            stuck,
            lost,
            twice,
            leaks,
            telemetry,
            other_findings,
            worst_recovery,
        } = self;
        let Counts { requests, failed, acknowledged } = counts;
        format!(
            "| {kind} | {repetitions} | {requests} | {acknowledged} | {lost} | {twice} | {stuck} | {leaks} | \
             {telemetry} | {other_findings} | {:.1} s | {failed} |",
            worst_recovery.as_secs_f64()
        )
    }
}
