//! The committed dashboards, what is provisioned around them, and the queries of the runbooks: without any server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod files;
mod panels;
mod queries;
mod references;
mod runbooks;
mod syntax;

use std::collections::BTreeMap;
use std::path::Path;

use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::grafana::{Dashboard, interpolate};
use glasshouse_drill::grafana::data_source::provisioned;
use glasshouse_drill::project::Project;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn project() -> Project {
    Project::new(root())
}

fn dashboards() -> Vec<Dashboard> {
    Dashboard::read_all(&project().dashboards()).unwrap()
}

fn dashboard(uid: &str) -> Dashboard {
    dashboards().into_iter().find(|dashboard| dashboard.uid() == uid).unwrap()
}

/// The data sources that Grafana is given.
fn data_sources() -> Vec<Value> {
    provisioned(&project().data_sources()).unwrap()
}

/// A query of a data source: there `$$` stands for the `$` of a variable, and nothing is chosen.
fn provisioned_query(place: &str, expression: &Value) -> Query {
    let expression = filled(&text(expression).replace("$$", "$"), &BTreeMap::new());
    Query { place: place.to_owned(), expression }
}

/// The text, or none.
fn text(json: &Value) -> &str {
    json.as_str().unwrap_or_default()
}

/// All pairs of name and value in JSON, at any depth.
fn entries(json: &Value) -> Vec<(&str, &Value)> {
    match json {
        Value::Object(object) => {
            let here = object.iter().map(|(name, value)| (name.as_str(), value));
            here.chain(object.values().flat_map(entries)).collect()
        }
        Value::Array(array) => array.iter().flat_map(entries).collect(),
        _ => Vec::new(),
    }
}
