//! Formats log records, writes them and hands them to OTLP, on threads of their own: no request waits for standard output.
//!
//! The first thread takes what came within some milliseconds at once. Between two requests the caches of a processor hold other
//! code, so that formatting a record there takes several times as long as formatting one after the other. The second thread
//! writes: while standard output is blocked, records still go to OTLP.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::logs::SdkLogger;

use super::LogFormat;
use super::queue::{Queue, QueueGuard};
use super::record::LogRecord;

/// How long a record may wait for others. Waking a thread, and a system call, for each record would cost more than the record
/// itself.
const LINGER: Duration = Duration::from_millis(5);

/// The length of the text that is written at once, in bytes; it ends with the record that exceeds it.
const TEXT: usize = 64 * 1024;

/// The way of log records to standard output and OTLP. Clones lead to the same threads.
#[derive(Clone)]
pub(crate) struct Output {
    records: Queue<Queued>,
    dropped: Arc<AtomicU64>,
}

/// Writes what waits, and ends the threads, when it is dropped.
#[derive(Debug)]
pub(crate) struct OutputGuard {
    // Dropped in this order, in which records pass them.
    records: QueueGuard<Queued>,
    _texts: QueueGuard<Text>,
}

/// A log record on its way.
#[derive(Debug)]
struct Queued {
    record: Arc<LogRecord>,
    /// Whether it goes to OTLP. One that an exporter causes does not: it would cause the next one.
    is_exported: bool,
}

/// Formatted records.
#[derive(Debug, Default)]
struct Text {
    text: Vec<u8>,
    records: u64,
}

impl Output {
    /// Starts the threads, which write to `out` and emit to `logger`.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(
        format: LogFormat,
        logger: Option<SdkLogger>,
        mut out: impl Write + Send + 'static,
    ) -> io::Result<(Self, OutputGuard)> {
        let write = move |texts: &mut Vec<Text>| {
            for Text { text, .. } in texts {
                // A reader that is gone is no error of the service, and there is no other place to report one.
                let _ = out.write_all(text).and_then(|()| out.flush());
            }
        };
        let (texts, texts_guard) = Queue::start("log-output", Duration::ZERO, write)?;
        let dropped = Arc::new(AtomicU64::new(0));
        let formatter = Formatter { format, logger, texts, dropped: dropped.clone() };
        let format = move |turn: &mut Vec<Queued>| formatter.format_and_export(turn);
        let (records, records_guard) = Queue::start("log-records", LINGER, format)?;
        Ok((Self { records, dropped }, OutputGuard { records: records_guard, _texts: texts_guard }))
    }

    /// Queues one record, or counts it as dropped if the queue is full.
    pub(super) fn write(&self, record: Arc<LogRecord>) {
        let size = record.size();
        let is_exported = !Context::is_current_telemetry_suppressed();
        if !self.records.push(Queued { record, is_exported }, size) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of records that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl OutputGuard {
    /// Waits until the records that wait are formatted, and with OTLP.
    pub(crate) fn flush(&self) {
        self.records.flush();
    }
}

/// What the first thread does.
struct Formatter {
    format: LogFormat,
    logger: Option<SdkLogger>,
    texts: Queue<Text>,
    dropped: Arc<AtomicU64>,
}

impl Formatter {
    /// Formats records for the second thread, and emits them to OTLP.
    fn format_and_export(&self, records: &mut Vec<Queued>) {
        let mut text = Text::default();
        for Queued { record, is_exported } in records.drain(..) {
            text.add(&record, self.format);
            if text.text.len() >= TEXT {
                self.send(std::mem::take(&mut text));
            }
            if let Some(logger) = self.logger.as_ref().filter(|_| is_exported) {
                record.emit(logger);
            }
        }
        self.send(text);
    }

    /// Queues a text, or counts its records as dropped if the queue is full.
    fn send(&self, text: Text) {
        let (size, records) = (text.text.len(), text.records);
        if records > 0 && !self.texts.push(text, size) {
            self.dropped.fetch_add(records, Ordering::Relaxed);
        }
    }
}

impl Text {
    fn add(&mut self, record: &LogRecord, format: LogFormat) {
        match format {
            LogFormat::Json => record.write_json(&mut self.text),
            LogFormat::Pretty => record.write_pretty(&mut self.text),
        }
        self.text.push(b'\n');
        self.records += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use opentelemetry::InstrumentationScope;
    use opentelemetry::logs::LoggerProvider;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::{LogLayer, LogSchema, Sinks};
    use super::*;
    use crate::Build;
    use crate::redaction::Redactor;
    use crate::trusted::TrustedModules;

    /// Calls a function for each text.
    struct Writer<F>(F);

    impl<F: FnMut(&[u8]) -> io::Result<()>> Write for Writer<F> {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            (self.0)(text).map(|()| text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Sends the severity of each record that is emitted to OTLP.
    #[derive(Debug)]
    struct Emitted(Sender<&'static str>);

    impl LogProcessor for Emitted {
        fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
            let _ = self.0.send(record.severity_text().unwrap());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
    }

    fn logger() -> (SdkLogger, Receiver<&'static str>) {
        let (emit, emitted) = channel();
        let provider = SdkLoggerProvider::builder().with_log_processor(Emitted(emit)).build();
        (provider.logger("test"), emitted)
    }

    fn log_into(out: &Output, work: impl FnOnce()) {
        let build = Build { name: "shop", version: "1.0.0", commit: None };
        let schema = LogSchema::new(&[], Redactor::default(), TrustedModules::new(build, &[]));
        let layer = LogLayer { schema, out: out.clone(), sinks: Sinks::default() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    }

    #[test]
    fn a_reader_that_is_gone_does_not_end_the_thread() {
        let (tried, tries) = channel();
        let broken = Writer(move |_: &[u8]| {
            let _ = tried.send(());
            Err(io::ErrorKind::BrokenPipe.into())
        });
        let (output, _guard) = Output::start(LogFormat::Json, None, broken).unwrap();
        for _ in 0..2 {
            log_into(&output, || tracing::info!("record"));
            tries.recv().unwrap();
        }
    }

    #[test]
    fn a_reader_that_blocks_does_not_keep_records_from_otlp_and_what_it_misses_is_counted() {
        let (logger, emitted) = logger();
        let (go, wait) = channel();
        let blocked = Writer(move |_: &[u8]| {
            let _: Result<(), _> = wait.recv();
            Ok(())
        });
        let (output, guard) = Output::start(LogFormat::Json, Some(logger), blocked).unwrap();
        let detail = "x".repeat(4000);
        let count = 3 * super::super::queue::CAPACITY / detail.len();
        for number in 0..count {
            log_into(&output, || tracing::warn!(detail, "record"));
            if number % 100 == 0 {
                guard.flush(); // the records themselves do not wait
            }
        }
        guard.flush();
        assert_eq!(emitted.try_iter().count(), count);
        assert!(output.dropped() > 0);
        drop(go);
    }

    #[test]
    fn a_record_that_an_exporter_causes_is_written_and_not_exported() {
        let (logger, emitted) = logger();
        let (write, written) = channel();
        let out = Writer(move |text: &[u8]| {
            let _ = write.send(String::from_utf8(text.to_vec()).unwrap());
            Ok(())
        });
        let (output, guard) = Output::start(LogFormat::Json, Some(logger), out).unwrap();
        log_into(&output, || {
            let _exporting = Context::enter_telemetry_suppressed_scope();
            tracing::error!("export_failed");
        });
        log_into(&output, || tracing::warn!("other"));
        drop(guard);
        let written: String = written.iter().collect();
        assert_eq!(written.lines().count(), 2, "{written}");
        assert_eq!(emitted.try_iter().collect::<Vec<_>>(), ["WARN"]);
    }
}
