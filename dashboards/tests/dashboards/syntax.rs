//! LogQL and TraceQL can be parsed, wherever they stand: in dashboards, in data sources, in runbooks. What
//! parses them are Grafana's own grammars, which `scripts/install-check-tools target/check-tools` installs.

use std::io::Write;
use std::process::{Command, Stdio};

use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::promql;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{dashboards, data_sources, entries, provisioned_query, root, runbooks, text};

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    LogQl,
    TraceQl,
}

struct Asked {
    language: Language,
    query: Query,
    /// Whether it must give numbers rather than lines; `None` where both would do.
    is_metric: Option<bool>,
}

/// What is known of a query once it is parsed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed {
    is_metric: bool,
    /// Where the mistakes are.
    errors: Vec<usize>,
}

fn in_dashboards() -> Vec<Asked> {
    let mut found = Vec::new();
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let mut add = |language, expression: &Value, is_metric| {
                let query = dashboard.query(text(&panel["title"]), text(expression));
                found.push(Asked { language, query, is_metric });
            };
            for target in panel["targets"].as_array().into_iter().flatten() {
                match (text(&target["datasource"]["type"]), text(&target["queryType"])) {
                    ("loki", _) => add(Language::LogQl, &target["expr"], Some(panel["type"] != "logs")),
                    // A trace's id alone is looked up, and not parsed.
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

fn in_data_sources() -> Vec<Asked> {
    let sources = json!(data_sources());
    let to_logs = entries(&sources).into_iter().filter(|(name, _)| *name == "tracesToLogsV2");
    let to_logs = to_logs.filter(|(_, link)| link["customQuery"] == true);
    let asked = |(_, link): (&str, &Value)| {
        let query = provisioned_query("from a trace to its logs", &link["query"]);
        Asked { language: Language::LogQl, query, is_metric: Some(false) }
    };
    to_logs.map(asked).collect()
}

fn in_runbooks() -> Vec<Asked> {
    let marked = [("LogQL:", Language::LogQl), ("TraceQL:", Language::TraceQl)];
    let asked = |(mark, language)| {
        runbooks::marked(mark).into_iter().map(move |query| Asked { language, query, is_metric: None })
    };
    marked.into_iter().flat_map(asked).collect()
}

/// What is wrong with the queries: a readable piece of text each.
fn problems(asked: &[Asked]) -> Vec<String> {
    let mut problems = Vec::new();
    for (Asked { query, is_metric, .. }, parsed) in asked.iter().zip(parse(asked)) {
        let Query { place, expression } = query;
        if let Some(error) = parsed.errors.first() {
            let before: String =
                char::decode_utf16(expression.encode_utf16().take(*error)).flatten().collect();
            problems.push(format!("{place}: a mistake behind “{before}” in “{expression}”"));
        } else if is_metric.is_some_and(|expected| expected != parsed.is_metric) {
            let gives = if parsed.is_metric { "numbers, not lines" } else { "lines, not numbers" };
            problems.push(format!("{place}: “{expression}” gives {gives}"));
        }
    }
    problems
}

fn parse(asked: &[Asked]) -> Vec<Parsed> {
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
    let question = |one: &Asked| json!({ "language": one.language, "expression": one.query.expression });
    let questions: Vec<_> = asked.iter().map(question).collect();
    parser.stdin.take().unwrap().write_all(json!(questions).to_string().as_bytes()).unwrap();
    let answer = parser.wait_with_output().unwrap();
    assert!(answer.status.success(), "the parser failed");
    let parsed: Vec<_> = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(parsed.len(), asked.len());
    parsed
}

#[test]
fn logql_and_traceql_can_be_parsed() {
    let places = [in_dashboards(), in_data_sources(), in_runbooks()];
    assert!(backends.iter().all(|asked| !asked.is_empty()), "the queries were not found");
    assert_eq!(problems(&backends.into_iter().flatten().collect::<Vec<_>>()), [""; 0]);
}

#[test]
fn a_mistake_in_a_query_is_named() {
    let asked = |language, is_metric, expression: &str| {
        let query = Query { place: "here".to_owned(), expression: expression.to_owned() };
        Asked { language, query, is_metric }
    };
    let found = problems(&[
        asked(Language::LogQl, None, r#"{a="b"} | c="…" | d="#),
        asked(Language::LogQl, None, r#"rate({a="b"})"#),
        asked(Language::LogQl, None, ""),
        asked(Language::TraceQl, None, r#"{ name = "a" && duration > }"#),
        asked(Language::LogQl, Some(true), r#"{a="b"}"#),
        asked(Language::LogQl, Some(false), r#"rate({a="b"}[5m])"#),
    ]);
    let expected = [
        r#"here: a mistake behind “{a="b"} | c="…" | d=” in “{a="b"} | c="…" | d=”"#,
        r#"here: a mistake behind “rate({a="b"}” in “rate({a="b"})”"#,
        "here: a mistake behind “” in “”",
        r#"here: a mistake behind “{ name = "a" && duration > ” in “{ name = "a" && duration > }”"#,
        r#"here: “{a="b"}” gives lines, not numbers"#,
        r#"here: “rate({a="b"}[5m])” gives numbers, not lines"#,
    ];
    assert_eq!(found, expected);
}

/// Pyroscope selects by labels like PromQL.
#[test]
fn selectors_of_profiles_can_be_parsed() {
    let dashboards = dashboards();
    let selectors =
        dashboards.iter().flat_map(|one| entries(one.json()).into_iter().map(move |entry| (one, entry)));
    let selectors: Vec<_> = selectors.filter(|(_, (name, _))| *name == "labelSelector").collect();
    assert!(!selectors.is_empty(), "they were not found");
    for (dashboard, (_, selector)) in selectors {
        promql::parse(&dashboard.query("", text(selector)).expression).unwrap();
    }
}
