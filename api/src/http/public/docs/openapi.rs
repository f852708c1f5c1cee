//! The OpenAPI document of the public interface, generated from the handlers.

use actix_web::App;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_actix_web::AppExt;

use super::super::v1;

/// The path of the OpenAPI document.
pub const OPENAPI_PATH: &str = "/openapi.json";

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Glasshouse",
    description = "A multi-tenant SaaS backend: users, products, orders and payments. Log in with \
                   `POST /v1/auth/login` and send the token as `Authorization: Bearer TOKEN`. Every endpoint \
                   responds to errors with RFC 9457 problem documents."
))]
struct Description;

/// The OpenAPI document of the public interface.
#[must_use]
pub fn openapi() -> OpenApi {
    let description = <Description as utoipa::OpenApi>::openapi();
    let app = App::new().into_utoipa_app().openapi(description).configure(v1::routes);
    let (_, mut openapi) = app.split_for_parts();
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for operation in operations(&mut openapi) {
        describe_errors(operation);
    }
    openapi
}

fn operations(openapi: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    openapi.paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        [get, post, put, patch, delete].into_iter().flatten()
    })
}

/// The outcomes of every operation that metrics count from the start: its method, its path, and the statuses of its
/// documented responses that are no errors of the client.
#[must_use]
pub fn outcomes() -> Vec<(&'static str, String, Vec<String>)> {
    let paths = openapi().paths.paths.into_iter();
    let operations = paths.flat_map(|(path, item)| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        let methods = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
        methods.map(|(method, operation)| (method, path.clone(), operation))
    });
    let outcome = |(method, path, operation): (_, _, Option<Operation>)| {
        let documented = operation?.responses.responses.into_keys();
        let statuses = documented.filter(|status| status.starts_with(['2', '5']) && status != SERVER_ERROR);
        Some((method, path, statuses.chain([SERVER_ERROR.to_owned()]).collect()))
    };
    operations.filter_map(outcome).collect()
}

/// The status of an unexpected error, which no operation documents.
const SERVER_ERROR: &str = "500";

/// Adds the error responses that all operations have in common, and the media type of problem documents.
fn describe_errors(operation: &mut Operation) {
    let mut common = vec![("503", "The service is overloaded, or a dependency is unavailable")];
    if operation.security.is_some() {
        common.push(("401", "No token, or an invalid or expired one"));
        common.push(("429", "The rate limit of the tenant's plan is exceeded"));
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in common {
        let problem = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let response = ResponseBuilder::new().description(description).content(JSON, problem).build();
        responses.entry(status.to_owned()).or_insert_with(|| response.into());
    }
    let errors = responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5']));
    for (_, response) in errors {
        if let RefOr::T(response) = response
            && let Some(content) = response.content.shift_remove(JSON)
        {
            response.content.insert(PROBLEM_JSON.to_owned(), content);
        }
    }
}

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
