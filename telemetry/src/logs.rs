//! Log lines: one JSON object a line for machines, or coloured text for people, and the same lines over OTLP.
//!
//! A line inside a request says whose request it is, whoever wrote it: what the spans around it know is put
//! on every line.

use std::io::Write;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::LoggerProvider;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter as ExportLogs, LogProcessor, SdkLogRecord,
    SdkLogger, SdkLoggerProvider,
};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::UNWRITTEN;
use super::fields::Fields;
use super::line::Line;
use super::otlp::{CAPACITY, LINES};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The layer that writes lines. They are written by a thread of their own; when it cannot keep up, lines are
/// dropped.
pub(super) fn layer(format: LogFormat, otlp: Option<&SdkLoggerProvider>) -> (LogLayer, WorkerGuard) {
    let (out, guard) = tracing_appender::non_blocking(std::io::stdout());
    // Telemetry starts once in a process, so nobody else has set it.
    let _ = UNWRITTEN.set(out.error_counter());
    let otlp = otlp.map(|provider| provider.logger("glasshouse"));
    (LogLayer { format, out, otlp }, guard)
}

/// Ships lines to an OTLP receiver.
pub(super) fn provider(endpoint: &Url, resource: Resource) -> Result<SdkLoggerProvider, ExporterBuildError> {
    let exporter = LogExporter::builder().with_tonic().with_endpoint(endpoint.as_str()).build()?;
    let config = BatchConfigBuilder::default().with_max_queue_size(CAPACITY).build();
    let batches = BatchLogProcessor::builder(CountingExporter(exporter)).with_batch_config(config).build();
    let processor = BoundedProcessor(batches);
    Ok(SdkLoggerProvider::builder().with_log_processor(processor).with_resource(resource).build())
}

/// Bounds the queue, and counts what does not fit.
#[derive(Debug)]
struct BoundedProcessor(BatchLogProcessor);

impl LogProcessor for BoundedProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if LINES.enter() {
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

/// Counts what could not be sent.
#[derive(Debug)]
struct CountingExporter(LogExporter);

impl ExportLogs for CountingExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let result = self.0.export(batch).await;
        LINES.leave(count, result.is_ok());
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
pub(super) struct LogLayer {
    format: LogFormat,
    out: NonBlocking,
    otlp: Option<SdkLogger>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let line = Line::of(event, &context);
        self.write(&line);
        if let Some(logger) = &self.otlp {
            line.emit(logger);
        }
    }
}

impl LogLayer {
    fn write(&self, line: &Line) {
        let mut text = match self.format {
            LogFormat::Json => line.json(),
            LogFormat::Pretty => line.pretty(),
        };
        text.push(b'\n');
        // A full queue drops the line and counts it; there is no other error.
        let _ = self.out.clone().write_all(&text);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

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

    /// What is written as JSON while `work` runs.
    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let (out, guard) = tracing_appender::non_blocking(written.clone());
        let layer = LogLayer { format: LogFormat::Json, out, otlp: None };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        drop(guard);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn secrets_and_addresses_are_hidden_whoever_logs_them() {
        let lines = lines(|| {
            let span = tracing::info_span!("request", user.id = "ada@example.com");
            let _inside = span.enter();
            tracing::info!(
                password = "p",
                Authorization = "Bearer x",
                detail = "to ada@example.com",
                "tried"
            );
            tracing::info!("welcome ada@example.com");
        });
        let hidden = "[REDACTED]";
        assert_eq!((&lines[0]["password"], &lines[0]["Authorization"]), (&hidden.into(), &hidden.into()));
        assert_eq!((&lines[0]["detail"], &lines[0]["user_id"]), (&"to [REDACTED]".into(), &hidden.into()));
        assert_eq!(lines[1]["message"], "welcome [REDACTED]");
    }

    #[test]
    fn the_nearest_span_and_the_event_itself_know_best() {
        let lines = lines(|| {
            let outer = tracing::info_span!("outer", request_id = "r-1", tenant.id = "t-1");
            let _outer = outer.enter();
            let inner = tracing::info_span!("inner", tenant.id = "t-2", user.id = tracing::field::Empty);
            inner.record("user.id", "u-1");
            let _inner = inner.enter();
            tracing::warn!("inside");
            tracing::warn!(tenant_id = "t-3", count = 2, "told");
        });
        let known = |line: &Value| ["request_id", "tenant_id", "user_id"].map(|field| line[field].clone());
        assert_eq!(known(&lines[0]), ["r-1", "t-2", "u-1"]);
        assert_eq!(known(&lines[1]), ["r-1", "t-3", "u-1"]);
        assert_eq!((&lines[1]["level"], &lines[1]["count"]), (&"WARN".into(), &2.into()));
    }
}
