//! Captures what a process writes to its standard output and standard error.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;

/// How many of the last lines are kept.
const MAX_LINES: usize = 200;

/// The captured output of a process: its last lines, and how many log records it has of each kind.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Captured>>);

#[derive(Default)]
struct Captured {
    lines: VecDeque<String>,
    records: HashMap<RecordKind, Records>,
    open_pipes: usize,
    /// Where all lines are written to, too.
    copy: Option<File>,
}

/// What log records of the same event about the same thing have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordKind {
    /// The name of the event.
    pub event: String,
    /// The level, such as `ERROR`.
    pub level: String,
    /// The dependency that the event is about, or the target of a library's record.
    pub about: Option<String>,
}

/// The log records of one kind.
#[derive(Clone, Debug)]
pub struct Records {
    /// How many there were.
    pub count: u64,
    /// The last one, as it was written.
    pub text: String,
    last: Instant,
}

/// The fields of a log record that make its kind.
#[derive(Deserialize)]
struct JsonRecord {
    message: String,
    #[serde(default)]
    level: String,
    check: Option<String>,
    dependency: Option<String>,
    target: Option<String>,
}

impl From<JsonRecord> for RecordKind {
    fn from(record: JsonRecord) -> Self {
        let target = record.target.filter(|_| record.message == "library_record");
        let about = record.check.or(record.dependency).or(target);
        Self { event: record.message, level: record.level, about }
    }
}

impl Output {
    /// An output whose lines are also written to a new file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn copied_to(file: &Path) -> Result<Self> {
        let copy = File::create(file).with_context(|| file.display().to_string())?;
        Ok(Self(Arc::new(Mutex::new(Captured { copy: Some(copy), ..Captured::default() }))))
    }

    /// When the last log record of this event was captured; `None` if there was none.
    pub fn last_event(&self, event: &str) -> Option<Instant> {
        let captured = self.lock();
        let ours = captured.records.iter().filter(|(kind, _)| kind.event == event);
        ours.map(|(_, records)| records.last).max()
    }

    /// The log records in JSON, by kind.
    pub fn records(&self) -> HashMap<RecordKind, Records> {
        self.lock().records.clone()
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> String {
        let captured = self.lock();
        let skipped = captured.lines.len().saturating_sub(count);
        captured.lines.iter().skip(skipped).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The captured lines that contain a text.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.lock().lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// All captured lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines_with("")
    }

    /// Captures a pipe on a thread of its own until it is closed.
    pub(super) fn capture(&self, pipe: Option<impl Read + Send + 'static>) {
        let Some(pipe) = pipe else { return };
        let output = self.clone();
        output.lock().open_pipes += 1;
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                output.add(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
            output.lock().open_pipes -= 1;
        });
    }

    /// Whether all pipes are closed, so that no more lines follow.
    pub(super) fn is_complete(&self) -> bool {
        self.lock().open_pipes == 0
    }

    fn add(&self, line: &str) {
        let record = serde_json::from_str::<JsonRecord>(line).ok();
        let mut captured = self.lock();
        if let Some(record) = record {
            let kind = record.into();
            let count = captured.records.get(&kind).map_or(0, |records: &Records| records.count) + 1;
            captured.records.insert(kind, Records { count, text: line.to_owned(), last: Instant::now() });
        }
        if let Some(copy) = &mut captured.copy {
            // A full disk does not end the capture, which the stack needs.
            let _ = writeln!(copy, "{line}");
        }
        if captured.lines.len() == MAX_LINES {
            captured.lines.pop_front();
        }
        captured.lines.push_back(line.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_and_all_events_are_kept() {
        let output = Output::default();
        (0..=MAX_LINES).for_each(|number| output.add(&format!("line {number}")));
        output.add(r#"{"message":"slow_query","duration":2}"#);
        assert_eq!(
            output.tail(2),
            format!("line {MAX_LINES}\n{}", r#"{"message":"slow_query","duration":2}"#)
        );
        assert_eq!(output.lines().len(), MAX_LINES);
        assert!(output.last_event("slow_query").is_some() && output.last_event("order_placed").is_none());
        assert_eq!(output.lines_with("line 19").len(), 11, "19 and 190 to 199");
    }

    #[test]
    fn all_lines_are_copied() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("api.log");
        let output = Output::copied_to(&file).unwrap();
        (0..=MAX_LINES).for_each(|number| output.add(&format!("line {number}")));
        let copied = std::fs::read_to_string(&file).unwrap();
        assert_eq!(copied.lines().count(), MAX_LINES + 1);
        assert!(copied.starts_with("line 0\n") && copied.ends_with(&format!("line {MAX_LINES}\n")));
        assert!(Output::copied_to(&folder.path().join("none/api.log")).is_err());
    }

    #[test]
    fn log_records_are_counted_by_what_they_are_about() {
        let output = Output::default();
        for check in ["redis", "database", "redis"] {
            output.add(&format!(r#"{{"level":"WARN","message":"health_check_failed","check":"{check}"}}"#));
        }
        let kind = |about: &str| RecordKind {
            event: "health_check_failed".to_owned(),
            level: "WARN".to_owned(),
            about: Some(about.to_owned()),
        };
        let records = output.records();
        assert_eq!((records[&kind("redis")].count, records[&kind("database")].count), (2, 1));
    }
}
