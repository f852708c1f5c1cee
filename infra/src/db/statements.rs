//! Watches every statement: a metric, a span below the transaction's, and a log line for a slow one. The
//! text of a statement has placeholders where its values go, so none of these shows a value.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use sea_orm::metric::Info;
use sea_orm::{DatabaseConnection, DbBackend};

use glasshouse_telemetry::events::database::SlowQuery;
use glasshouse_telemetry::metrics::DatabaseMetrics;

/// The most characters of a slow statement in the log.
const SLOW_QUERY_CHARS: usize = 200;

/// The most characters of a statement on its span: a list of many columns is longer than it is of use.
const SPAN_QUERY_CHARS: usize = 1000;

/// Watches the statements of a pool. One that takes longer than `slow` is logged.
pub(super) fn watch(connection: &mut DatabaseConnection, slow: Duration, metrics: DatabaseMetrics) {
    connection.set_metric_callback(move |statement| {
        let is_slow = statement.elapsed > slow;
        metrics.queried(statement.elapsed);
        record_span(statement);
        if is_slow {
            let duration = statement.elapsed.as_secs_f64();
            SlowQuery { duration, query: &beginning(statement, SLOW_QUERY_CHARS) }.emit(&metrics);
        }
    });
}

/// The span is recorded when the statement has ended: sea-orm reports no earlier moment.
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
        KeyValue::new("db.query.text", beginning(statement, SPAN_QUERY_CHARS)),
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

/// The first word, such as `SELECT`.
fn operation(sql: &str) -> String {
    sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

fn beginning(statement: &Info<'_>, chars: usize) -> String {
    statement.statement.sql.chars().take(chars).collect()
}
