//! Signals for one trace id, request id or tenant id: trace, log records and profile.

use glasshouse_drill::grafana::data_source::LOG_RECORDS;

use crate::model::{Dashboard, Panel, Query, Row, Unit, Variable, Visualization};

pub(super) fn dashboard() -> Dashboard {
    let description = "Paste an id above. Every response has the headers `x-request-id` and `traceparent`; a log record has \
                       trace id, request id and tenant id.";
    Dashboard::new("glasshouse-investigate", "Investigate", description)
        .variable(Variable::text("trace_id", "Trace id", ""))
        .variable(Variable::text("request_id", "Request id", ""))
        .variable(Variable::text("tenant_id", "Tenant id", ""))
        .variable(Variable::single(
            "endpoint",
            "Endpoint",
            r#"label_values(http_requests_total{endpoint!~"/health/.*"}, endpoint)"#,
            "/v1/products",
        ))
        .row(errors())
        .row(trace())
        .row(request_and_tenant())
        .row(cpu())
}

fn logs(title: &str, description: &str, filter: &str) -> Panel {
    Panel::new(Visualization::Logs, Unit::None, title, description)
        .query(Query::logql(format!("{LOG_RECORDS} {filter}")))
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
                r#"sum by (service_name) (count_over_time({LOG_RECORDS} | detected_level=~"error|fatal" [$__auto]))"#
            )).legend("{{service_name}}"))
            .fault_only("high-error-rate"))
        .panel(9, logs(
            "Error records",
            "Log records of level ERROR. Expand one: `cause` has the error chain, and the trace id leads to the trace.",
            r#"| detected_level=~"error|fatal""#,
        ).fault_only("high-error-rate"))
        .panel(9, logs(
            "Slow query records",
            "Queries slower than GLASSHOUSE_SLOW_QUERY_MS, without their parameters. If one repeats, check its query plan.",
            r#"|= "slow_query" | line_format "{{.duration}} s  {{.query}}""#,
        ).fault_only("slow-queries"))
}

fn trace() -> Row {
    Row::new("Trace $trace_id", 14)
        .panel(12, Panel::new(
            Visualization::Traces,
            Unit::None,
            "Trace",
            "Look for the longest span and for the first failed (red) span. Empty: paste a trace id above. All failed and \
             slow traces are kept, and one in ten of the others.",
        )
            .query(Query::traceql("${trace_id}")))
        .panel(12, logs(
            "Log records of the trace",
            "The log records of all services for this trace. Empty: paste a trace id above.",
            r#"| trace_id="${trace_id}" | trace_id!="""#,
        ))
}

fn request_and_tenant() -> Row {
    Row::new("Request and tenant", 10)
        .panel(8, logs(
            "Log records of the request",
            "The log records with the request id that the caller received. Empty: paste a request id above. The records \
             have the trace id.",
            r#"| request_id="${request_id}" | request_id!="""#,
        ))
        .panel(8, logs(
            "Log records of the tenant",
            "All log records of one tenant. Empty: paste a tenant id above.",
            r#"| tenant_id="${tenant_id}" | tenant_id!="""#,
        ))
        .panel(8, Panel::new(
            Visualization::Table,
            Unit::None,
            "Slow and failed requests",
            "Traces of requests that failed or took longer than 300 ms. Open one to see its spans.",
        )
            .query(Query::traceql(
                r#"{ resource.service.name =~ "glasshouse.*" && kind = server && (status = error || duration > 300ms) }"#,
            ))
            .fault_only("high-response-time"))
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
            .query(Query::profile(r#"{service_name="glasshouse-api", endpoint="$endpoint"}"#)))
        .panel(10, Panel::new(
            Visualization::NodeGraph,
            Unit::None,
            "Service graph",
            "Calls between services, derived from spans. Red is the error ratio: follow it downstream to the failing \
             service.",
        )
            .query(Query::service_map()))
}
