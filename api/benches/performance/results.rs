//! The results: the rows of the goals, and tables with what they were computed from, as JSON and as a section of
//! `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::series::{Series, Summary};

/// All results, as `docs/performance.json` holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    groups: BTreeMap<String, Measured>,
}

/// The results of a group of measurements.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    date: String,
    commit: String,
    machine: String,
    rounds: usize,
    rows: Vec<Row>,
    tables: Vec<Table>,
}

/// What a group of measurements found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    rows: Vec<Row>,
    tables: Vec<Table>,
}

/// A value with its goal.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    what: String,
    against: String,
    goal: String,
    measured: String,
    summary: Summary,
    is_met: Option<bool>,
}

/// A table beside the rows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    title: String,
    /// The headings, and then the lines.
    cells: Vec<Vec<String>>,
}

/// A unit, with the number of decimals that are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// A ratio that is shown as a percentage.
    Percent,
    /// A ratio.
    Times,
    Milliseconds,
    Microseconds,
    Mebibytes,
}

/// A value that should be reached, or not be exceeded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Unit {
    fn text(self, summary: Summary) -> String {
        match self {
            Self::Percent => {
                let Summary { median, low, high } = summary;
                format!(
                    "{} %",
                    Summary { median: median * 100.0, low: low * 100.0, high: high * 100.0 }.text(0)
                )
            }
            Self::Times => format!("{} ×", summary.text(2)),
            Self::Milliseconds => format!("{} ms", summary.text(2)),
            Self::Microseconds => format!("{} µs", summary.text(0)),
            Self::Mebibytes => format!("{} MiB", summary.text(0)),
        }
    }

    fn goal(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{:.0} %", value * 100.0),
            Self::Times => format!("{value} ×"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Microseconds => format!("{value} µs"),
            Self::Mebibytes => format!("{value} MiB"),
        }
    }
}

impl Findings {
    /// Adds a row, and decides whether its median meets the goal.
    pub(crate) fn row(&mut self, what: &str, against: &str, goal: Goal, unit: Unit, series: &Series) {
        let summary = series.summary();
        let (goal, is_met) = match goal {
            Goal::AtLeast(value) => (format!("≥ {}", unit.goal(value)), summary.median >= value),
            Goal::AtMost(value) => (format!("≤ {}", unit.goal(value)), summary.median <= value),
        };
        let measured = unit.text(summary);
        self.rows.push(Row {
            what: what.to_owned(),
            against: against.to_owned(),
            goal,
            measured,
            summary,
            is_met: Some(is_met),
        });
    }

    /// Withdraws the verdict on the last row, because this machine cannot show it.
    pub(crate) fn without_verdict(&mut self) {
        self.rows.iter_mut().next_back().expect("there is a row").is_met = None;
    }

    pub(crate) fn table(&mut self, title: &str, headings: &[&str], lines: Vec<Vec<String>>) {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        self.tables.push(Table { title: title.to_owned(), cells: [vec![headings], lines].concat() });
    }
}

impl Results {
    /// The results in a file, or none.
    pub(crate) fn read(file: &Path) -> Self {
        std::fs::read_to_string(file)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Replaces the results of a group.
    pub(crate) fn add(&mut self, group: &str, rounds: usize, findings: Findings) {
        let Findings { rows, tables } = findings;
        let date = OffsetDateTime::now_utc().date().to_string();
        let measured = Measured { date, commit: commit(), machine: machine(), rounds, rows, tables };
        self.groups.insert(group.to_owned(), measured);
    }

    /// Writes the results to a file, and into a section of a page.
    pub(crate) fn write(&self, file: &Path, page: &Path, order: &[&str]) {
        std::fs::write(file, serde_json::to_string_pretty(self).unwrap() + "\n").unwrap();
        let text = std::fs::read_to_string(page).unwrap();
        let (begin, end) = ("<!-- bench:begin -->", "<!-- bench:end -->");
        let (before, rest) = text.split_once(begin).expect("the page has the section");
        let (_, after) = rest.split_once(end).expect("the section has an end");
        let content = self.markdown(order);
        std::fs::write(page, format!("{before}{begin}\n\n{content}\n{end}{after}")).unwrap();
    }

    /// The results of these groups as Markdown.
    pub(crate) fn markdown(&self, order: &[&str]) -> String {
        let groups: Vec<_> = order.iter().filter_map(|name| Some((*name, self.groups.get(*name)?))).collect();
        let mut text =
            String::from("| what | against | goal | measured | |\n| --- | --- | --- | --- | --- |\n");
        for row in groups.iter().flat_map(|(_, measured)| &measured.rows) {
            let Row { what, against, goal, measured, is_met, .. } = row;
            let verdict =
                is_met.map_or("cannot be shown here", |met| if met { "met" } else { "**not met**" });
            writeln!(text, "| {what} | {against} | {goal} | {measured} | {verdict} |").unwrap();
        }
        for (name, Measured { date, commit, machine, rounds, tables, .. }) in groups {
            write!(text, "\n### `{name}`\n\n{date}, commit {commit}, {machine}, {rounds} rounds.\n").unwrap();
            for Table { title, cells } in tables {
                write!(text, "\n{title}:\n\n").unwrap();
                for (number, line) in cells.iter().enumerate() {
                    writeln!(text, "| {} |", line.join(" | ")).unwrap();
                    if number == 0 {
                        writeln!(text, "|{}", " --- |".repeat(line.len())).unwrap();
                    }
                }
            }
        }
        text
    }
}

fn commit() -> String {
    let git = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success());
    commit.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The processor, the number of cores, and the memory.
fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    format!("{cores} cores of {}, {} GiB", field("/proc/cpuinfo", "model name"), memory / 1024 / 1024)
}
