//! Rows about the servers around the service: host, collector, Postgres and Redis. Exporters provide the metrics of all but
//! the collector.

use anyhow::Result;

use super::shared::graph;
use crate::alerts::Alerts;
use crate::model::{Panel, Query, Row, Threshold, Unit, Visualization};

fn series(query: &str, legend: &str) -> Query {
    Query::range(query).legend(legend)
}

/// The host of all containers.
pub(super) fn host(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Host", 8)
        .panel(6, graph(
            Unit::Ratio,
            "Host CPU utilization",
            "All processes of the host, including k6. At 100 %, a load test measures the limit of the host and not of the \
             service.",
        )
            .query(series(r#"1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#, "used"))
            .query(series(r#"avg(rate(node_cpu_seconds_total{mode="iowait"}[$__rate_interval]))"#, "I/O wait"))
            .max(1.0)
            .threshold(Threshold::Above(0.9)))
        .panel(6, graph(
            Unit::Ratio,
            "Host memory utilization",
            "Memory of processes, without reclaimable caches. Near 100 %, the kernel kills a process.",
        )
            .query(series("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "used"))
            .max(1.0)
            .threshold(Threshold::Above(0.9)))
        .panel(6, graph(
            Unit::BytesPerSecond,
            "Host disk I/O",
            "Of all disks. Postgres writes with each commit. Reads that rise: the database no longer fits into memory.",
        )
            .query(series("sum(rate(node_disk_read_bytes_total[$__rate_interval]))", "read"))
            .query(series("sum(rate(node_disk_written_bytes_total[$__rate_interval]))", "written")))
        .panel(6, graph(
            Unit::Ratio,
            "Highest disk utilization",
            "Postgres, Prometheus, Loki, Tempo and Pyroscope stop when the disk is full. Free space (`docker system df`), \
             or shorten the retention.",
        )
            .query(series(
                r#"max(1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs"})"#,
                "used",
            ))
            .max(1.0)
            .threshold(Threshold::Above(0.85))
            .related_alert(alerts.named("DiskAlmostFull")?)))
}

/// The OpenTelemetry Collector.
pub(super) fn collector(alerts: &Alerts) -> Result<Row> {
    let by_signal = |query: &str| {
        [("spans", "spans"), ("log_records", "log records")]
            .map(|(signal, legend)| series(&query.replace("SIGNAL", signal), legend))
    };
    let panel = |unit, title: &str, description: &str, queries: [Query; 2]| {
        queries.into_iter().fold(graph(unit, title, description), Panel::query)
    };
    Ok(Row::new("OpenTelemetry Collector", 8)
        .panel(8, panel(
            Unit::PerSecond("records"),
            "Collector: received telemetry",
            "Zero while there are requests: no process can reach the collector. See the dropped telemetry above.",
            by_signal("sum(rate(otelcol_receiver_accepted_SIGNAL_total[$__rate_interval]))"),
        ))
        .panel(8, panel(
            Unit::PerSecond("records"),
            "Collector: failed exports",
            "Tempo or Loki rejects telemetry or is down: check its container. The lost records are missing in Investigate.",
            by_signal("sum(rate(otelcol_exporter_send_failed_SIGNAL_total[$__rate_interval])) or vector(0)"),
        ).threshold(Threshold::Above(0.1)).related_alert(alerts.named("CollectorExportFailing")?))
        .panel(8, graph(
            Unit::Ratio,
            "Collector: queue utilization",
            "A rise means that a backend is slower than the input. At 100 %, telemetry is rejected.",
        )
            .query(series(
                "otelcol_exporter_queue_size / otelcol_exporter_queue_capacity",
                "{{exporter}} {{data_type}}",
            ))
            .max(1.0)
            .threshold(Threshold::Above(0.8))))
}

/// Postgres.
pub(super) fn postgres() -> Row {
    Row::new("Postgres server", 9)
        .panel(6, graph(
            Unit::Count,
            "Postgres sessions by state",
            "Persistent `idle in transaction`: a client holds locks without working. The sum of all clients must stay below \
             the limit.",
        )
            .query(series("sum by (state) (pg_stat_activity_count)", "{{state}}"))
            .query(series("max(pg_settings_max_connections)", "limit"))
            .limit_series("limit"))
        .panel(6, graph(
            Unit::PerSecond("transactions"),
            "Transactions",
            "Rollbacks that rise with the error rate in Overview: transactions fail. Rollbacks alone: rejected requests, \
             such as orders without stock.",
        )
            .query(series(
                r#"sum(rate(pg_stat_database_xact_commit{datname="glasshouse"}[$__rate_interval]))"#,
                "committed",
            ))
            .query(series(
                r#"sum(rate(pg_stat_database_xact_rollback{datname="glasshouse"}[$__rate_interval]))"#,
                "rolled back",
            )))
        .panel(6, graph(
            Unit::Ratio,
            "Buffer cache hit ratio",
            "Persistently well below 99 %: the working set does not fit into shared_buffers, or a query scans whole tables.",
        )
            .query(series(
                r#"sum(rate(pg_stat_database_blks_hit{datname="glasshouse"}[$__rate_interval])) / (sum(rate(pg_stat_database_blks_hit{datname="glasshouse"}[$__rate_interval])) + sum(rate(pg_stat_database_blks_read{datname="glasshouse"}[$__rate_interval])))"#,
                "hit ratio",
            ))
            .max(1.0)
            .threshold(Threshold::Below(0.9)))
        .panel(6, graph(
            Unit::Bytes,
            "Database size",
            "Grows with the number of orders. A jump without more orders: rows are rewritten repeatedly, or vacuum does not \
             run.",
        )
            .query(series(r#"max(pg_database_size_bytes{datname="glasshouse"})"#, "size")))
}

/// The queries that take the most time of Postgres.
pub(super) fn postgres_queries() -> Row {
    const TOP: &str = r#"topk(10, sum by (queryid) (rate(pg_stat_statements_seconds_total{datname="glasshouse"}[$__rate_interval])))"#;
    let with_text = |values: &str| {
        Query::table(format!(
            "({values}) * on (queryid) group_left (query) max by (queryid, query) (pg_stat_statements_query_id)"
        ))
    };
    let calls =
        r#"sum by (queryid) (rate(pg_stat_statements_calls_total{datname="glasshouse"}[$__rate_interval]))"#;
    Row::new("Postgres: top queries", 9).panel(24, Panel::new(
        Visualization::Table,
        Unit::None,
        "Queries by database time",
        "Seconds that Postgres spent on each query, per second: 1 is a whole core. One query far above the others: see its plan \
         (runbook of SlowQueries). High calls and a low mean: it may run in a loop.",
    )
        .query(with_text(TOP))
        .query(with_text(&format!("({calls}) and on (queryid) {TOP}")))
        .query(with_text(&format!("{TOP} / on (queryid) ({calls} > 0)")))
        .merged_table(&["query"], "Value #A")
        .column_width("query", 900)
        .column("A", "Database time", Unit::PerSecond("s"))
        .column("B", "Calls", Unit::PerSecond("calls"))
        .column("C", "Mean", Unit::Seconds))
}

/// What waits in Postgres, and why.
pub(super) fn postgres_waits() -> Row {
    Row::new("Postgres: locks and transactions", 9)
        .panel(6, graph(
            Unit::Count,
            "Locks waited for",
            "Sessions that wait for a lock of another one; normally 0. See the runbook of SlowQueries for the session that blocks them.",
        )
            .query(series(r#"sum(pg_stat_activity_count{wait_event_type="Lock", state="active"}) or 0 * max(pg_up)"#, "waiting")))
        .panel(6, graph(
            Unit::Seconds,
            "Longest transaction",
            "The age of the oldest open transaction. The service ends its own within seconds: a longer one is a manual session or \
             a migration, and keeps vacuum from removing dead rows.",
        )
            .query(series(r#"max(pg_stat_activity_max_tx_duration{datname="glasshouse"})"#, "longest"))
            .threshold(Threshold::Above(60.0)))
        .panel(6, graph(
            Unit::PerMinute("deadlocks"),
            "Deadlocks",
            "Postgres ended one of two transactions that waited for each other. The service repeats it: see repeated transactions.",
        )
            .query(series(
                r#"sum(rate(pg_stat_database_deadlocks{datname="glasshouse"}[$__rate_interval])) * 60"#,
                "deadlocks",
            )))
        .panel(6, graph(
            Unit::PerMinute("transactions"),
            "Repeated transactions",
            "Transactions that the service ran again because Postgres rolled them back in favor of another one.",
        )
            .query(series("sum by (job) (rate(database_transactions_repeated_total[$__rate_interval])) * 60", "{{job}}")))
}

/// Redis.
pub(super) fn redis() -> Row {
    Row::new("Redis server", 9)
        .panel(8, graph(
            Unit::Bytes,
            "Redis memory usage and limit",
            "At the limit, Redis evicts the least recently used keys, and the hit ratio drops. Raise the limit, or shorten \
             the TTL of entries.",
        )
            .query(series("max(redis_memory_used_bytes)", "used"))
            .query(series("max(redis_memory_max_bytes) > 0", "limit"))
            .limit_series("limit"))
        .panel(8, graph(
            Unit::PerSecond("commands"),
            "Redis command rate",
            "More commands at the same request rate: another client, or a loop.",
        )
            .query(series("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands")))
        .panel(8, graph(
            Unit::PerSecond("keys"),
            "Expired and evicted keys",
            "Expired keys reached their TTL. Evicted keys were removed because memory is short.",
        )
            .query(series("sum(rate(redis_expired_keys_total[$__rate_interval]))", "expired"))
            .query(series("sum(rate(redis_evicted_keys_total[$__rate_interval]))", "evicted")))
}
