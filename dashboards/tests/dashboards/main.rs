//! Checks the committed dashboards, the provisioning files and the queries of runbooks, without a server.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod alerts;
mod exported;
mod files;
mod panels;
mod queries;
mod references;
mod runbooks;
mod syntax;

use std::collections::BTreeMap;
use std::path::Path;

use glasshouse_drill::grafana::data_source::provisioned;
use glasshouse_drill::grafana::{DashboardFile, interpolate};
use glasshouse_drill::project::Project;
use glasshouse_drill::query::LocatedQuery;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn project() -> Project {
    Project::read(root()).unwrap()
}

fn dashboards() -> Vec<DashboardFile> {
    DashboardFile::read_all(&project().dashboards().unwrap()).unwrap()
}

fn dashboard(uid: &str) -> DashboardFile {
    dashboards().into_iter().find(|dashboard| dashboard.uid() == uid).unwrap()
}

/// The provisioned data sources.
fn data_sources() -> Vec<Value> {
    provisioned(&project().data_sources().unwrap()).unwrap()
}

/// A query of a provisioned data source, in which `$$` stands for `$`. Variables have no values.
fn provisioned_query(place: &str, expression: &Value) -> LocatedQuery {
    let expression = interpolate(&text(expression).replace("$$", "$"), &BTreeMap::new());
    LocatedQuery { place: place.to_owned(), expression }
}

/// The text of a JSON string; empty for other values.
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
