//! The USE method for each process: utilization, saturation, errors.

use anyhow::Result;

use super::servers;
use super::shared::{builds, instance, job};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Visualization};

/// The label matchers of the selected processes, in place of `SELECTED` in queries of series that every job has.
const SELECTED: &str = r#"job=~"$job", job=~"glasshouse-.+", instance=~"$instance""#;

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "Utilization, saturation and errors of each process, the collector and the host.";
    Ok(Dashboard::new("glasshouse-resources", "Resources", description)
        .variable(job())
        .variable(instance())
        .row(availability(alerts)?)
        .row(utilization(alerts)?)
        .row(saturation())
        .row(input_and_output())
        .row(errors(alerts)?)
        .row(servers::collector(alerts)?)
        .row(servers::host(alerts)?))
}

/// A graph with a series for each process.
fn graph(unit: Unit, title: &str, description: &str, query: &str) -> Panel {
    graph_by("{{job}} {{instance}}", unit, title, description, query)
}

/// A graph with a series for each value of the labels in `legend`.
fn graph_by(legend: &str, unit: Unit, title: &str, description: &str, query: &str) -> Panel {
    super::shared::graph(unit, title, description)
        .query(Query::range(query.replace("SELECTED", SELECTED)).legend(legend))
}

fn availability(alerts: &Alerts) -> Result<Row> {
    let status = |title, description, query: &str, legend| {
        Panel::new(Visualization::UpDown, Unit::Count, title, description)
            .query(Query::range(query.replace("SELECTED", SELECTED)).legend(legend))
    };
    Ok(Row::new("Availability", 5)
        .panel(8, status(
            "Instances up",
            "Whether Prometheus can scrape each process. Down: it has crashed, hangs, or cannot be reached.",
            "up{SELECTED}",
            "{{job}}",
        ).alert(alerts.named("InstanceDown")?))
        .panel(10, status(
            "Dependencies up",
            "Whether each process can reach its database and its Redis. Without the database, the process is not ready and \
             gets no traffic; without Redis, it serves without a cache. `worker` stands for its background jobs: it is down \
             when one of them makes no progress.",
            "dependency_up",
            "{{job}}: {{dependency}}",
        ).alert(alerts.named("NotReady")?))
        .panel(6, builds()))
}

fn utilization(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Utilization", 9)
        .panel(8, graph(
            Unit::Ratio,
            "CPU utilization",
            "CPU time / the cores that the process may use, by the limit of its container. Near 100 %, the latency of all requests \
             rises. See the CPU profile in Investigate, and add instances.",
            "rate(process_cpu_seconds_total[$__rate_interval]) / process_cpu_limit_cores",
        ).max(1.0).threshold(Threshold::Above(0.9)))
        .panel(8, graph(
            Unit::Bytes,
            "Memory usage and limit",
            "A process near its limit (dashed) will be killed. Take a heap profile before you restart it.",
            "process_resident_memory_bytes{SELECTED}",
        )
            .query(Query::range("process_memory_limit_bytes").legend("{{job}} limit"))
            .limit_series("limit"))
        .panel(8, graph(
            Unit::Ratio,
            "Memory utilization",
            "The line is the alert threshold. A steady rise is a leak; a step comes from load or a deployment.",
            "process_resident_memory_bytes / process_memory_limit_bytes",
        ).max(1.0).alert(alerts.named("MemoryHigh")?))
        .panel(8, graph_by(
            "{{job}} {{runtime}}",
            Unit::Ratio,
            "Runtime thread utilization",
            "At 100 %, all threads are busy and tasks wait. If the CPU is idle at the same time, a task blocks a thread.",
            "rate(runtime_busy_seconds_total[$__rate_interval]) / runtime_workers",
        ).max(1.0).threshold(Threshold::Above(0.8)))
        .panel(8, graph(
            Unit::Ratio,
            "Database pool utilization",
            "At 100 %, requests wait for a connection. See Database & cache.",
            "active_database_connections / (database_connections_max > 0)",
        ).max(1.0).alert(alerts.named("DatabaseConnectionsExhausted")?)
            .dashboard_link("Database & cache", "glasshouse-database"))
        .panel(8, graph(
            Unit::Count,
            "Open file descriptors and limit",
            "At its limit, a process can neither accept nor open connections. A steady rise is a connection leak.",
            "process_open_fds{SELECTED}",
        )
            .query(Query::range(format!("min(process_max_fds{{{SELECTED}}})")).legend("lowest limit"))
            .limit_series("lowest limit")
            .logarithmic()))
}

fn saturation() -> Row {
    Row::new("Saturation", 9)
        .panel(8, graph_by(
            "{{job}} {{runtime}}",
            Unit::Count,
            "Run-queue depth",
            "Runnable tasks that wait for a thread. Persistently above zero: there is too little CPU, or a task blocks a \
             thread. The CPU profile in Investigate shows where.",
            "runtime_queue_depth",
        ))
        .panel(8, graph(
            Unit::Count,
            "In-flight requests",
            "Rising at the same request rate: requests wait for a dependency. Requests above the concurrency limit are \
             rejected (LoadShedding).",
            "http_requests_in_flight",
        ))
        .panel(8, graph(
            Unit::Count,
            "Live tasks",
            "A steady rise without more load is a task leak: restart the process, and look for tasks that never finish.",
            "sum by (job, instance) (runtime_tasks)",
        ))
}

fn input_and_output() -> Row {
    let panel = |title, description, names: [(&str, &str); 2]| {
        let empty = super::shared::graph(Unit::BytesPerSecond, title, description);
        names.into_iter().fold(empty, |panel, (metric, legend)| {
            let query = format!("sum by (job, instance) (rate({metric}[$__rate_interval]))");
            panel.query(Query::range(query).legend(format!("{{{{job}}}} {{{{instance}}}} {legend}")))
        })
    };
    Row::new("Disk I/O and network", 8)
        .panel(12, panel(
            "Disk I/O by process",
            "Bytes read from and written to disks. The service keeps nothing on disk: a rise is a full page cache, swapping, or \
             a spilling profiler. The disks of the host are below.",
            [("process_disk_read_bytes_total", "read"), ("process_disk_written_bytes_total", "written")],
        ))
        .panel(12, panel(
            "Network by process",
            "Bytes received and sent in the network of the container. More bytes at the same request rate: larger responses or \
             results of queries. On one host without containers, the lines are those of the host.",
            [
                ("process_network_receive_bytes_total", "received"),
                ("process_network_transmit_bytes_total", "sent"),
            ],
        ))
}

fn errors(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Errors", 9)
        .panel(12, graph_by(
            "{{job}} {{signal}}",
            Unit::PerMinute("items"),
            "Dropped telemetry by signal",
            "Spans, log records, error events and profiles that were dropped, so other panels are incomplete. Requests are \
             not affected.",
            &alerts.value("TelemetryDropped")?,
        ).alert(alerts.named("TelemetryDropped")?))
        .panel(12, graph(
            Unit::Seconds,
            "Scrape duration",
            "Near the scrape interval of 15 s, samples are lost. It rises with the number of time series, or when a process \
             lacks CPU.",
            "scrape_duration_seconds{SELECTED}",
        )))
}
