//! What a log line says, before it is written.

use std::time::SystemTime;

use opentelemetry::Context as OtelContext;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::logs::SdkLogger;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;

/// What the spans around a line put on it: the span's field, and its name in the line.
const FROM_SPANS: [(&str, &str); 6] = [
    ("request_id", "request_id"),
    ("tenant.id", "tenant_id"),
    ("user.id", "user_id"),
    ("http.request.method", "method"),
    ("url.path", "path"),
    ("job", "job"),
];

/// A log line before it is written.
pub(super) struct Line {
    pub(super) time: OffsetDateTime,
    pub(super) level: Level,
    pub(super) target: &'static str,
    pub(super) trace: SpanContext,
    around: [Option<Value>; FROM_SPANS.len()],
    pub(super) fields: Fields,
}

impl Line {
    /// An event, with what the spans around it know.
    pub(super) fn of<S>(event: &Event<'_>, context: &Context<'_, S>) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut around: [Option<Value>; FROM_SPANS.len()] = Default::default();
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(known) = extensions.get::<Fields>() else { continue };
            for (place, (in_span, in_line)) in around.iter_mut().zip(FROM_SPANS) {
                if place.is_none() && fields.get(in_line).is_none() {
                    *place = known.get(in_span).cloned();
                }
            }
        }
        let trace = OtelContext::current().span().span_context().clone();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        Self { time: OffsetDateTime::now_utc(), level, target, trace, around, fields }
    }

    /// The name of the event.
    pub(super) fn message(&self) -> &str {
        self.fields.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    /// What the spans know and what the event says, in that order.
    pub(super) fn all_fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let around = FROM_SPANS.iter().zip(&self.around);
        let around = around.filter_map(|((_, name), value)| Some((*name, value.as_ref()?)));
        around.chain(self.fields.without_message())
    }

    /// One JSON object.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(512);
        let mut serializer = serde_json::Serializer::new(&mut text);
        // Writing text and numbers to memory does not fail.
        let _ = self.serialize(&mut serializer);
        text
    }

    fn serialize(&self, serializer: &mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.time.format(&Rfc3339).unwrap_or_default())?;
        map.serialize_entry("level", level_name(self.level))?;
        map.serialize_entry("message", self.message())?;
        map.serialize_entry("target", self.target)?;
        if self.trace.is_valid() {
            map.serialize_entry("trace_id", &self.trace.trace_id().to_string())?;
            map.serialize_entry("span_id", &self.trace.span_id().to_string())?;
        }
        for (name, value) in self.all_fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }

    /// Coloured text for people.
    pub(super) fn pretty(&self) -> Vec<u8> {
        let clock = self.time.format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]"));
        let colour = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            Level::DEBUG | Level::TRACE => "34",
        };
        let (clock, level, message) = (clock.unwrap_or_default(), level_name(self.level), self.message());
        let mut text =
            format!("\x1b[2m{clock}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m \x1b[1m{message}\x1b[0m");
        for (name, value) in self.all_fields() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!(" \x1b[2m{name}=\x1b[0m{value}"));
        }
        text.into_bytes()
    }

    /// Hands it to OpenTelemetry.
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
        record.set_target(self.target);
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

/// As the contract has it, in upper case as `tracing` writes it.
const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}
