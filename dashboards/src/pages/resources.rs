//! What the processes use of what they have: utilisation, saturation, errors.

use anyhow::Result;

use super::servers;
use super::shared::instance;
use crate::alerts::Alerts;
use crate::model::{Badness, Dashboard, Kind, Panel, Query, Row, Unit};

/// Our processes, as chosen.
const CHOSEN: &str = r#"job=~"glasshouse-.+", instance=~"$instance""#;

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description =
        "What each process uses (utilisation), what waits (saturation) and what is lost (errors).";
    Ok(Dashboard::new("glasshouse-resources", "Resources", description)
        .variable(instance())
        .row(there(alerts)?)
        .row(utilisation(alerts)?)
        .row(saturation())
        .row(errors(alerts)?)
        .row(servers::collector())
        .row(servers::machine()))
}

/// A graph with a line for each process.
fn graph(unit: Unit, title: &str, description: &str, query: &str) -> Panel {
    graph_by("{{job}} {{instance}}", unit, title, description, query)
}

/// A graph with a line for each of something else.
fn graph_by(legend: &str, unit: Unit, title: &str, description: &str, query: &str) -> Panel {
    Panel::new(Kind::TimeSeries, unit, title, description)
        .query(Query::over_time(query.replace("CHOSEN", CHOSEN)).legend(legend))
}

fn there(alerts: &Alerts) -> Result<Row> {
    let stat = |title, description, query: &str, legend| {
        Panel::new(Kind::Presence, Unit::Count, title, description)
            .query(Query::over_time(query.replace("CHOSEN", CHOSEN)).legend(legend))
    };
    Ok(Row::new("Are all parts there?", 5)
        .panel(8, stat(
            "Processes that answer",
            "1 if Prometheus can scrape it. 0: it has crashed, hangs, or cannot be reached.",
            "up{CHOSEN}",
            "{{job}}",
        ).alert(alerts.named("InstanceDown")?))
        .panel(10, stat(
            "Dependencies that answer",
            "1 if the process reaches its database, or its Redis. 0: it is not ready, and gets no traffic.",
            "dependency_up{CHOSEN}",
            "{{job}}: {{dependency}}",
        ).alert(alerts.named("NotReady")?))
        .panel(6, Panel::new(
            Kind::Table,
            Unit::None,
            "Builds",
            "Which build each service is. More than one of a service: a release is under way, or did not finish.",
        )
            .query(Query::table(format!("count by (job, version, commit) (build_info{{{CHOSEN}}})")))
            .one_table(&["job", "version", "commit"], "job")
            .column("", "Processes", Unit::Count)))
}

fn utilisation(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Utilisation: how much of it is used", 9)
        .panel(8, graph(
            Unit::Count,
            "CPU: cores in use",
            "All cores of the machine in use for long: requests become slow together. Look in Investigate what it is spent on \
             (profile), and add processes.",
            "rate(process_cpu_seconds_total{CHOSEN}[$__rate_interval])",
        ))
        .panel(8, graph(
            Unit::Bytes,
            "Memory, and its limit",
            "What comes near its own limit is killed. Take a heap profile before you restart it; the limits are drawn \
             dashed.",
            "process_resident_memory_bytes{CHOSEN}",
        )
            .query(Query::over_time(format!("process_memory_limit_bytes{{{CHOSEN}}}")).legend("{{job}} limit"))
            .limit("limit"))
        .panel(8, graph(
            Unit::Share,
            "Memory: share of the limit",
            "The alert compares this. A straight rise is a leak; a step comes from load or from a release.",
            "process_resident_memory_bytes{CHOSEN} / process_memory_limit_bytes{CHOSEN}",
        ).up_to(1.0).alert(alerts.named("MemoryHigh")?))
        .panel(8, graph_by(
            "{{job}} {{runtime}}",
            Unit::Share,
            "Threads of the runtimes that are busy",
            "At 1 every thread works all the time, and tasks wait. Something blocks if the CPU is idle meanwhile.",
            "rate(runtime_busy_seconds_total{CHOSEN}[$__rate_interval]) / runtime_workers{CHOSEN}",
        ).up_to(1.0).bad(Badness::Above(0.8)))
        .panel(8, graph(
            Unit::Share,
            "Database pool in use",
            "Full means that requests wait. See Database & cache.",
            "active_database_connections{CHOSEN} / (database_connections_max{CHOSEN} > 0)",
        ).up_to(1.0).alert(alerts.named("DatabaseConnectionsExhausted")?)
            .leads_to("Database & cache", "glasshouse-database"))
        .panel(8, graph(
            Unit::Count,
            "Open files and connections, and their limit",
            "At its limit a process accepts no connection and opens none. A steady rise is a leak of connections.",
            "process_open_fds{CHOSEN}",
        )
            .query(Query::over_time(format!("min(process_max_fds{{{CHOSEN}}})")).legend("lowest limit"))
            .limit("lowest limit")
            .logarithmic()))
}

fn saturation() -> Row {
    Row::new("Saturation: what waits", 9)
        .panel(8, graph_by(
            "{{job}} {{runtime}}",
            Unit::Count,
            "Tasks that wait for a thread",
            "Ready to run, and no thread is free. More than a few for long: the CPU is too small, or something blocks a \
             thread. The profile in Investigate tells what.",
            "runtime_queue_depth{CHOSEN}",
        ))
        .panel(8, graph(
            Unit::Count,
            "Requests being served",
            "A rise without more traffic: requests wait for something. At the limit the others are refused \
             (LoadShedding).",
            "http_requests_in_flight{CHOSEN}",
        ))
        .panel(8, graph(
            Unit::Count,
            "Tasks that are not finished",
            "A steady rise that load does not explain is a leak of tasks: restart the process, and look for what never ends.",
            "sum by (job, instance) (runtime_tasks{CHOSEN})",
        ))
}

fn errors(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Errors: what is lost", 9)
        .panel(12, graph_by(
            "{{job}} {{signal}}",
            Unit::PerMinute,
            "Telemetry that was dropped",
            "Spans, lines, reports or profiles that nobody will see: what you look at is not all there was. Requests \
             are not affected.",
            "sum by (job, signal) (rate(telemetry_dropped_total{CHOSEN}[5m])) * 60",
        ).alert(alerts.named("TelemetryDropped")?))
        .panel(12, graph(
            Unit::Seconds,
            "Time of a scrape",
            "Near the interval of 15 s samples get lost. It rises with the number of series, or when a process is \
             starved.",
            "scrape_duration_seconds{CHOSEN}",
        )))
}
