//! From one id to everything: its trace, its log lines, its profile.

use glasshouse_drill::grafana::data_source::LINES;

use crate::model::{Dashboard, Kind, Panel, Query, Row, Unit, Variable};

pub(super) fn dashboard() -> Dashboard {
    let description = "Type or paste one id. Every answer has `x-request-id` and `traceparent`; a line in the log has all three.";
    Dashboard::new("glasshouse-investigate", "Investigate", description)
        .variable(Variable::typed("trace_id", "Trace id", ""))
        .variable(Variable::typed("request_id", "Request id", ""))
        .variable(Variable::typed("tenant_id", "Tenant id", ""))
        .variable(Variable::one_of(
            "endpoint",
            "Endpoint",
            r#"label_values(http_requests_total{endpoint!~"/health/.*"}, endpoint)"#,
            "/v1/products",
        ))
        .row(overview())
        .row(one_trace())
        .row(others())
        .row(cpu())
}

fn logs(title: &str, description: &str, filter: &str) -> Panel {
    Panel::new(Kind::Logs, Unit::None, title, description).query(Query::logql(format!("{LINES} {filter}")))
}

fn overview() -> Row {
    Row::new("What is wrong at all?", 9)
        .panel(6, Panel::new(
            Kind::Stacked,
            Unit::Count,
            "Error lines",
            "By service, in each interval. A step is when it began: compare it with the marks of deployments. \
             `make drill NAME=high-error-rate` fills it.",
        )
            .query(Query::logql(format!(
                r#"sum by (service_name) (count_over_time({LINES} | detected_level=~"error|fatal" [$__auto]))"#
            )).legend("{{service_name}}")))
        .panel(9, logs(
            "Errors",
            "What failed. Open a line: `cause` says why, and its trace id leads to the trace. `make drill \
             NAME=high-error-rate` fills it.",
            r#"| detected_level=~"error|fatal""#,
        ))
        .panel(9, logs(
            "Slow statements",
            "Statements slower than GLASSHOUSE_SLOW_QUERY_MS, without their values. The same one again and again: look at its plan. \
             `make drill NAME=slow-queries` fills it.",
            r#"|= "slow_query" | line_format "{{.duration}} s  {{.query}}""#,
        ))
}

fn one_trace() -> Row {
    Row::new("One trace: $trace_id", 14)
        .panel(12, Panel::new(
            Kind::Traces,
            Unit::None,
            "The trace",
            "Which span is long, and which is red first? That part is the cause. Empty: paste a trace id above; one in ten of \
             the quick and good traces is kept, and all others.",
        )
            .query(Query::traceql("${trace_id}")))
        .panel(12, logs(
            "Log lines of the trace",
            "What all services said of it, in any order of clocks. Empty: paste a trace id above.",
            r#"| trace_id="${trace_id}" | trace_id!="""#,
        ))
}

fn others() -> Row {
    Row::new("One request, one tenant", 10)
        .panel(8, logs(
            "Log lines of the request",
            "The id that the caller saw. Empty: paste a request id above. Its lines have the trace id.",
            r#"| request_id="${request_id}" | request_id!="""#,
        ))
        .panel(8, logs(
            "Log lines of the tenant",
            "Everything that happened for one tenant. Empty: paste a tenant id above.",
            r#"| tenant_id="${tenant_id}" | tenant_id!="""#,
        ))
        .panel(8, Panel::new(
            Kind::Table,
            Unit::None,
            "Slow or failed requests",
            "Traces of requests that failed or took longer than 300 ms. Open one. `make drill NAME=high-response-time` fills \
             it.",
        )
            .query(Query::traceql(
                r#"{ resource.service.name =~ "glasshouse.*" && kind = server && (status = error || duration > 300ms) }"#,
            )))
}

fn cpu() -> Row {
    Row::new("Where the time goes", 12)
        .panel(14, Panel::new(
            Kind::FlameGraph,
            Unit::None,
            "CPU time of the endpoint",
            "The wider, the more time. Compare a good hour with a bad one; a function that is new and wide is the cause.",
        )
            .query(Query::profile(r#"{service_name="glasshouse-api", endpoint="$endpoint"}"#)))
        .panel(10, Panel::new(
            Kind::NodeGraph,
            Unit::None,
            "Who calls whom",
            "From spans. Red is the share of calls that fail: follow it to its end.",
        )
            .query(Query::service_map()))
}
