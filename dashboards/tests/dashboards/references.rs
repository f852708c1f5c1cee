//! References in dashboards and provisioning files resolve: data sources, dashboards, runbooks, variables.

use std::collections::{BTreeMap, BTreeSet};

use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::project::files;
use serde_json::{Value, json};

use crate::{dashboard, dashboards, data_sources, entries, root, text};

/// The existing targets of references.
struct Targets {
    /// The types of the data sources by uid.
    sources: BTreeMap<String, String>,
    /// The uids of the dashboards, each with the names of its variables.
    dashboards: BTreeMap<String, BTreeSet<String>>,
    tags: BTreeSet<String>,
    /// The pages of the runbooks by file name.
    runbooks: BTreeMap<String, String>,
}

impl Targets {
    fn read() -> Self {
        let sources = data_sources();
        let source = |source: &Value| (text(&source["uid"]).to_owned(), text(&source["type"]).to_owned());
        let dashboards = dashboards();
        let tags = dashboards.iter().flat_map(|one| one.json()["tags"].as_array().unwrap().clone());
        let runbooks = files(&root().join("grafana/runbooks"), "html").unwrap();
        Self {
            sources: sources.iter().map(source).collect(),
            dashboards: dashboards.iter().map(|one| (one.uid().to_owned(), variables(one.json()))).collect(),
            tags: tags.map(|tag| text(&tag).to_owned()).collect(),
            runbooks: runbooks
                .iter()
                .map(|path| {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    (name, std::fs::read_to_string(path).unwrap())
                })
                .collect(),
        }
    }

    fn problems_of(&self, dashboard: &DashboardFile) -> Vec<String> {
        let json = dashboard.json();
        let mut problems = source_variables_in(json);
        problems.extend(self.links_in(json));
        problems.extend(variables_in(json));
        problems.into_iter().map(|problem| format!("{}: {problem}", dashboard.uid())).collect()
    }

    /// Unknown data sources, anywhere in a provisioning file.
    fn sources_in(&self, json: &Value) -> Vec<String> {
        let problem = |(name, value): (&str, &Value)| match name {
            "datasource" => {
                let (kind, uid) = (text(&value["type"]), text(&value["uid"]));
                let exists = self.sources.get(uid).is_some_and(|found| found == kind);
                (!exists).then(|| format!("no data source {value}"))
            }
            "datasourceUid" | "alertmanagerUid" => {
                let exists = self.sources.contains_key(text(value));
                (!exists).then(|| format!("no data source {value}"))
            }
            _ => None,
        };
        entries(json).into_iter().filter_map(problem).collect()
    }

    /// Broken links of panels, values and texts.
    fn links_in(&self, json: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in entries(json) {
            match name {
                "url" => problems.extend(self.broken_link(text(value))),
                "content" => {
                    let links = text(value).split("](").skip(1).filter_map(|rest| rest.split(')').next());
                    problems.extend(links.filter_map(|link| self.broken_link(link)));
                }
                _ => {}
            }
        }
        let tags = json["links"].as_array().into_iter().flatten().flat_map(|link| link["tags"].as_array());
        let unknown = tags.flatten().filter(|tag| !self.tags.contains(text(tag)));
        problems.extend(unknown.map(|tag| format!("no dashboard has the tag {tag}")));
        problems
    }

    fn variables_of(&self, uid: &str) -> Option<&BTreeSet<String>> {
        self.dashboards.get(uid)
    }

    fn broken_link(&self, url: &str) -> Option<String> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let is_right = match (path.strip_prefix("/d/"), path.strip_prefix("/public/runbooks/")) {
            // The link of a table cell contains the value of the cell.
            (Some("${__value.text}"), _) | (_, Some("${__value.text}.html")) => true,
            (Some(uid), _) => {
                self.variables_of(uid).is_some_and(|known| known.is_superset(&variables_set_by(url)))
            }
            (_, Some(name)) => self.runbooks.get(name).is_some_and(|page| has_anchor_of(page, url)),
            _ => path == "/explore" || url.starts_with("http"),
        };
        (!is_right).then(|| format!("broken link {url}"))
    }
}

/// Whether a page has the anchor of a link to it, if the link has one.
fn has_anchor_of(page: &str, url: &str) -> bool {
    url.split_once('#').is_none_or(|(_, anchor)| page.contains(&format!(" id=\"{anchor}\"")))
}

/// The names of the variables of a dashboard.
fn variables(json: &Value) -> BTreeSet<String> {
    json["templating"]["list"].as_array().unwrap().iter().map(|one| text(&one["name"]).to_owned()).collect()
}

/// The names of the variables that a link sets in the dashboard that it opens.
fn variables_set_by(url: &str) -> BTreeSet<String> {
    let parameters = url.split(['?', '&']).filter_map(|parameter| parameter.strip_prefix("var-"));
    parameters.filter_map(|parameter| parameter.split('=').next()).map(str::to_owned).collect()
}

/// References to data sources that are no variable of the dashboard, or one of another type.
fn source_variables_in(json: &Value) -> Vec<String> {
    let variables = json["templating"]["list"].as_array().unwrap().iter();
    let of_sources: BTreeMap<_, _> = variables
        .filter(|one| one["type"] == "datasource")
        .map(|one| (format!("${{{}}}", text(&one["name"])), text(&one["query"])))
        .collect();
    let references =
        entries(json).into_iter().filter(|(name, _)| *name == "datasource").map(|(_, value)| value);
    let is_unknown =
        |value: &&Value| of_sources.get(text(&value["uid"])).is_none_or(|kind| *kind != text(&value["type"]));
    references.filter(is_unknown).map(|value| format!("no data source variable {value}")).collect()
}

/// Undefined and unused variables.
fn variables_in(json: &Value) -> Vec<String> {
    let defined: BTreeSet<_> =
        json["templating"]["list"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    let used: BTreeSet<_> =
        entries(json).into_iter().flat_map(|(_, value)| texts(value)).flat_map(variables_of).collect();
    let undefined = used.difference(&defined).map(|name| format!("undefined variable ${name}"));
    undefined.chain(defined.difference(&used).map(|name| format!("unused variable ${name}"))).collect()
}

/// The text of a string, or the texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(array) => array.iter().filter_map(Value::as_str).collect(),
        _ => value.as_str().into_iter().collect(),
    }
}

/// The variables of a text such as `up{job="$job"}`, without built-in ones.
fn variables_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let is_ours = rest.starts_with(|c: char| c.is_ascii_alphabetic());
        is_ours.then(|| &rest[..end])
    })
}

#[test]
fn references_in_dashboards_resolve() {
    let targets = Targets::read();
    let found: Vec<_> = dashboards().iter().flat_map(|dashboard| targets.problems_of(dashboard)).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn references_in_data_sources_resolve() {
    let sources = data_sources();
    let targets = Targets::read();
    assert_eq!(targets.sources.len(), sources.len(), "duplicate uid");
    assert_eq!(targets.sources_in(&json!(sources)), [""; 0]);
}

#[test]
fn broken_references_are_reported() {
    let targets = Targets::read();
    let sound = dashboard("glasshouse-overview").json().to_string();
    let problem = |from: &str, to: &str| {
        let broken = sound.replacen(from, to, 1);
        assert_ne!(broken, sound, "{from}");
        targets.problems_of(&DashboardFile::new(serde_json::from_str(&broken).unwrap())).join("\n")
    };
    let source = r#"{"type":"prometheus","uid":"${prometheus_datasource}"}"#;
    for broken in [
        r#""prometheus""#,
        r#"{"type":"prometheus"}"#,
        r#"{"type":"prometheus","uid":"prometheus"}"#,
        r#"{"type":"loki","uid":"${prometheus_datasource}"}"#,
    ] {
        assert_eq!(problem(source, broken), format!("glasshouse-overview: no data source variable {broken}"));
    }
    let broken_link = |url: &str| format!("glasshouse-overview: broken link {url}");
    assert_eq!(
        problem("/d/glasshouse-slo?", "/d/glasshouse-sla?"),
        broken_link("/d/glasshouse-sla?${__url_time_range}&${__all_variables}")
    );
    let (runbook, typo) = ("/public/runbooks/high-error-rate.html", "/public/runbooks/high-error.html");
    assert_eq!(problem(runbook, typo), broken_link(typo));
    let (anchor, typo) = ("README.html#is-it-a-drill", "README.html#is-it-drill");
    assert_eq!(problem(anchor, typo), broken_link(&format!("/public/runbooks/{typo}")));
    assert_eq!(
        problem(r#""tags":["glasshouse"]"#, r#""tags":["glass"]"#),
        r#"glasshouse-overview: no dashboard has the tag "glass""#
    );
    assert_eq!(problem("$endpoint", "$endpont"), "glasshouse-overview: undefined variable $endpont");
    assert_eq!(
        problem(r#""name":"job""#, r#""name":"service""#),
        "glasshouse-overview: undefined variable $job\nglasshouse-overview: unused variable $service"
    );
    assert_eq!(targets.sources_in(&json!({ "datasourceUid": "lokki" })), [r#"no data source "lokki""#]);
    assert_eq!(
        targets.links_in(&json!({ "content": "See [it](/d/nonsense)." })),
        ["broken link /d/nonsense"]
    );
}
