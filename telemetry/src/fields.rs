//! The fields of events and spans, redacted.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tracing::field::{Field, Visit};

use crate::redaction::{REDACTED, Redactor, safe};

/// Fields in the order in which they were recorded, each name once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, FieldValue)>);

/// The value of a field. Copies share its text, which spans, log records and OTLP have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldValue {
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(Arc<str>),
}

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
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<FieldValue>) {
        self.0.push((name, value.into()));
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.iter().find(|(recorded, _)| *recorded == name).map(|(_, value)| value)
    }

    /// All fields but `message`.
    pub(crate) fn without_message(&self) -> impl Iterator<Item = (&'static str, &FieldValue)> {
        self.0.iter().filter(|(name, _)| *name != "message").map(|(name, value)| (*name, value))
    }
}

impl FieldValue {
    /// The text of a text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A text is shown as it is.
impl Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => Display::fmt(value, f),
            Self::Integer(value) => Display::fmt(value, f),
            Self::Unsigned(value) => Display::fmt(value, f),
            Self::Float(value) => Display::fmt(value, f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl From<&FieldValue> for serde_json::Value {
    fn from(value: &FieldValue) -> Self {
        match value {
            FieldValue::Bool(value) => (*value).into(),
            FieldValue::Integer(value) => (*value).into(),
            FieldValue::Unsigned(value) => (*value).into(),
            FieldValue::Float(value) => (*value).into(),
            FieldValue::Text(text) => (**text).into(),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u32> for FieldValue {
    fn from(number: u32) -> Self {
        Self::Unsigned(number.into())
    }
}

/// The length of most texts that are formatted, such as ids: room for it saves copies while a text grows.
const USUAL_LENGTH: usize = 64;

/// Records fields and redacts them.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    fields: &'a mut Fields,
    redactor: &'a Redactor,
    with_text: bool,
}

impl Recorder<'_> {
    fn set(&mut self, field: &Field, value: FieldValue) {
        let name = field.name();
        let value = if self.redactor.is_secret(name) { REDACTED.into() } else { value };
        match self.fields.0.iter_mut().find(|(recorded, _)| *recorded == name) {
            Some((_, recorded)) => *recorded = value,
            None => self.fields.0.push((name, value)),
        }
    }
}

impl Visit for Recorder<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.with_text {
            let mut text = String::with_capacity(USUAL_LENGTH);
            // What cannot be formatted is recorded as far as it goes.
            let _ = write!(text, "{value:?}");
            self.record_str(field, &text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.with_text {
            self.set(field, (&*safe(value)).into());
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, FieldValue::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, FieldValue::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, FieldValue::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, FieldValue::Bool(value));
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
