//! Postgres and Redis: client metrics of the service, and server metrics of their exporters.

use anyhow::Result;

use super::servers;
use super::shared::{circuit, graph, heatmap, instance, job, percentiles, spans_p95};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Unit, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "Postgres and Redis: connections, queries and cache of the service, then metrics of the servers.";
    Ok(Dashboard::new("glasshouse-database", "Database & cache", description)
        .variable(job())
        .variable(instance())
        .row(pool(alerts)?)
        .row(queries(alerts)?)
        .row(cache(alerts)?)
        .row(servers::postgres())
        .row(servers::postgres_waits())
        .row(servers::postgres_queries())
        .row(servers::redis()))
}

/// As the alert compares it, of the processes that have a pool.
pub(super) const POOL_UTILIZATION: &str =
    "avg_over_time(active_database_connections[2m]) / (database_connections_max > 0)";

fn pool(alerts: &Alerts) -> Result<Row> {
    let exhausted = alerts.named("DatabaseConnectionsExhausted")?;
    Ok(Row::new("Database connections", 9)
        .panel(8, graph(
            Unit::Ratio,
            "Database pool utilization",
            "The line is the alert threshold. The alert also requires waiting requests. Slow queries hold connections \
             longer, so check query latency first.",
        )
            .query(Query::range(POOL_UTILIZATION).legend("{{job}} {{instance}}"))
            .max(1.0)
            .alert(exhausted))
        .panel(8, graph(
            Unit::Seconds,
            "Connection acquire latency (p95)",
            "The wait for a connection. The line is the alert threshold. If it rises while the pool has \
             idle connections, Postgres is slow to accept or to check connections.",
        )
            .query(Query::range(alerts.value_of("DatabaseConnectionsExhausted", 1)?).legend("{{job}} {{instance}}"))
            .alert_on(exhausted, 1))
        .panel(8, graph(
            Unit::Count,
            "Database connections by state",
            "The sum of the pool limits of all processes must stay below `max_connections` of Postgres.",
        )
            .query(Query::range(
                r#"sum by (job, state) (database_connections)"#,
            ).legend("{{job}} {{state}}"))
            .query(Query::range(
                r#"min(database_connections_max > 0)"#,
            ).legend("lowest limit"))
            .limit_series("lowest limit")))
}

fn queries(alerts: &Alerts) -> Result<Row> {
    const BUCKETS: &str = r#"database_query_duration_seconds_bucket"#;
    let latency = graph(
        Unit::Seconds,
        "Query latency percentiles",
        "All percentiles rise: Postgres is overloaded or waits for locks. Only p99 rises: one query, see the log records \
         `slow_query` in Investigate. An exemplar leads to the trace of a transaction.",
    );
    let latency = percentiles(latency, BUCKETS)
        .query(spans_p95(r#"span_kind="SPAN_KIND_CLIENT", db_system_name="postgresql""#));
    Ok(Row::new("Queries", 9)
        .panel(7, latency)
        .panel(6, graph(
            Unit::PerMinute("queries"),
            "Slow queries",
            "Queries slower than GLASSHOUSE_SLOW_QUERY_MS. The log records `slow_query` have their SQL. Common causes: a \
             missing index, a lock, or a large tenant.",
        )
            .query(Query::range(
                alerts.value("SlowQueries")?,
            ).legend("{{job}}"))
            .alert(alerts.named("SlowQueries")?)
            .dashboard_link("Investigate", "glasshouse-investigate"))
        .panel(5, graph(
            Unit::PerSecond("queries"),
            "Query rate",
            "More queries at the same request rate: a new query in a loop, or a lower cache hit ratio.",
        )
            .query(Query::range(
                r#"sum by (job) (rate(database_query_duration_seconds_count[$__rate_interval]))"#,
            ).legend("{{job}}")))
        .panel(6, heatmap(
            "Query latency distribution",
            "A second band is a different kind of query: one without an index, or one that waits for a lock.",
            BUCKETS,
        )))
}

fn cache(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Cache and Redis", 9)
        .panel(5, graph(
            Unit::Ratio,
            "Cache hit ratio",
            "The line is the alert threshold. The alert also requires load: entries expire after 30 seconds, so a low \
             request rate has more misses.",
        )
            .query(Query::range(alerts.value("CacheHitRateLow")?).legend("{{cache}}"))
            .max(1.0)
            .alert(alerts.named("CacheHitRateLow")?))
        .panel(5, graph(
            Unit::Ratio,
            "Cache error ratio",
            "Failed lookups fall back to the database. Check that Redis is up and has free memory.",
        )
            .query(Query::range(alerts.value("CacheUnavailable")?).legend("{{cache}}"))
            .max(1.0)
            .alert(alerts.named("CacheUnavailable")?))
        .panel(5, Panel::new(
            Visualization::StackedArea,
            Unit::PerSecond("lookups"),
            "Cache lookups by result",
            "Misses rise after a deployment: the cache is cold, and recovers by itself. Misses stay high: the cache keys \
             have changed.",
        )
            .query(Query::range(
                r#"sum by (result) (rate(cache_requests_total[$__rate_interval]))"#,
            ).legend("{{result}}"))
            .series_color("hit", "green")
            .series_color("miss", "yellow")
            .series_color("error", "red"))
        .panel(5, circuit(
            "Redis circuit and local rate limits",
            "While its circuit is open, a process does without Redis: it queries the database for every user, and limits \
             requests with its share of the quotas. It tries Redis once a second.",
        )
            .query(Query::range("max by (job) (redis_circuit_open and on (job, instance) (redis_connections_max > 0))").legend("circuit of {{job}}"))
            .query(Query::range("max by (job) (rate_limiter_local and on (job, instance) (redis_connections_max > 0))").legend("limits of {{job}}"))
            .related_alert(alerts.named("CacheUnavailable")?))
        .panel(4, graph(
            Unit::Count,
            "Redis connections by state",
            "Active connections at the limit: lookups wait and time out as errors. Redis is slow, or the pool is too \
             small.",
        )
            .query(Query::range(
                r#"sum by (state) (redis_connections)"#,
            ).legend("{{state}}"))
            .query(Query::range(
                r#"min(redis_connections_max > 0)"#,
            ).legend("lowest limit"))
            .limit_series("lowest limit")))
}
