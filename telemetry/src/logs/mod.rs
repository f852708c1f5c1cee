//! Log records: one JSON object a line, or colored text for a terminal, on standard output, and the same records over
//! OTLP.
//!
//! A record inherits fields from the spans around it, so each record of a request has the request's id, whichever
//! library logs it. The text that a library logs is left out ([`trusted`](crate::trusted)).

mod output;
mod record;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{ExporterBuildError, LogExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter as ExportLogs, LogProcessor, SdkLogRecord,
    SdkLogger, SdkLoggerProvider,
};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::errors::Capture;
use crate::fields::Fields;
use crate::otlp::{CAPACITY, LOG_RECORDS, Receiver};
use crate::recent::RecentTelemetry;

use output::Output;
pub(crate) use output::OutputGuard;
pub(crate) use record::{LogRecord, LogSchema};

/// The format of log records on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Colored text, for a terminal.
    Pretty,
}

/// A field of a span that each log record inside of the span inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanField {
    /// The name of the field in the span, such as `shop.id`.
    pub span: &'static str,
    /// Its name in the log record, such as `shop_id`.
    pub record: &'static str,
}

impl SpanField {
    /// The field `span` of a span, under the name `record`.
    #[must_use]
    pub const fn new(span: &'static str, record: &'static str) -> Self {
        Self { span, record }
    }
}

/// The way to standard output, for what it dropped.
static STANDARD_OUTPUT: OnceLock<Output> = OnceLock::new();

/// Log records that were dropped so far, on the way to standard output and over OTLP.
pub(crate) fn dropped() -> u64 {
    LOG_RECORDS.dropped() + STANDARD_OUTPUT.get().map_or(0, Output::dropped)
}

/// The layer that writes log records. A thread of its own writes standard output; records that it cannot keep up with
/// are dropped.
///
/// # Errors
/// When the operating system refuses the thread.
pub(crate) fn layer(
    schema: LogSchema,
    format: LogFormat,
    sinks: Sinks,
) -> io::Result<(LogLayer, OutputGuard)> {
    let (out, guard) = Output::start(io::stdout())?;
    // Telemetry starts once in a process, so it is not set yet.
    let _ = STANDARD_OUTPUT.set(out.clone());
    Ok((LogLayer { schema, format, out, sinks }, guard))
}

/// Sends log records to an OTLP receiver.
pub(crate) fn provider(
    receiver: &Receiver,
    resource: Resource,
) -> Result<SdkLoggerProvider, ExporterBuildError> {
    let exporter = receiver.configure(LogExporter::builder().with_tonic()).build()?;
    let config = BatchConfigBuilder::default().with_max_queue_size(CAPACITY).build();
    let batches = BatchLogProcessor::builder(CountingExporter(exporter)).with_batch_config(config).build();
    let processor = BoundedProcessor(batches);
    Ok(SdkLoggerProvider::builder().with_log_processor(processor).with_resource(resource).build())
}

/// Bounds the queue and counts the records that do not fit.
#[derive(Debug)]
struct BoundedProcessor(BatchLogProcessor);

impl LogProcessor for BoundedProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if LOG_RECORDS.enter() {
            self.0.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Counts the records that the receiver did not accept.
#[derive(Debug)]
struct CountingExporter(LogExporter);

impl ExportLogs for CountingExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let result = self.0.export(batch).await;
        LOG_RECORDS.leave(count, result.is_ok());
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// See [`layer`].
pub(crate) struct LogLayer {
    schema: LogSchema,
    format: LogFormat,
    out: Output,
    sinks: Sinks,
}

/// Where log records go besides standard output.
#[derive(Default)]
pub(crate) struct Sinks {
    pub(crate) otlp: Option<SdkLogger>,
    pub(crate) errors: Option<Capture>,
    pub(crate) recent: Option<RecentTelemetry>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields.recorder(&self.schema.redactor));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(&mut fields.recorder(&self.schema.redactor));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let record = Arc::new(self.schema.record(event, &context));
        self.write(&record);
        if let Some(logger) = &self.sinks.otlp {
            record.emit(logger);
        }
        if let Some(errors) = &self.sinks.errors {
            errors.capture(&record, event, &context);
        }
        if let Some(recent) = &self.sinks.recent {
            recent.log(record);
        }
    }
}

impl LogLayer {
    fn write(&self, record: &LogRecord) {
        let mut text = match self.format {
            LogFormat::Json => record.json(),
            LogFormat::Pretty => record.pretty(),
        };
        text.push(b'\n');
        self.out.write(&text);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{self, Write};
    use std::sync::Mutex;

    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry_sdk::propagation::BaggagePropagator;
    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::Build;
    use crate::redaction::Redactor;
    use crate::trusted::TrustedModules;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log records that are written as JSON while `work` runs.
    fn records(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let (out, guard) = Output::start(written.clone()).unwrap();
        let span_fields = [
            SpanField::new("request_id", "request_id"),
            SpanField::new("shop.id", "shop_id"),
            SpanField::new("user.id", "user_id"),
        ];
        let build = Build { name: "shop", version: "1.0.0", commit: None };
        let redactor = Redactor::new(&["door_code".to_owned()]);
        let schema = LogSchema::new(&span_fields, redactor, TrustedModules::new(build, &[]));
        let layer = LogLayer { schema, format: LogFormat::Json, out, sinks: Sinks::default() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        drop(guard);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn secrets_and_addresses_are_redacted_in_events_and_spans() {
        let records = records(|| {
            let span = tracing::info_span!("request", user.id = "ada@example.com");
            let _inside = span.enter();
            tracing::info!(
                password = "p",
                Authorization = "Bearer x",
                door_code = 1234,
                detail = "to ada@example.com",
                "tried"
            );
            tracing::info!("welcome ada@example.com");
        });
        for secret in ["password", "Authorization", "door_code", "user_id"] {
            assert_eq!(records[0][secret], "[REDACTED]", "{secret}");
        }
        assert_eq!(records[0]["detail"], "to [REDACTED]");
        assert_eq!(records[1]["message"], "welcome [REDACTED]");
    }

    #[test]
    fn a_text_is_bounded() {
        let records = records(|| tracing::info!(detail = "x".repeat(100_000), "{}", "y".repeat(100_000)));
        for field in ["detail", "message"] {
            assert!(records[0][field].as_str().unwrap().len() <= 4096, "{field}");
        }
    }

    #[test]
    fn the_text_of_a_library_is_left_out() {
        // The SDK writes the header into its warning.
        let headers = HashMap::from([("baggage".to_owned(), "canary".to_owned())]);
        let records = records(|| {
            let span = tracing::info_span!("request", request_id = "r-1");
            let _inside = span.enter();
            BaggagePropagator::new().extract(&headers);
            let mut log = tracing_log::log::Record::builder();
            log.level(tracing_log::log::Level::Warn).target("library");
            log.module_path(Some("library::module")).line(Some(7));
            tracing_log::format_trace(&log.args(format_args!("canary")).build()).unwrap();
        });
        assert_eq!(records.len(), 2, "{records:?}");
        for (record, expected) in records.iter().zip([
            ("WARN", "opentelemetry_sdk", json!("BaggagePropagator.Extract.InvalidKeyValueFormat")),
            ("WARN", "library", Value::Null),
        ]) {
            assert!(!record.to_string().contains("canary"), "{record}");
            let (level, target, name) = (&record["level"], &record["target"], record["name"].clone());
            assert_eq!((level.as_str().unwrap(), target.as_str().unwrap(), name), expected);
            assert_eq!(
                (&record["message"], &record["request_id"]),
                (&json!("library_record"), &json!("r-1"))
            );
            assert!(record["line"].is_number(), "{record}");
        }
        assert_eq!(records[1]["line"], 7);
    }

    #[test]
    fn a_record_inherits_fields_of_spans_and_the_nearest_wins() {
        let records = records(|| {
            let outer = tracing::info_span!("outer", request_id = "r-1", shop.id = "s-1", other.id = "o-1");
            let _outer = outer.enter();
            let inner = tracing::info_span!("inner", shop.id = "s-2", user.id = tracing::field::Empty);
            inner.record("user.id", "u-1");
            let _inner = inner.enter();
            tracing::warn!("inside");
            tracing::warn!(shop_id = "s-3", count = 2, "own_field");
        });
        let inherited =
            |record: &Value| ["request_id", "shop_id", "user_id"].map(|field| record[field].clone());
        assert_eq!(inherited(&records[0]), ["r-1", "s-2", "u-1"]);
        assert_eq!(inherited(&records[1]), ["r-1", "s-3", "u-1"]);
        assert_eq!((&records[1]["level"], &records[1]["count"]), (&"WARN".into(), &2.into()));
        assert!(!records[0].to_string().contains("o-1"), "a field that is not listed stays in its span");
    }
}
