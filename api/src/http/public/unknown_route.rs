//! Requests to a path or with a method that no route of the public interface has.

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::dev::ResourceDef;
use actix_web::error::Error;
use actix_web::http::StatusCode;
use utoipa::openapi::PathItem;

use super::docs;
use crate::http::problem::Problem;

/// The paths of the public interface with the methods of each, from its OpenAPI document.
static ROUTES: LazyLock<Vec<(ResourceDef, String)>> = LazyLock::new(|| {
    let paths = docs::openapi().paths.paths.into_iter();
    paths.map(|(path, item)| (ResourceDef::new(path), methods(&item).join(", "))).collect()
});

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

/// Responds with 405 if the path exists with other methods, and with 404 otherwise.
pub(crate) async fn unknown_route(request: HttpRequest) -> Result<(), Error> {
    if let Some((_, allowed)) = ROUTES.iter().find(|(path, _)| path.is_match(request.path())) {
        let detail = format!("allowed methods: {allowed}");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        return Err(problem.allow(allowed).into());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_route", "no such route: see /docs").into())
}
