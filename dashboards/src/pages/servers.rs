//! What the servers around the service say of themselves: rows for Resources and for Database & cache.
//!
//! Exporters tell it for the machine, Postgres and Redis; the collector tells it itself.

use super::shared::graph;
use crate::model::{Badness, Panel, Query, Row, Unit};

fn line(query: &str, legend: &str) -> Query {
    Query::over_time(query).legend(legend)
}

/// The machine that everything shares.
pub(super) fn machine() -> Row {
    Row::new("The machine", 8)
        .panel(8, graph(
            Unit::Share,
            "CPU of the machine",
            "Everything on the machine, k6 too. Full: what is measured then is the machine's limit, not the service's.",
        )
            .query(line(r#"1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))"#, "in use"))
            .query(line(r#"avg(rate(node_cpu_seconds_total{mode="iowait"}[$__rate_interval]))"#, "waiting for the disk"))
            .up_to(1.0)
            .bad(Badness::Above(0.9)))
        .panel(8, graph(
            Unit::Share,
            "Memory of the machine",
            "What programs use; caches that can be given back are left out. Nearly full: the kernel ends a process soon.",
        )
            .query(line("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "in use"))
            .up_to(1.0)
            .bad(Badness::Above(0.9)))
        .panel(8, graph(
            Unit::Share,
            "Fullest disk",
            "Postgres, Prometheus, Loki, Tempo and Pyroscope stop when it is full. Free what is not needed \
             (`docker system df`), or keep less.",
        )
            .query(line(
                r#"max(1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs"})"#,
                "in use",
            ))
            .up_to(1.0)
            .bad(Badness::Above(0.85)))
}

/// The way of telemetry through the collector.
pub(super) fn collector() -> Row {
    let signals = |query: &str| {
        [("spans", "spans"), ("log_records", "lines")]
            .map(|(signal, legend)| line(&query.replace("SIGNAL", signal), legend))
    };
    let panel = |unit, title: &str, description: &str, queries: [Query; 2]| {
        queries.into_iter().fold(graph(unit, title, description), Panel::query)
    };
    Row::new("The collector, which telemetry goes through", 8)
        .panel(8, panel(
            Unit::PerSecond,
            "Telemetry that arrives",
            "Nothing while there are requests: no process reaches the collector. See what the processes drop, above.",
            signals("sum(rate(otelcol_receiver_accepted_SIGNAL_total[$__rate_interval]))"),
        ))
        .panel(8, panel(
            Unit::PerSecond,
            "Telemetry that cannot be delivered",
            "Tempo or Loki refuses it, or is gone: look at its container. What is lost here will be missing in \
             Investigate.",
            signals("sum(rate(otelcol_exporter_send_failed_SIGNAL_total[$__rate_interval])) or vector(0)"),
        ).bad(Badness::Above(0.1)))
        .panel(8, graph(
            Unit::Share,
            "Queues of the collector",
            "How full each is. A rise means that a receiver is slower than what arrives; at 1 telemetry is refused.",
        )
            .query(line("otelcol_exporter_queue_size / otelcol_exporter_queue_capacity", "{{exporter}} {{data_type}}"))
            .up_to(1.0)
            .bad(Badness::Above(0.8)))
}

/// Postgres, as it sees itself.
pub(super) fn postgres() -> Row {
    Row::new("Postgres, as it sees itself", 9)
        .panel(6, graph(
            Unit::Count,
            "Sessions by state",
            "`idle in transaction` that stays: somebody holds locks and does nothing. All processes and people together must \
             stay below the limit.",
        )
            .query(line("sum by (state) (pg_stat_activity_count)", "{{state}}"))
            .query(line("max(pg_settings_max_connections)", "limit"))
            .limit("limit"))
        .panel(6, graph(
            Unit::PerSecond,
            "Transactions",
            "Rollbacks that rise with errors in Overview: transactions fail. Rollbacks alone: refused requests, such as an \
             order without stock.",
        )
            .query(line(r#"sum(rate(pg_stat_database_xact_commit{datname="glasshouse"}[$__rate_interval]))"#, "committed"))
            .query(line(r#"sum(rate(pg_stat_database_xact_rollback{datname="glasshouse"}[$__rate_interval]))"#, "rolled back")))
        .panel(6, graph(
            Unit::Share,
            "Blocks found in memory",
            "Well below 99 % for long: what is asked for does not fit into shared_buffers, or a statement reads whole \
             tables.",
        )
            .query(line(
                r#"sum(rate(pg_stat_database_blks_hit{datname="glasshouse"}[5m])) / (sum(rate(pg_stat_database_blks_hit{datname="glasshouse"}[5m])) + sum(rate(pg_stat_database_blks_read{datname="glasshouse"}[5m])))"#,
                "in memory",
            ))
            .up_to(1.0)
            .bad(Badness::Below(0.9)))
        .panel(6, graph(
            Unit::Bytes,
            "Size of the database",
            "It grows with orders. A jump without more orders: something is written again and again, or vacuum does not run.",
        )
            .query(line(r#"max(pg_database_size_bytes{datname="glasshouse"})"#, "size")))
}

/// Redis, as it sees itself.
pub(super) fn redis() -> Row {
    Row::new("Redis, as it sees itself", 9)
        .panel(8, graph(
            Unit::Bytes,
            "Memory of Redis",
            "At its limit the keys least recently used go: the hit rate falls. Give it more, or keep entries shorter.",
        )
            .query(line("max(redis_memory_used_bytes)", "in use"))
            .query(line("max(redis_memory_max_bytes)", "limit"))
            .limit("limit"))
        .panel(8, graph(
            Unit::PerSecond,
            "Commands",
            "More commands without more requests: a client outside of the service, or a loop.",
        )
            .query(line("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands")))
        .panel(8, graph(
            Unit::PerSecond,
            "Keys that went",
            "Expired ones lived their time. Evicted ones had to make room: memory is short.",
        )
            .query(line("sum(rate(redis_expired_keys_total[$__rate_interval]))", "expired"))
            .query(line("sum(rate(redis_evicted_keys_total[$__rate_interval]))", "evicted")))
}
