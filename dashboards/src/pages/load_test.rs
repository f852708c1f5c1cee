//! What k6 measured, beside what the service says of itself.

use anyhow::Result;

use crate::alerts::Alerts;
use crate::model::{Badness, Dashboard, Kind, Panel, Query, Row, Unit, Variable};

pub(super) fn dashboard(alerts: &Alerts) -> Result<Dashboard> {
    let description = "What k6 measured from outside, beside what the service says. Empty unless k6 runs with its \
                       metrics written to Prometheus: `docker compose run --rm k6 run /scenarios/average-load.js`.";
    Ok(Dashboard::new("glasshouse-load-test", "Load test (k6)", description)
        .variable(Variable::some_of("scenario", "Scenario", "label_values(k6_http_reqs_total, scenario)"))
        .row(numbers())
        .row(times(alerts)?)
        .row(routes()))
}

/// Requests of the scenarios, as chosen.
const CHOSEN: &str = r#"scenario=~"$scenario""#;

fn numbers() -> Row {
    let stat = |unit, title, description, query: String| {
        Panel::new(Kind::Stat, unit, title, description).query(Query::over_time(query))
    };
    Row::new("The run", 4)
        .panel(4, stat(
            Unit::Count,
            "Customers",
            "Virtual users at work. 0: no test runs, or k6 does not reach Prometheus.",
            "sum(k6_vus)".to_owned(),
        ))
        .panel(5, stat(
            Unit::RequestsPerSecond,
            "Requests sent",
            "Below what the scenario promises: the service is slow, or k6 is short of customers or of CPU.",
            format!("sum(rate(k6_http_reqs_total{{{CHOSEN}}}[$__rate_interval]))"),
        ))
        .panel(5, stat(
            Unit::Share,
            "Requests that were not as expected",
            "k6's word: any answer that the script did not expect. Many during a drill are wanted.",
            format!(
                r#"(sum(rate(k6_http_reqs_total{{{CHOSEN}, expected_response="false"}}[$__rate_interval])) or vector(0)) / sum(rate(k6_http_reqs_total{{{CHOSEN}}}[$__rate_interval]))"#
            ),
        ).bad(Badness::Above(0.01)))
        .panel(5, stat(
            Unit::Share,
            "Checks that passed",
            "What the scripts check of answers. Below 1 in smoke or average-load: a defect. See k6's own output for which.",
            "avg(k6_checks_rate)".to_owned(),
        ).up_to(1.0).bad(Badness::Below(0.99)))
        .panel(5, stat(
            Unit::Seconds,
            "p95, the slowest route",
            "As customers feel it, with the way through the network.",
            format!("max(k6_http_req_duration_p95{{{CHOSEN}}})"),
        ))
}

fn times(alerts: &Alerts) -> Result<Row> {
    Ok(Row::new("From outside and from inside", 9)
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::RequestsPerSecond,
            "Requests: sent and answered",
            "Sent but not answered: they wait, or do not arrive. Answered but not sent: somebody else is there.",
        )
            .query(Query::over_time("sum(rate(k6_http_reqs_total[$__rate_interval]))").legend("sent by k6"))
            .query(Query::over_time(r#"job:http_requests:rate2m{job="glasshouse-api"}"#).legend("answered by the API")))
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::Seconds,
            "p95: of k6 and of the service",
            "k6 far above the service: time is lost before the service begins to count, in connections or in a full accept \
             queue. k6's line is its slowest route.",
        )
            .query(Query::over_time(format!("max(k6_http_req_duration_p95{{{CHOSEN}}})")).legend("k6, slowest route"))
            .query(Query::over_time(
                r#"job:http_request_duration_seconds:p95_rate2m{job="glasshouse-api"}"#,
            ).legend("the API"))
            .alert(alerts.named("HighResponseTime")?))
        .panel(8, Panel::new(
            Kind::TimeSeries,
            Unit::Share,
            "What went wrong",
            "Errors are 5xx and no answer at all; refusals protect the service. Which of them a scenario wants is at its top.",
        )
            .query(Query::over_time(format!("avg(k6_server_errors_rate{{{CHOSEN}}})")).legend("errors"))
            .query(Query::over_time(format!("avg(k6_rate_limited_rate{{{CHOSEN}}})")).legend("refused by a rate limit"))
            .query(Query::over_time(format!("avg(k6_shed_rate{{{CHOSEN}}})")).legend("refused by load shedding"))
            .up_to(1.0)))
}

fn routes() -> Row {
    let by_route = |expression: String| Query::table(expression);
    Row::new("Routes", 10)
        .panel(12, Panel::new(
            Kind::Table,
            Unit::None,
            "Routes, as customers feel them",
            "The slowest first. Look it up in Overview for what the service says of the same endpoint.",
        )
            .query(by_route(format!(
                "sum by (method, name) (rate(k6_http_reqs_total{{{CHOSEN}}}[$__rate_interval]))"
            )))
            .query(by_route(format!("max by (method, name) (k6_http_req_duration_p95{{{CHOSEN}}})")))
            .query(by_route(format!("max by (method, name) (k6_http_req_duration_p99{{{CHOSEN}}})")))
            .one_table(&["method", "name"], "Value #B")
            .width("method", 90)
            .width("name", 240)
            .column("A", "Requests", Unit::RequestsPerSecond)
            .column("B", "p95", Unit::Seconds)
            .column("C", "p99", Unit::Seconds)
            .leads_to("Overview", "glasshouse-overview"))
        .panel(6, Panel::new(
            Kind::Stacked,
            Unit::RequestsPerSecond,
            "Answers by status",
            "0 is no answer at all: the service is gone, or took too long.",
        )
            .query(Query::over_time(format!(
                "sum by (status) (rate(k6_http_reqs_total{{{CHOSEN}}}[$__rate_interval]))"
            )).legend("{{status}}")))
        .panel(6, Panel::new(
            Kind::TimeSeries,
            Unit::Count,
            "Customers over time",
            "As the scenario wants them. Flat at the maximum while requests fall: customers wait for answers.",
        )
            .query(Query::over_time("sum(k6_vus)").legend("at work"))
            .query(Query::over_time("sum(k6_vus_max)").legend("at most"))
            .limit("at most"))
}
