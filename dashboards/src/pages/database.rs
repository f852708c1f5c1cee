//! Postgres and Redis, as the service sees them and as they see themselves.

use anyhow::Result;

use super::servers;
use super::shared::{graph, heatmap, instance, percentile, percentiles, spans_p95};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Kind, Panel, Query, Row, Unit};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "Postgres and Redis, as the service sees them and as they see themselves.";
    Ok(Dashboard::new("glasshouse-database", "Database & cache", description)
        .variable(instance())
        .row(pool(alerts)?)
        .row(statements(alerts)?)
        .row(cache(alerts)?)
        .row(servers::postgres())
        .row(servers::redis()))
}

fn pool(alerts: &Alerts) -> Result<Row> {
    let exhausted = alerts.named("DatabaseConnectionsExhausted")?;
    Ok(Row::new("Connections to the database", 9)
        .panel(8, graph(
            Unit::Share,
            "Pool in use",
            "The line is the alert's, which also wants that somebody waits. Slow statements hold connections longer: look \
             there first.",
        )
            .query(Query::over_time(
                r#"avg_over_time(active_database_connections{instance=~"$instance"}[2m]) / (database_connections_max{instance=~"$instance"} > 0)"#,
            ).legend("{{job}} {{instance}}"))
            .up_to(1.0)
            .alert(exhausted))
        .panel(8, graph(
            Unit::Seconds,
            "Wait for a connection (p95)",
            "With the transaction's BEGIN. The line is the alert's. If it rises and the pool is not full, Postgres itself is \
             slow to answer.",
        )
            .query(Query::over_time(percentile(
                "0.95",
                r#"database_acquire_wait_seconds_bucket{instance=~"$instance"}"#,
                ", job, instance",
            )).legend("{{job}} {{instance}}"))
            .alert_on(exhausted, 1))
        .panel(8, graph(
            Unit::Count,
            "Connections by state",
            "Active ones work, idle ones are kept. The sum of the limits of all processes must be below Postgres' own \
             `max_connections`.",
        )
            .query(Query::over_time(
                r#"sum by (job, state) (database_connections{instance=~"$instance"})"#,
            ).legend("{{job}} {{state}}"))
            .query(Query::over_time(
                r#"min(database_connections_max{instance=~"$instance"} > 0)"#,
            ).legend("lowest limit"))
            .limit("lowest limit")))
}

fn statements(alerts: &Alerts) -> Result<Row> {
    const BUCKETS: &str = r#"database_query_duration_seconds_bucket{instance=~"$instance"}"#;
    let times = graph(
        Unit::Seconds,
        "Times of statements",
        "All of them rise: Postgres is busy, or locks. p99 alone: one statement, see the lines `slow_query` in Investigate. A \
         dot is a transaction: open its trace.",
    );
    let times = percentiles(times, BUCKETS)
        .query(spans_p95(r#"span_kind="SPAN_KIND_CLIENT", db_system_name="postgresql""#));
    Ok(Row::new("Statements", 9)
        .panel(7, times)
        .panel(6, graph(
            Unit::PerMinute,
            "Slow statements",
            "Slower than GLASSHOUSE_SLOW_QUERY_MS. Their text is in the lines `slow_query`: a missing index, a lock or a \
             large tenant.",
        )
            .query(Query::over_time(
                r#"sum by (job) (rate(database_slow_queries_total{instance=~"$instance"}[2m])) * 60"#,
            ).legend("{{job}}"))
            .alert(alerts.named("SlowQueries")?)
            .leads_to("Investigate", "glasshouse-investigate"))
        .panel(5, Panel::new(
            Kind::TimeSeries,
            Unit::PerSecond,
            "Statements",
            "More statements without more requests: a new query in a loop, or a cache that does not hit.",
        )
            .query(Query::over_time(
                r#"sum by (job) (rate(database_query_duration_seconds_count{instance=~"$instance"}[$__rate_interval]))"#,
            ).legend("{{job}}")))
        .panel(6, heatmap(
            "Times of all statements",
            "A second band is another kind of statement: one without an index, or one that waits for a lock.",
            BUCKETS,
        )))
}

fn cache(alerts: &Alerts) -> Result<Row> {
    let look_ups = |result: &str| {
        format!(
            r#"sum by (job, cache) (rate(cache_requests_total{{instance=~"$instance", result=~"{result}"}}[2m]))"#
        )
    };
    Ok(Row::new("Cache", 9)
        .panel(6, graph(
            Unit::Share,
            "Hit rate",
            "The line is the alert's, which wants load as well: entries live for 30 seconds, so few requests miss more.",
        )
            .query(Query::over_time(format!("1 - {} / {}", look_ups("miss"), look_ups("hit|miss"))).legend("{{cache}}"))
            .up_to(1.0)
            .alert(alerts.named("CacheHitRateLow")?))
        .panel(6, graph(
            Unit::Share,
            "Look-ups that fail",
            "Redis is gone or too slow; the database answers instead. Is Redis there, and does it have memory?",
        )
            .query(Query::over_time(format!("{} / {}", look_ups("error"), look_ups(".+"))).legend("{{cache}}"))
            .up_to(1.0)
            .alert(alerts.named("CacheUnavailable")?))
        .panel(6, Panel::new(
            Kind::Stacked,
            Unit::PerSecond,
            "Look-ups by result",
            "Misses that rise alone after a deployment are a cold cache: it passes. Misses that stay are keys that \
             changed.",
        )
            .query(Query::over_time(
                r#"sum by (result) (rate(cache_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            ).legend("{{result}}"))
            .color("hit", "green")
            .color("miss", "yellow")
            .color("error", "red"))
        .panel(6, graph(
            Unit::Count,
            "Connections to Redis",
            "Active ones at the limit: look-ups wait, and then count as errors. Redis is slow, or the pool too small.",
        )
            .query(Query::over_time(
                r#"sum by (state) (redis_connections{instance=~"$instance"})"#,
            ).legend("{{state}}"))
            .query(Query::over_time(
                r#"min(redis_connections_max{instance=~"$instance"} > 0)"#,
            ).legend("lowest limit"))
            .limit("lowest limit")))
}
