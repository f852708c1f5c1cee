//! The list of all routes of the public interface.

use utoipa::openapi::{OpenApi, PathItem};

use super::docs;
use crate::http::unknown_route::Routes;

/// All routes of the public interface: those of its OpenAPI document, those that describe it and the process, and in the demo
/// the one that leads to the console.
#[must_use]
pub fn all(openapi: &OpenApi, leads_to_console: bool) -> Routes {
    let described = openapi.paths.paths.iter().map(|(path, item)| (path.clone(), methods(item)));
    let read = ["/health/live", "/health/ready", docs::OPENAPI_PATH, "/docs", "/docs/{_:.*}"];
    let read = read.map(|path| (path.to_owned(), vec!["GET"]));
    let console = leads_to_console.then(|| ("/".to_owned(), vec!["GET"]));
    Routes::new(described.chain(read).chain(console), "no such route: see /docs")
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let methods = [
        ("DELETE", &item.delete),
        ("GET", &item.get),
        ("PATCH", &item.patch),
        ("POST", &item.post),
        ("PUT", &item.put),
    ];
    methods.into_iter().filter_map(|(method, operation)| operation.as_ref().map(|_| method)).collect()
}
