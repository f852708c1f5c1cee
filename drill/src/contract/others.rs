//! What other parts of the stack export, and no drill can see: k6, which writes its metrics to Prometheus, the
//! collector, which makes metrics of spans, and what tells of Postgres, Redis and the machine.

use promql_parser::parser::Expr;

use super::Exported;
use crate::promql::selectors;

/// Each kind of metric, with the labels of its series.
const OTHERS: [(&[&str], &[&str]); 11] = [
    (&["k6_vus", "k6_vus_max"], &[]),
    (&["k6_checks_rate"], &["check", "scenario"]),
    (
        &[
            "k6_http_reqs_total",
            "k6_http_req_duration_p95",
            "k6_http_req_duration_p99",
            "k6_rate_limited_rate",
            "k6_server_errors_rate",
            "k6_shed_rate",
        ],
        &["scenario", "method", "name", "status", "expected_response", "error_code"],
    ),
    (
        &["traces_span_metrics_duration_seconds_count"],
        &["service_name", "span_name", "span_kind", "status_code", "db_system_name"],
    ),
    (
        &["traces_span_metrics_duration_seconds_bucket"],
        &["service_name", "span_name", "span_kind", "status_code", "db_system_name", "le"],
    ),
    (
        &[
            "otelcol_receiver_accepted_spans_total",
            "otelcol_receiver_accepted_log_records_total",
            "otelcol_exporter_send_failed_spans_total",
            "otelcol_exporter_send_failed_log_records_total",
            "otelcol_exporter_queue_size",
            "otelcol_exporter_queue_capacity",
        ],
        &["receiver", "exporter", "transport", "data_type"],
    ),
    (&["pg_stat_activity_count"], &["datname", "state"]),
    (
        &[
            "pg_settings_max_connections",
            "pg_database_size_bytes",
            "pg_stat_database_xact_commit",
            "pg_stat_database_xact_rollback",
            "pg_stat_database_blks_hit",
            "pg_stat_database_blks_read",
        ],
        &["datname"],
    ),
    (
        &[
            "redis_memory_used_bytes",
            "redis_memory_max_bytes",
            "redis_commands_processed_total",
            "redis_expired_keys_total",
            "redis_evicted_keys_total",
        ],
        &[],
    ),
    (&["node_cpu_seconds_total"], &["cpu", "mode"]),
    (
        &[
            "node_memory_MemAvailable_bytes",
            "node_memory_MemTotal_bytes",
            "node_filesystem_avail_bytes",
            "node_filesystem_size_bytes",
        ],
        &["device", "fstype", "mountpoint"],
    ),
];

impl Exported {
    /// Adds what other parts of the stack export.
    pub fn add_others(&mut self) {
        for (metrics, labels) in OTHERS {
            metrics.iter().for_each(|metric| self.add(metric, labels.iter().copied()));
        }
    }
}

/// Whether a query asks for something that other parts of the stack export.
pub fn needs_others(expression: &Expr) -> bool {
    let mut others = OTHERS.iter().flat_map(|(metrics, _)| *metrics);
    others.any(|other| selectors(expression).iter().any(|selector| selector.name.as_deref() == Some(*other)))
}
