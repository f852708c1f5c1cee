//! Each container of the stack: CPU, memory, throttling and restarts, as cAdvisor measures them.

use super::shared::graph;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Variable, Visualization};

pub(super) fn dashboard() -> Dashboard {
    let description = "CPU, memory, throttling and restarts of each container. Empty unless cAdvisor runs: \
                       `docker compose --profile containers up`.";
    Dashboard::new("glasshouse-containers", "Containers", description)
        .variable(Variable::multi(
            "service",
            "Service",
            "label_values(container_start_time_seconds, service)",
            &["service"],
        ))
        .row(summary())
        .row(cpu())
        .row(memory())
        .row(restarts())
}

fn summary() -> Row {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Visualization::Stat, unit, title, description).query(Query::range(query))
    };
    Row::new("Containers", 4)
        .panel(6, stat(
            Unit::Count,
            "Containers running",
            "Long-running containers. Fewer than usual: one has exited; `docker compose ps --all` shows its exit code.",
            "count(container_start_time_seconds)",
        ))
        .panel(6, stat(
            Unit::Count,
            "Restarts",
            "Restarts in the selected time range. Any without a deployment: see the table below, and the end of the container's log.",
            "sum(changes(container_start_time_seconds[$__range])) or vector(0)",
        ).states("green", &[(1.0, "orange")]))
        .panel(6, stat(
            Unit::Ratio,
            "Highest memory utilization",
            "Of the container that is nearest to its memory limit. At 100 %, the kernel kills its process.",
            "max(container_memory_working_set_bytes / (container_spec_memory_limit_bytes > 0))",
        ).max(1.0).threshold(Threshold::Above(0.9)))
        .panel(6, stat(
            Unit::Ratio,
            "Highest throttled ratio",
            "Of the container that is throttled most. Above zero: it wants more CPU than its limit allows, and its latency rises.",
            "max(rate(container_cpu_cfs_throttled_periods_total[$__rate_interval]) / rate(container_cpu_cfs_periods_total[$__rate_interval]))",
        ).max(1.0).threshold(Threshold::Above(0.25)).no_value("No CPU limits"))
}

fn cpu() -> Row {
    Row::new("CPU", 11)
        .panel(12, graph(
            Unit::Count,
            "CPU usage in cores",
            "The container at the top uses the CPU that the others may lack. Of a process of the service, the CPU profile in Investigate \
             shows what it computes.",
        )
            .query(Query::range("sum by (name) (rate(container_cpu_usage_seconds_total[$__rate_interval]))").legend("{{name}}")))
        .panel(12, graph(
            Unit::Ratio,
            "CPU throttled ratio",
            "Scheduler periods in which the container was stopped because it had used up its CPU limit / all periods. Raise the limit, \
             or add instances. Containers without a CPU limit, as most of docker-compose.yml, are never throttled.",
        )
            .query(Query::range(
                "sum by (name) (rate(container_cpu_cfs_throttled_periods_total[$__rate_interval])) / sum by (name) (rate(container_cpu_cfs_periods_total[$__rate_interval]))",
            ).legend("{{name}}"))
            .max(1.0)
            .threshold(Threshold::Above(0.25))
            .no_value("No CPU limits"))
}

fn memory() -> Row {
    Row::new("Memory", 11)
        .panel(12, graph(
            Unit::Bytes,
            "Memory usage",
            "The working set: what the kernel cannot reclaim. A steady rise without more load is a leak; see the heap profile of a process \
             of the service.",
        )
            .query(Query::range("sum by (name) (container_memory_working_set_bytes)").legend("{{name}}")))
        .panel(12, graph(
            Unit::Ratio,
            "Memory usage by limit",
            "Working set / memory limit of the container. At 100 %, the kernel kills its process, and the container restarts. Raise \
             mem_limit, or find out what grew.",
        )
            .query(Query::range(
                "sum by (name) (container_memory_working_set_bytes) / sum by (name) (container_spec_memory_limit_bytes > 0)",
            ).legend("{{name}}"))
            .max(1.0)
            .threshold(Threshold::Above(0.9)))
}

fn restarts() -> Row {
    Row::new("Restarts", 18).panel(
        24,
        Panel::new(
            Visualization::Table,
            Unit::None,
            "Restarts and uptime",
            "Restarts in the selected time range, and the time since the last start. A container that restarts again and again: \
             `docker compose logs --tail 50` and its name show why; a memory utilization of 100 % before it means that it was killed.",
        )
        .query(Query::table("max by (service, name) (changes(container_start_time_seconds[$__range]))"))
        .query(Query::table("time() - max by (service, name) (container_start_time_seconds)"))
        .merged_table(&["service", "name"], "Value #A")
        .column("A", "Restarts", Unit::Count)
        .column("B", "Uptime", Unit::Seconds)
        .column_states("A", "green", &[(1.0, "orange")]),
    )
}
