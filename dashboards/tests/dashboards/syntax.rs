//! LogQL and TraceQL in dashboards, data sources and runbooks can be parsed by Grafana's own grammars, which
//! `scripts/install-check-tools target/check-tools` installs.

use std::io::Write;
use std::process::{Command, Stdio};

use glasshouse_drill::promql;
use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::runbook_queries::QueryLanguage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{dashboards, data_sources, entries, provisioned_query, root, runbooks, text};

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    LogQl,
    TraceQl,
}

struct TypedQuery {
    language: Language,
    query: LocatedQuery,
    /// Whether the result must be numbers and not log records; `None` if both are valid.
    is_metric: Option<bool>,
}

/// The result of the parser for one query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed {
    is_metric: bool,
    /// The positions of syntax errors, in UTF-16 code units.
    errors: Vec<usize>,
}

fn in_dashboards() -> Vec<TypedQuery> {
    let mut found = Vec::new();
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let mut add = |language, expression: &Value, is_metric| {
                let query = dashboard.query(text(&panel["title"]), text(expression));
                found.push(TypedQuery { language, query, is_metric });
            };
            for target in panel["targets"].as_array().into_iter().flatten() {
                match (text(&target["datasource"]["type"]), text(&target["queryType"])) {
                    ("loki", _) => add(Language::LogQl, &target["expr"], Some(panel["type"] != "logs")),
                    // A trace id is not TraceQL.
                    ("tempo", "traceql") if target["query"] != "${trace_id}" => {
                        add(Language::TraceQl, &target["query"], None);
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

fn in_data_sources() -> Vec<TypedQuery> {
    let sources = json!(data_sources());
    let to_logs = entries(&sources).into_iter().filter(|(name, _)| *name == "tracesToLogsV2");
    let to_logs = to_logs.filter(|(_, link)| link["customQuery"] == true);
    let queries = |(_, link): (&str, &Value)| {
        let query = provisioned_query("from a trace to its logs", &link["query"]);
        TypedQuery { language: Language::LogQl, query, is_metric: Some(false) }
    };
    to_logs.map(queries).collect()
}

fn in_runbooks() -> Vec<TypedQuery> {
    let languages = [(QueryLanguage::LogQl, Language::LogQl), (QueryLanguage::TraceQl, Language::TraceQl)];
    let queries = |(of_runbooks, language)| {
        let queries = runbooks::queries(of_runbooks).into_iter();
        queries.map(move |query| TypedQuery { language, query, is_metric: None })
    };
    languages.into_iter().flat_map(queries).collect()
}

/// The problems of the queries: one message each.
fn problems(queries: &[TypedQuery]) -> Vec<String> {
    let mut problems = Vec::new();
    for (TypedQuery { query, is_metric, .. }, parsed) in queries.iter().zip(parse(queries)) {
        let LocatedQuery { place, expression } = query;
        if let Some(error) = parsed.errors.first() {
            let before: String =
                char::decode_utf16(expression.encode_utf16().take(*error)).flatten().collect();
            problems.push(format!("{place}: syntax error after “{before}” in “{expression}”"));
        } else if is_metric.is_some_and(|expected| expected != parsed.is_metric) {
            let result =
                if parsed.is_metric { "numbers, not log records" } else { "log records, not numbers" };
            problems.push(format!("{place}: “{expression}” returns {result}"));
        }
    }
    problems
}

fn parse(queries: &[TypedQuery]) -> Vec<Parsed> {
    let tools = root().join("target/check-tools");
    assert!(
        tools.join("installed").is_file(),
        "first run `scripts/install-check-tools target/check-tools`, as `make test` does"
    );
    let mut parser = Command::new(tools.join("bin/node"))
        .arg(root().join("scripts/check-tools/parse-queries.cjs"))
        .env("NODE_PATH", tools.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let request = |one: &TypedQuery| json!({ "language": one.language, "expression": one.query.expression });
    let requests: Vec<_> = queries.iter().map(request).collect();
    parser.stdin.take().unwrap().write_all(json!(requests).to_string().as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "the parser failed");
    let parsed: Vec<_> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(parsed.len(), queries.len());
    parsed
}

#[test]
fn logql_and_traceql_can_be_parsed() {
    let sources = [in_dashboards(), in_data_sources(), in_runbooks()];
    assert!(sources.iter().all(|queries| !queries.is_empty()), "no queries were found");
    assert_eq!(problems(&sources.into_iter().flatten().collect::<Vec<_>>()), [""; 0]);
}

#[test]
fn problems_of_a_query_are_reported() {
    let queries = |language, is_metric, expression: &str| {
        let query = LocatedQuery { place: "here".to_owned(), expression: expression.to_owned() };
        TypedQuery { language, query, is_metric }
    };
    let found = problems(&[
        queries(Language::LogQl, None, r#"{a="b"} | c="…" | d="#),
        queries(Language::LogQl, None, r#"rate({a="b"})"#),
        queries(Language::LogQl, None, ""),
        queries(Language::TraceQl, None, r#"{ name = "a" && duration > }"#),
        queries(Language::LogQl, Some(true), r#"{a="b"}"#),
        queries(Language::LogQl, Some(false), r#"rate({a="b"}[5m])"#),
    ]);
    let expected = [
        r#"here: syntax error after “{a="b"} | c="…" | d=” in “{a="b"} | c="…" | d=”"#,
        r#"here: syntax error after “rate({a="b"}” in “rate({a="b"})”"#,
        "here: syntax error after “” in “”",
        r#"here: syntax error after “{ name = "a" && duration > ” in “{ name = "a" && duration > }”"#,
        r#"here: “{a="b"}” returns log records, not numbers"#,
        r#"here: “rate({a="b"}[5m])” returns numbers, not log records"#,
    ];
    assert_eq!(found, expected);
}

/// Pyroscope uses the label selectors of PromQL.
#[test]
fn selectors_of_profiles_can_be_parsed() {
    let dashboards = dashboards();
    let selectors =
        dashboards.iter().flat_map(|one| entries(one.json()).into_iter().map(move |entry| (one, entry)));
    let selectors: Vec<_> = selectors.filter(|(_, (name, _))| *name == "labelSelector").collect();
    assert!(!selectors.is_empty(), "no selectors were found");
    for (dashboard, (_, selector)) in selectors {
        // Every sample has these labels, so that "All" is `.+`.
        let selector = text(selector).replace("$job", ".+").replace("$endpoint", ".+");
        promql::parse(&dashboard.query("", &selector).expression).unwrap();
    }
}
