//! Telemetry of every statement: a metric, a child span of the transaction's span, and an event if it is slow. The text
//! of a statement has placeholders instead of values, so no value leaves the process.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use sea_orm::metric::Info;
use sea_orm::{DatabaseConnection, DbBackend};

use glasshouse_telemetry::service::events::database::SlowQuery;
use glasshouse_telemetry::service::metrics::DatabaseMetrics;

/// The maximum length of a slow statement in the log, in characters.
const SLOW_QUERY_CHARS: usize = 200;

/// The maximum length of a statement on its span, in characters. Long column lists are truncated.
const SPAN_QUERY_CHARS: usize = 1000;

/// Observes the statements of a pool. A statement that takes longer than `slow` is logged.
pub(super) fn observe(connection: &mut DatabaseConnection, slow: Duration, metrics: DatabaseMetrics) {
    connection.set_metric_callback(move |statement| {
        let is_slow = statement.elapsed > slow;
        metrics.queried(statement.elapsed);
        record_span(statement);
        if is_slow {
            let duration = statement.elapsed.as_secs_f64();
            SlowQuery { duration, query: &truncated(statement, SLOW_QUERY_CHARS) }.emit(&metrics);
        }
    });
}

/// Records the span of a finished statement. sea-orm has no callback for the start of a statement.
fn record_span(statement: &Info<'_>) {
    let transaction = Context::current();
    if !transaction.span().span_context().is_sampled() {
        return;
    }
    let system = match statement.statement.db_backend {
        DbBackend::Postgres => "postgresql",
        _ => "sqlite",
    };
    let operation = operation(&statement.statement.sql);
    let attributes = [
        KeyValue::new("db.system.name", system),
        KeyValue::new("db.operation.name", operation.clone()),
        KeyValue::new("db.query.text", truncated(statement, SPAN_QUERY_CHARS)),
    ];
    let ended = SystemTime::now();
    let tracer = global::tracer("glasshouse");
    let mut span = tracer
        .span_builder(operation)
        .with_kind(SpanKind::Client)
        .with_start_time(ended.checked_sub(statement.elapsed).unwrap_or(ended))
        .with_attributes(attributes)
        .start_with_context(&tracer, &transaction);
    if statement.failed {
        span.set_status(Status::error("the statement failed"));
    }
    span.end_with_timestamp(ended);
}

/// The first keyword of a statement, such as `SELECT`.
fn operation(sql: &str) -> String {
    sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

fn truncated(statement: &Info<'_>, chars: usize) -> String {
    statement.statement.sql.chars().take(chars).collect()
}
