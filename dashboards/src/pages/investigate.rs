//! The signals of one trace, request, tenant or endpoint: log records, trace and profile.

use super::shared::{endpoint, job, tenant};
use crate::model::{Dashboard, Panel, Query, Row, Unit, Variable, Visualization};

/// The log records of the selected services.
const RECORDS: &str = r#"{service_name=~"$job"}"#;

pub(super) fn dashboard() -> Dashboard {
    let description = "Select a service, a tenant or an endpoint, or click a trace: its id is taken along. An id can also be \
                       pasted. Every response has the headers `x-request-id` and `traceparent`.";
    Dashboard::new("glasshouse-investigate", "Investigate", description)
        .variable(job())
        .variable(tenant())
        .variable(endpoint())
        .variable(Variable::text("trace_id", "Trace id", ""))
        .variable(Variable::text("request_id", "Request id", ""))
        .row(errors())
        .row(requests())
        .row(trace())
        .row(cpu())
}

fn logs(title: &str, description: &str, filter: &str) -> Panel {
    Panel::new(Visualization::Logs, Unit::None, title, description)
        .query(Query::logql(format!("{RECORDS} {filter}")))
}

fn errors() -> Row {
    Row::new("Errors and slow queries", 9)
        .panel(6, Panel::new(
            Visualization::StackedArea,
            Unit::Count,
            "Error records by service",
            "Log records of level ERROR in each interval. Compare the time of a step with the deployment annotations.",
        )
            .query(Query::logql(format!(
                r#"sum by (service_name) (count_over_time({RECORDS} | detected_level=~"error|fatal" | tenant_id=~"$tenant" [$__auto]))"#
            )).legend("{{service_name}}"))
            .fault_only("high-error-rate"))
        .panel(9, logs(
            "Error records",
            "Log records of level ERROR. Expand one: `cause` has the error chain, and the trace id leads to the trace.",
            r#"| detected_level=~"error|fatal" | tenant_id=~"$tenant""#,
        ).fault_only("high-error-rate"))
        .panel(9, logs(
            "Slow query records",
            "Queries slower than GLASSHOUSE_SLOW_QUERY_MS, without their parameters. If one repeats, check its query plan.",
            r#"|= "slow_query" | tenant_id=~"$tenant" | line_format "{{.duration}} s  {{.query}}""#,
        ).fault_only("slow-queries"))
}

fn requests() -> Row {
    Row::new("Requests", 10)
        .panel(12, Panel::new(
            Visualization::Table,
            Unit::None,
            "Slow and failed requests",
            "Traces of requests to the endpoint that failed or took longer than 300 ms. Click one: the rows below show it.",
        )
            .query(Query::traceql(
                r#"{ resource.service.name =~ "$job" && span.http.route =~ "$endpoint" && kind = server && (status = error || duration > 300ms) }"#,
            ))
            .fault_only("high-response-time")
            .drill_down("Show this trace below", "glasshouse-investigate", &[("trace_id", "traceID")]))
        .panel(12, logs(
            "Log records of the tenant",
            "All log records of the selected tenants. Expand one: its trace id leads to the trace.",
            r#"| tenant_id=~"$tenant" | tenant_id!="""#,
        ))
}

fn trace() -> Row {
    Row::new("Trace $trace_id and request $request_id", 14)
        .panel(10, Panel::new(
            Visualization::Traces,
            Unit::None,
            "Trace",
            "Look for the longest span and for the first failed (red) span. Empty: click a request above, or paste a trace id. All \
             failed and slow traces are kept, and one in ten of the others.",
        )
            .query(Query::traceql("${trace_id}")))
        .panel(7, logs(
            "Log records of the trace",
            "The log records of all services for this trace. Empty: click a request above, or paste a trace id.",
            r#"| trace_id="${trace_id}" | trace_id!="""#,
        ))
        .panel(7, logs(
            "Log records of the request",
            "The log records with the request id that the caller received. Empty: paste a request id above. The records \
             have the trace id.",
            r#"| request_id="${request_id}" | request_id!="""#,
        ))
}

fn cpu() -> Row {
    Row::new("CPU time and service graph", 12)
        .panel(14, Panel::new(
            Visualization::FlameGraph,
            Unit::None,
            "CPU profile of the endpoint",
            "Width is CPU time. Compare a time range with the problem to one without it: a function that became wider is \
             the cause.",
        )
            .query(Query::profile(r#"{service_name=~"$job", endpoint=~"$endpoint"}"#)))
        .panel(10, Panel::new(
            Visualization::NodeGraph,
            Unit::None,
            "Service graph",
            "Calls between services, derived from spans. Red is the error ratio: follow it downstream to the failing \
             service.",
        )
            .query(Query::service_map()))
}
