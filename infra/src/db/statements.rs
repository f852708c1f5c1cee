//! Telemetry of every statement: a metric, a child span of the transaction's span, and an event if it is slow. The text
//! of a statement has placeholders instead of values, so no value leaves the process.

use std::borrow::Cow;
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use sea_orm::{DbBackend, DbErr, RuntimeErr, SqlxError};

use glasshouse_telemetry::metrics::semconv::OTHER_ERROR;
use glasshouse_telemetry::service::events::database::SlowQuery;
use glasshouse_telemetry::service::metrics::{DatabaseMetrics, Operation};

/// The maximum length of a slow statement in the log, in bytes.
const SLOW_QUERY_LENGTH: usize = 200;

/// The maximum length of a statement on its span, in bytes. Long column lists are truncated.
const SPAN_QUERY_LENGTH: usize = 1000;

/// Makes the spans of statements. It is first used when a trace is recorded, so telemetry has started.
static TRACER: LazyLock<BoxedTracer> = LazyLock::new(|| global::tracer("glasshouse"));

/// Observes the statements of a pool.
#[derive(Debug)]
pub(super) struct Observer {
    /// The duration above which a statement is logged.
    pub(super) slow: Duration,
    pub(super) metrics: DatabaseMetrics,
}

impl Observer {
    /// Runs a statement, and observes it.
    pub(super) async fn observe<T>(
        &self,
        backend: DbBackend,
        sql: &str,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let span = start_span(backend, sql);
        let started = Instant::now();
        let result = statement.await;
        let elapsed = started.elapsed();
        let failure = result.as_ref().err().map(Failure::of);
        self.metrics.queried(elapsed, || Operation {
            system: system_name(backend),
            name: operation(sql),
            error: failure.as_ref().map(Failure::error_type),
        });
        if let Some(mut span) = span {
            if let Some(failure) = failure {
                failure.record(&mut span);
            }
            span.end();
        }
        if elapsed > self.slow {
            let query = truncated(sql, SLOW_QUERY_LENGTH);
            SlowQuery { duration: elapsed.as_secs_f64(), query }.emit(&self.metrics);
        }
        result
    }
}

/// Why a statement failed.
#[derive(Debug, PartialEq, Eq)]
enum Failure<'a> {
    /// The database returned this code: a SQLSTATE, or a result code of SQLite.
    Code(Cow<'a, str>),
    /// There is no code, but one of a few kinds of errors.
    Kind(&'static str),
}

impl<'a> Failure<'a> {
    fn of(error: &'a DbErr) -> Self {
        let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
        else {
            return Self::Kind(OTHER_ERROR);
        };
        match &**cause {
            SqlxError::Database(cause) => cause.code().map_or(Self::Kind(OTHER_ERROR), Self::Code),
            SqlxError::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => Self::Kind("timeout"),
            SqlxError::Io(_) | SqlxError::Tls(_) => Self::Kind("connection"),
            SqlxError::Protocol(_) => Self::Kind("protocol"),
            _ => Self::Kind(OTHER_ERROR),
        }
    }

    /// The attribute `error.type`.
    fn error_type(&self) -> &str {
        match self {
            Self::Code(code) => code,
            Self::Kind(kind) => kind,
        }
    }

    /// <https://opentelemetry.io/docs/specs/semconv/db/database-spans/>
    fn record(self, span: &mut BoxedSpan) {
        span.set_status(Status::error("the statement failed"));
        span.set_attribute(KeyValue::new("error.type", self.error_type().to_owned()));
        if let Self::Code(code) = self {
            span.set_attribute(KeyValue::new("db.response.status_code", code.into_owned()));
        }
    }
}

/// Starts the span of a statement, if its trace is recorded.
fn start_span(backend: DbBackend, sql: &str) -> Option<BoxedSpan> {
    let transaction = Context::current();
    if !transaction.span().is_recording() {
        return None;
    }
    let operation = operation(sql);
    let attributes = [
        KeyValue::new("db.system.name", system_name(backend)),
        KeyValue::new("db.operation.name", operation.clone()),
        KeyValue::new("db.query.text", truncated(sql, SPAN_QUERY_LENGTH).to_owned()),
    ];
    let span = TRACER.span_builder(operation).with_kind(SpanKind::Client).with_attributes(attributes);
    Some(span.start_with_context(&*TRACER, &transaction))
}

const fn system_name(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "postgresql",
        _ => "sqlite",
    }
}

/// The first keyword of a statement, such as `SELECT`.
fn operation(sql: &str) -> String {
    let keyword = sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty());
    keyword.unwrap_or_default().to_ascii_uppercase()
}

fn truncated(sql: &str, length: usize) -> &str {
    &sql[..sql.floor_char_boundary(length)]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_failure_without_a_code_has_one_of_a_few_kinds() {
        let io = |kind: io::ErrorKind| SqlxError::Io(kind.into());
        for (cause, kind) in [
            (io(io::ErrorKind::TimedOut), "timeout"),
            (io(io::ErrorKind::ConnectionReset), "connection"),
            (SqlxError::Protocol("unexpected message".to_owned()), "protocol"),
            (SqlxError::RowNotFound, "_OTHER"),
        ] {
            let error = DbErr::Exec(RuntimeErr::SqlxError(Arc::new(cause)));
            assert_eq!(Failure::of(&error), Failure::Kind(kind));
        }
        assert_eq!(Failure::of(&DbErr::RecordNotUpdated).error_type(), "_OTHER");
    }
}
