//! The fields of events and spans as JSON values, redacted.

use std::error::Error;
use std::fmt::Debug;

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::redaction::{REDACTED, Redactor, safe};

/// Fields in the order in which they were recorded, each name once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// A visitor that records into these fields.
    pub(crate) fn recorder<'a>(&'a mut self, redactor: &'a Redactor) -> Recorder<'a> {
        Recorder { fields: self, redactor, with_text: true }
    }

    /// A visitor that records numbers and booleans into these fields, and leaves out all text.
    pub(crate) fn recorder_without_text<'a>(&'a mut self, redactor: &'a Redactor) -> Recorder<'a> {
        Recorder { fields: self, redactor, with_text: false }
    }

    /// Adds a field of the record itself.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(recorded, _)| *recorded == name).map(|(_, value)| value)
    }

    /// All fields but `message`.
    pub(crate) fn without_message(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().filter(|(name, _)| *name != "message").map(|(name, value)| (*name, value))
    }
}

/// Records fields and redacts them.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    fields: &'a mut Fields,
    redactor: &'a Redactor,
    with_text: bool,
}

impl Recorder<'_> {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let value = if self.redactor.is_secret(name) { Value::from(REDACTED) } else { value };
        match self.fields.0.iter_mut().find(|(recorded, _)| *recorded == name) {
            Some((_, recorded)) => *recorded = value,
            None => self.fields.0.push((name, value)),
        }
    }
}

impl Visit for Recorder<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.with_text {
            self.record_str(field, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.with_text {
            self.set(field, safe(value).into());
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.with_text {
            self.record_str(field, &with_causes(value));
        }
    }
}

/// An error and the chain of its sources: `cannot connect: refused: …`.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
