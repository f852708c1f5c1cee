//! A load test: client metrics of k6 beside the metrics of the service.

use anyhow::Result;

use super::shared::{graph, instance, job};
use crate::alerts::Alerts;
use crate::model::{Dashboard, Panel, Query, Row, Threshold, Unit, Variable, Visualization};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "Client metrics of k6 beside the metrics of the service, without the setup of the test. Empty unless k6 writes its metrics to \
                       Prometheus: `docker compose run --rm k6 run /scenarios/average-load.js`. The report of the last run is \
                       /public/load-tests/average-load.html.";
    Ok(Dashboard::new("glasshouse-load-test", "Load test (k6)", description)
        .variable(job().selected("glasshouse-api"))
        .variable(instance())
        .variable(Variable::multi(
            "testid",
            "Test run",
            "label_values(k6_http_reqs_total, testid)",
            &["testid"],
        ))
        .variable(Variable::multi(
            "scenario",
            "Scenario",
            "label_values(k6_http_reqs_total, scenario)",
            &["scenario"],
        ))
        .row(summary())
        .row(client_and_service(alerts)?)
        .row(journeys())
        .row(routes())
        .row(checks()))
}

fn summary() -> Row {
    let stat = |unit, title, description, query: &str| {
        Panel::new(Visualization::Stat, unit, title, description).query(Query::range(query))
    };
    Row::new("Test run", 4)
        .panel(4, stat(
            Unit::Count,
            "Virtual users",
            "Active VUs of k6. 0: no test runs, or k6 cannot write to Prometheus.",
            "sum(k6_vus)",
        ))
        .panel(4, stat(
            Unit::RequestsPerSecond,
            "Sent request rate",
            "Below the target rate of the scenario: the service is slow, or k6 has too few VUs or too little CPU.",
            "sum(rate(k6_http_reqs_total[$__rate_interval]))",
        ))
        .panel(4, stat(
            Unit::Ratio,
            "Unexpected response ratio",
            "Responses that the script did not expect / all responses. During a drill, many are intended.",
            r#"(sum(rate(k6_http_reqs_total{expected_response="false"}[$__rate_interval])) or vector(0)) / sum(rate(k6_http_reqs_total[$__rate_interval]))"#,
        ).threshold(Threshold::Above(0.01)))
        .panel(4, stat(
            Unit::Ratio,
            "Check success ratio",
            "Passed checks / all checks of responses. Below 1 in smoke or average-load: a defect. The output of k6 lists \
             the failed checks.",
            "avg(k6_checks_rate)",
        ).max(1.0).threshold(Threshold::Below(0.99)))
        .panel(4, stat(
            Unit::PerSecond("iterations"),
            "Dropped iterations",
            "Iterations of an arrival-rate scenario that could not start: k6 had no free VU, because the service was too slow. The load \
             was lower than planned.",
            "sum(rate(k6_dropped_iterations_total[$__rate_interval])) or vector(0)",
        ).states("green", &[(0.01, "orange")]))
        .panel(4, stat(
            Unit::Seconds,
            "p95 latency",
            "Of the last minute, measured by k6, so it includes the network. If it is high, compare it with the service below.",
            "histogram_quantile(0.95, sum(rate(k6_http_req_duration_seconds[$__rate_interval])))",
        ).states("green", &[(0.3, "orange"), (1.0, "red")]))
}

fn client_and_service(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("Client and service", 9)
        .panel(8, graph(
            Unit::RequestsPerSecond,
            "Request rate: client and service",
            "k6 above the service: requests wait, or do not arrive. The service above k6: there are other clients.",
        )
            .query(Query::range("sum(rate(k6_http_reqs_total[$__rate_interval]))").legend("sent by k6"))
            .query(Query::range(
                r#"sum(rate(http_requests_total{endpoint!~"/health/.*"}[$__rate_interval]))"#,
            ).legend("served by the API")))
        .panel(8, graph(
            Unit::Seconds,
            "p95 latency: client and service",
            "k6 far above the service: time is lost before the service starts its measurement, in connection setup or in \
             the accept queue.",
        )
            .query(Query::range("histogram_quantile(0.95, sum(rate(k6_http_req_duration_seconds[$__rate_interval])))").legend("k6"))
            .query(Query::range(alerts.value("HighResponseTime")?).legend("API"))
            .alert(alerts.named("HighResponseTime")?))
        .panel(8, graph(
            Unit::Ratio,
            "Error and rejection ratios",
            "Of all responses. Errors are 5xx and missing responses. 503 is apart: it is load shed, or a service that is not ready. Rate \
             limits (429) and load shedding protect the service. The header of each script says which of them it expects.",
        )
            .query(responses(r#"status=~"0|5..", status!="503""#).legend("errors"))
            .query(responses(r#"status="429""#).legend("rate limited"))
            .query(responses(r#"status="503""#).legend("unavailable"))
            .max(1.0)))
}

/// The ratio of responses with a status, of all.
fn responses(status: &str) -> Query {
    Query::range(format!(
        "(sum(rate(k6_http_reqs_total{{{status}}}[$__rate_interval])) or vector(0)) / sum(rate(k6_http_reqs_total[$__rate_interval]))"
    ))
}

fn journeys() -> Row {
    Row::new("User journeys", 8)
        .panel(
            12,
            graph(
                Unit::RequestsPerSecond,
                "Request rate by journey",
                "The mix of the load: browse, buy, look_up_orders and administer. One that stops while others continue: its first request fails.",
            )
            .query(
                Query::range(r#"sum by (journey) (rate(k6_http_reqs_total{journey!=""}[$__rate_interval]))"#)
                    .legend("{{journey}}"),
            ),
        )
        .panel(
            12,
            graph(
                Unit::Seconds,
                "p95 latency by journey",
                "Which customers wait: those who buy wait for the payment gateway too. The slowest route is below.",
            )
            .query(
                Query::range(
                    r#"histogram_quantile(0.95, sum by (journey) (rate(k6_http_req_duration_seconds{journey!=""}[$__rate_interval])))"#,
                )
                .legend("{{journey}}"),
            ),
        )
}

fn routes() -> Row {
    Row::new("Routes", 10)
        .panel(
            12,
            Panel::new(
                Visualization::Table,
                Unit::None,
                "Client latency by route",
                "Sorted by p95. Compare the slowest route with the same endpoint in Overview.",
            )
            .query(Query::table("sum by (method, name) (rate(k6_http_reqs_total[$__rate_interval]))"))
            .query(Query::table("histogram_quantile(0.95, sum by (method, name) (rate(k6_http_req_duration_seconds[$__rate_interval])))"))
            .query(Query::table("histogram_quantile(0.99, sum by (method, name) (rate(k6_http_req_duration_seconds[$__rate_interval])))"))
            .merged_table(&["method", "name"], "Value #B")
            .column_width("method", 90)
            .column_width("name", 240)
            .column("A", "Requests", Unit::RequestsPerSecond)
            .column("B", "p95", Unit::Seconds)
            .column("C", "p99", Unit::Seconds)
            .dashboard_link("Overview", "glasshouse-overview"),
        )
        .panel(
            6,
            Panel::new(
                Visualization::StackedArea,
                Unit::RequestsPerSecond,
                "Responses by status",
                "Status 0 is a missing response: the service is down, or the request timed out.",
            )
            .query(
                Query::range("sum by (status) (rate(k6_http_reqs_total[$__rate_interval]))")
                    .legend("{{status}}"),
            ),
        )
        .panel(
            6,
            graph(
                Unit::Count,
                "Virtual users over time",
                "VUs at the maximum while the request rate drops: the VUs wait for responses.",
            )
            .query(Query::range("sum(k6_vus)").legend("active"))
            .query(Query::range("sum(k6_vus_max)").legend("maximum"))
            .limit_series("maximum"),
        )
}

fn checks() -> Row {
    Row::new("Checks", 8).panel(24, Panel::new(
        Visualization::Table,
        Unit::None,
        "Failed checks",
        "Checks that failed in this run, and the ratio of their responses. Empty is fine. During a drill, the header of the script says \
         which ones fail.",
    )
        .query(Query::table("1 - min by (scenario, check) (k6_checks_rate) > 0"))
        .merged_table(&["scenario", "check"], "Value")
        .column_width("check", 400)
        .column("", "Failed", Unit::Ratio)
        .fault_only("high-error-rate")
        .no_value("All checks passed"))
}
