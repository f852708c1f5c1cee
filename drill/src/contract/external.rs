//! Metrics from outside the service, which the stack of a drill lacks: those of k6, the collector with its span metrics,
//! and the exporters of Postgres, Redis and the host.

use std::collections::BTreeSet;

use promql_parser::parser::Expr;

use super::exported::ExportedMetrics;
use crate::promql::selectors;

/// Groups of metrics with the same labels: the exporting part of the stack, metric names, label names.
const EXTERNAL: [(&str, &[&str], &[&str]); 21] = [
    ("k6", &["k6_vus", "k6_vus_max"], &["testid"]),
    ("k6", &["k6_checks_rate"], &["testid", "check", "scenario"]),
    ("k6", &["k6_dropped_iterations_total"], &["testid", "scenario"]),
    (
        "k6",
        &[
            "k6_http_reqs_total",
            "k6_http_req_duration_seconds",
            "k6_rate_limited_rate",
            "k6_server_errors_rate",
            "k6_shed_rate",
        ],
        &["testid", "scenario", "journey", "method", "name", "status", "expected_response", "error_code"],
    ),
    (
        "span metrics of the collector",
        &["traces_span_metrics_duration_seconds_count"],
        &["service_name", "span_name", "span_kind", "status_code", "db_system_name"],
    ),
    (
        "span metrics of the collector",
        &["traces_span_metrics_duration_seconds_bucket"],
        &["service_name", "span_name", "span_kind", "status_code", "http_route", "db_system_name", "le"],
    ),
    (
        "the collector",
        &[
            "otelcol_receiver_accepted_spans_total",
            "otelcol_receiver_accepted_log_records_total",
            "otelcol_exporter_send_failed_spans_total",
            "otelcol_exporter_send_failed_log_records_total",
            "otelcol_exporter_enqueue_failed_spans_total",
            "otelcol_exporter_enqueue_failed_log_records_total",
            "otelcol_exporter_queue_size",
            "otelcol_exporter_queue_capacity",
        ],
        &["receiver", "exporter", "transport", "data_type"],
    ),
    ("the exporters of Postgres and Redis", &["pg_up", "redis_up"], &[]),
    (
        "the exporter of Postgres",
        &["pg_stat_statements_seconds_total", "pg_stat_statements_calls_total"],
        &["datname", "queryid", "user"],
    ),
    ("the exporter of Postgres", &["pg_stat_statements_query_id"], &["queryid", "query"]),
    (
        "the exporter of Postgres",
        &["pg_stat_activity_count", "pg_stat_activity_max_tx_duration"],
        &["datname", "state", "wait_event_type"],
    ),
    (
        "the exporter of Postgres",
        &[
            "pg_settings_max_connections",
            "pg_database_size_bytes",
            "pg_stat_database_xact_commit",
            "pg_stat_database_xact_rollback",
            "pg_stat_database_blks_hit",
            "pg_stat_database_blks_read",
            "pg_stat_database_deadlocks",
        ],
        &["datname"],
    ),
    (
        "the exporter of Redis",
        &[
            "redis_memory_used_bytes",
            "redis_memory_max_bytes",
            "redis_commands_processed_total",
            "redis_expired_keys_total",
            "redis_evicted_keys_total",
        ],
        &[],
    ),
    (
        "the containers",
        &[
            "container_cpu_usage_seconds_total",
            "container_cpu_cfs_periods_total",
            "container_cpu_cfs_throttled_periods_total",
            "container_memory_working_set_bytes",
            "container_spec_memory_limit_bytes",
            "container_start_time_seconds",
        ],
        &["name", "service", "cpu"],
    ),
    (
        "the blackbox exporter",
        &["probe_success", "probe_http_status_code", "probe_duration_seconds"],
        &["via"],
    ),
    ("Prometheus", &["prometheus_notifications_dropped_total"], &[]),
    (
        "Prometheus",
        &["prometheus_notifications_errors_total", "prometheus_notifications_sent_total"],
        &["alertmanager"],
    ),
    ("Alertmanager", &["alertmanager_notifications_failed_total"], &["integration", "reason"]),
    ("the exporter of the host", &["node_cpu_seconds_total"], &["cpu", "mode"]),
    (
        "the exporter of the host",
        &["node_disk_read_bytes_total", "node_disk_written_bytes_total"],
        &["device"],
    ),
    (
        "the exporter of the host",
        &[
            "node_memory_MemAvailable_bytes",
            "node_memory_MemTotal_bytes",
            "node_filesystem_avail_bytes",
            "node_filesystem_readonly",
            "node_filesystem_size_bytes",
        ],
        &["device", "fstype", "mountpoint"],
    ),
];

impl ExportedMetrics {
    /// Adds the external metrics.
    pub fn add_external(&mut self) {
        for (_, metrics, labels) in EXTERNAL {
            metrics.iter().for_each(|metric| self.add(metric, labels.iter().copied()));
        }
    }
}

/// Whether an expression selects an external metric.
pub fn uses_external_metrics(expression: &Expr) -> bool {
    !external_sources(expression).is_empty()
}

/// The parts of the stack whose metrics an expression selects, without the service itself.
pub fn external_sources(expression: &Expr) -> BTreeSet<&'static str> {
    let names: BTreeSet<_> =
        selectors(expression).into_iter().filter_map(|selector| selector.name.clone()).collect();
    let is_selected = |metrics: &[&str]| metrics.iter().any(|metric| names.contains(*metric));
    EXTERNAL.iter().filter(|(_, metrics, _)| is_selected(metrics)).map(|(source, ..)| *source).collect()
}
