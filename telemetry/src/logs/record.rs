//! A log record: an event with the fields of the spans around it, as JSON, as text for a terminal, and for
//! OpenTelemetry.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::Context as OtelContext;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, Severity};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::logs::SdkLogger;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::SpanField;
use crate::fields::Fields;
use crate::redaction::Redactor;
use crate::trusted::TrustedModules;

/// The message of all records of libraries.
const LIBRARY_RECORD: &str = "library_record";

/// What log records of this process consist of.
#[derive(Clone, Debug)]
pub(crate) struct LogSchema {
    span_fields: Arc<[SpanField]>,
    /// Redacts the fields of events and spans.
    pub(crate) redactor: Redactor,
    /// Decides whose text is recorded.
    pub(crate) trusted: TrustedModules,
}

/// An event with the fields of the spans around it.
#[derive(Debug)]
pub(crate) struct LogRecord {
    pub(crate) time: OffsetDateTime,
    pub(crate) level: Level,
    pub(crate) target: Cow<'static, str>,
    /// The current span, which is not valid outside of any trace.
    pub(crate) trace: SpanContext,
    /// Fields of spans, under their names in the record.
    inherited: Vec<(&'static str, Value)>,
    /// The event's own fields.
    pub(crate) fields: Fields,
}

impl LogSchema {
    pub(crate) fn new(span_fields: &[SpanField], redactor: Redactor, trusted: TrustedModules) -> Self {
        Self { span_fields: span_fields.into(), redactor, trusted }
    }

    /// Whether log records inherit a field of such spans.
    pub(crate) fn inherits_from(&self, span: &Metadata<'_>) -> bool {
        self.span_fields.iter().any(|field| span.fields().field(field.span).is_some())
    }

    /// The record of an event. A field of the event wins over one of the same name from a span, and an inner span
    /// over an outer one.
    pub(crate) fn record<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> LogRecord
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // Records of the crate `log` have their real origin in fields.
        let normalized = event.normalized_metadata();
        let fields = self.own_fields(event, normalized.as_ref().unwrap_or_else(|| event.metadata()));
        let mut values = vec![None; self.span_fields.len()];
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(recorded) = extensions.get::<Fields>() else { continue };
            for (value, field) in values.iter_mut().zip(&*self.span_fields) {
                if value.is_none() && fields.get(field.record).is_none() {
                    *value = recorded.get(field.span).cloned();
                }
            }
        }
        let inherited = self.span_fields.iter().zip(values);
        LogRecord {
            time: OffsetDateTime::now_utc(),
            level: *event.metadata().level(),
            target: match &normalized {
                Some(normalized) => Cow::Owned(normalized.target().to_owned()),
                None => Cow::Borrowed(event.metadata().target()),
            },
            trace: OtelContext::current().span().span_context().clone(),
            inherited: inherited.filter_map(|(field, value)| Some((field.record, value?))).collect(),
            fields,
        }
    }

    /// The fields of the event itself. The record of a library has the place where it was written in place of its text.
    fn own_fields(&self, event: &Event<'_>, origin: &Metadata<'_>) -> Fields {
        let mut fields = Fields::default();
        if self.trusted.wrote(origin) {
            event.record(&mut fields.recorder(&self.redactor));
            return fields;
        }
        fields.add("message", LIBRARY_RECORD);
        // Without a name of its own, an event is named for its file.
        if !origin.name().contains([' ', '/']) {
            fields.add("name", origin.name());
        }
        if let Some(line) = origin.line() {
            fields.add("line", line);
        }
        event.record(&mut fields.recorder_without_text(&self.redactor));
        fields
    }
}

impl LogRecord {
    /// The name of the event.
    pub(crate) fn message(&self) -> &str {
        self.fields.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    /// The fields of spans and then those of the event.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let inherited = self.inherited.iter().map(|(name, value)| (*name, value));
        inherited.chain(self.fields.without_message())
    }

    /// An estimate of the memory that it occupies, in bytes.
    pub(crate) fn size(&self) -> usize {
        let texts = self.all_fields().map(|(_, value)| value.as_str().map_or(0, str::len));
        let fields = self.all_fields().count() * size_of::<(&str, Value)>();
        size_of::<Self>() + fields + texts.sum::<usize>()
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(512);
        let mut serializer = serde_json::Serializer::new(&mut text);
        // Text and numbers can always be written to memory.
        let _ = self.serialize(&mut serializer);
        text
    }

    fn serialize(&self, serializer: &mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.time.format(&Rfc3339).unwrap_or_default())?;
        map.serialize_entry("level", level_name(self.level))?;
        map.serialize_entry("message", self.message())?;
        map.serialize_entry("target", &*self.target)?;
        if self.trace.is_valid() {
            map.serialize_entry("trace_id", &self.trace.trace_id().to_string())?;
            map.serialize_entry("span_id", &self.trace.span_id().to_string())?;
        }
        for (name, value) in self.all_fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }

    /// Colored text for a terminal.
    pub(super) fn pretty(&self) -> Vec<u8> {
        let clock = self.time.format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]"));
        let color = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            Level::DEBUG | Level::TRACE => "34",
        };
        let (clock, level, message) = (clock.unwrap_or_default(), level_name(self.level), self.message());
        let mut text =
            format!("\x1b[2m{clock}\x1b[0m \x1b[{color}m{level:>5}\x1b[0m \x1b[1m{message}\x1b[0m");
        for (name, value) in self.all_fields() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!(" \x1b[2m{name}=\x1b[0m{value}"));
        }
        text.into_bytes()
    }

    /// Emits the record to OpenTelemetry.
    pub(super) fn emit(&self, logger: &SdkLogger) {
        let mut record = logger.create_log_record();
        record.set_timestamp(SystemTime::from(self.time));
        record.set_severity_text(level_name(self.level));
        record.set_severity_number(match self.level {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        });
        record.set_body(AnyValue::from(self.message().to_owned()));
        record.set_target(self.target.clone());
        if self.trace.is_valid() {
            let (trace_id, span_id) = (self.trace.trace_id(), self.trace.span_id());
            record.set_trace_context(trace_id, span_id, Some(self.trace.trace_flags()));
        }
        record.add_attributes(self.all_fields().map(|(name, value)| (name, any_value(value))));
        logger.emit(record);
    }
}

fn any_value(value: &Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => AnyValue::Int(integer),
            (None, Some(float)) => AnyValue::Double(float),
            (None, None) => AnyValue::from(number.to_string()),
        },
        Value::String(text) => AnyValue::from(text.clone()),
        other => AnyValue::from(other.to_string()),
    }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}
