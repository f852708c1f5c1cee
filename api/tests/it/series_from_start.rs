//! What alerts watch exists from the start with 0. A series that appears with its first burst is invisible to `rate`,
//! which needs a value from before it.

use std::path::Path;

use promql_parser::label::Matcher;
use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use crate::support::{Backend, Scrape, TestApp, on_both};

on_both!(every_selector_of_the_rules_has_a_series, every_operation_has_its_outcomes);

/// Series of these begin with the first request of their tenant, as no process has a list of all tenants.
const BY_TENANT: [&str; 2] = ["api_calls_total", "tenant_rate_limited_total"];

/// Labels that Prometheus adds.
const TARGET: [&str; 2] = ["job", "instance"];

async fn every_selector_of_the_rules_has_a_series(backend: Backend) {
    let app = TestApp::start(backend).await;
    let scrape = Scrape::of(&app.management()).await;
    let mut checked = 0;
    for selector in selectors() {
        let name = selector.name.clone().unwrap_or_default();
        let metric = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let metric = metric.filter(|metric| scrape.types.contains_key(*metric)).unwrap_or(&name);
        let is_counted =
            scrape.types.get(metric).is_some_and(|kind| kind == "counter" || kind == "histogram");
        if is_counted && !BY_TENANT.contains(&metric) {
            assert!(scrape.has(&name, |labels| matches(&selector, labels)), "no series of {selector}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

async fn every_operation_has_its_outcomes(backend: Backend) {
    let app = TestApp::start(backend).await;
    let scrape = Scrape::of(&app.management()).await;
    let document: serde_json::Value = app.anonymous().get("/openapi.json").await.expect(200);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let operation_has = |name: &str, status: Option<&str>| {
                scrape.has(name, |labels| {
                    let has = |name: &str, value: &str| labels.contains(&(name, value));
                    has("method", &method.to_uppercase())
                        && has("endpoint", path)
                        && status.is_none_or(|status| has("status", status))
                })
            };
            assert!(operation_has("http_request_duration_seconds_bucket", None), "{method} {path}");
            let statuses = operation["responses"].as_object().unwrap().keys();
            let is_selected = |status: &&String| status.starts_with(['2', '5']) || *status == "429";
            for status in statuses.filter(is_selected).chain([&"500".to_owned()]) {
                assert!(operation_has("http_requests_total", Some(status)), "{method} {path} {status}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_a_tenant_begins_its_throttled_requests_at_zero() {
    let app = TestApp::start(Backend::Embedded).await;
    app.new_tenant().await.get("/v1/products").await.expect(200);
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!(
        (scrape.series_of("tenant_rate_limited_total"), scrape.sum("tenant_rate_limited_total", "")),
        (1, 0.0)
    );
}

fn matches(selector: &VectorSelector, labels: &[(&str, &str)]) -> bool {
    let matches = |matcher: &Matcher| {
        let value = labels.iter().find(|(name, _)| *name == matcher.name).map_or("", |(_, value)| value);
        TARGET.contains(&matcher.name.as_str()) || matcher.is_match(value)
    };
    selector.matchers.matchers.iter().all(matches)
}

/// The selectors of all recording and alerting rules.
fn selectors() -> Vec<VectorSelector> {
    let mut found = Selectors(Vec::new());
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/prometheus/rules")).unwrap()
    {
        for expression in expressions(&file.unwrap().path()) {
            walk_expr(&mut found, &promql_parser::parser::parse(&expression).unwrap()).unwrap();
        }
    }
    found.0
}

fn expressions(file: &Path) -> Vec<String> {
    let rules: yaml_serde::Value = yaml_serde::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let groups = rules["groups"].as_sequence().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_sequence().unwrap());
    rules.map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        match expression {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(range) => self.0.push(range.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}
