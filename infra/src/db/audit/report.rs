//! The result of an audit: what each check examined and found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::check::Check;

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `postgresql` or `sqlite`.
    pub database: &'static str,
    /// The time of the snapshot, by the clock of the database.
    #[serde(with = "time::serde::rfc3339")]
    pub snapshot_at: OffsetDateTime,
    /// How long the audit took.
    #[serde(rename = "duration_seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// The number of tenants.
    pub tenants: u64,
    /// The number of findings of all checks.
    pub findings: u64,
    /// The checks, in the order in which the report shows them.
    pub checks: Vec<CheckReport>,
    /// What the audit could not prove, for people.
    pub notes: Vec<String>,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The name of the check.
    pub name: &'static str,
    /// What it proves if it has no findings.
    pub proves: &'static str,
    /// Whether it was made, and what came out.
    pub result: CheckResult,
    /// Why it was not made.
    pub reason: Option<String>,
    /// The number of rows, charges or acknowledgements that it examined.
    pub examined: u64,
    /// The number of findings.
    pub findings: u64,
    /// The first findings.
    pub listed: Vec<Finding>,
}

/// Whether a check was made, and what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It has no findings.
    Clean,
    /// It has findings.
    Findings,
    /// It was not made, because its input is missing.
    NotMade,
}

impl CheckResult {
    /// The name of the result, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::NotMade => "not_made",
        }
    }
}

/// A contradiction in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The slug of the tenant; `None` if it concerns the whole database, or is not known.
    pub tenant: Option<String>,
    /// The id of the order, payment, product, message or charge, or the name of a table or role.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What one check has examined and found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) examined: u64,
    findings: u64,
    listed: Vec<Finding>,
    reason: Option<String>,
}

impl Outcome {
    /// Adds findings, of which `listed` are the first.
    pub(super) fn add(&mut self, findings: u64, listed: impl IntoIterator<Item = Finding>) {
        self.findings += findings;
        self.listed.extend(listed);
    }

    /// Adds one finding.
    pub(super) fn find(&mut self, finding: Finding) {
        self.add(1, [finding]);
    }

    fn finish(self, check: Check, listed: usize) -> CheckReport {
        let result = match (&self.reason, self.findings) {
            (Some(_), _) => CheckResult::NotMade,
            (None, 0) => CheckResult::Clean,
            (None, _) => CheckResult::Findings,
        };
        let mut findings = self.listed;
        findings.truncate(listed);
        CheckReport {
            name: check.name,
            proves: check.proves,
            result,
            reason: self.reason,
            examined: self.examined,
            findings: self.findings,
            listed: findings,
        }
    }
}

/// The outcomes of all checks. It keeps a limited number of findings of each.
#[derive(Debug)]
pub(super) struct Outcomes {
    listed: usize,
    by_check: BTreeMap<&'static str, Outcome>,
}

impl Outcomes {
    /// No outcomes yet, with at most `listed` findings of each check.
    pub(super) fn new(listed: u32) -> Self {
        Self { listed: usize::try_from(listed).unwrap_or(usize::MAX), by_check: BTreeMap::new() }
    }

    /// The outcome of a check so far.
    pub(super) fn of(&mut self, check: Check) -> &mut Outcome {
        let outcome = self.by_check.entry(check.name).or_default();
        outcome.listed.truncate(self.listed);
        outcome
    }

    /// Records that a check is not made.
    pub(super) fn not_made(&mut self, check: Check, reason: &str) {
        self.of(check).reason = Some(reason.to_owned());
    }

    /// The reports of these checks.
    pub(super) fn finish(mut self, checks: impl IntoIterator<Item = Check>) -> Vec<CheckReport> {
        let report =
            |check: Check| self.by_check.remove(check.name).unwrap_or_default().finish(check, self.listed);
        checks.into_iter().map(report).collect()
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
