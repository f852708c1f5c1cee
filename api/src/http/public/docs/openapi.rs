//! The OpenAPI document of the public interface, generated from the handlers.

use actix_web::App;
use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa_actix_web::AppExt;

use super::super::extract::{IdempotencyHeader, IfMatch};
use super::super::v1;
use super::examples::describe_examples;
use super::links::describe_links;
use crate::config::Limits;

/// The path of the OpenAPI document.
pub const OPENAPI_PATH: &str = "/openapi.json";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Glasshouse", description = include_str!("overview.md")),
    servers((url = "/", description = "The server that this document comes from"))
)]
struct Description;

/// The OpenAPI document of the public interface with the default limits.
#[must_use]
pub fn openapi() -> OpenApi {
    openapi_for(&Limits::default())
}

/// The OpenAPI document of the public interface with these limits.
#[must_use]
pub fn openapi_for(limits: &Limits) -> OpenApi {
    let description = <Description as utoipa::OpenApi>::openapi();
    let app = App::new().into_utoipa_app().openapi(description).configure(v1::routes);
    let (_, mut openapi) = app.split_for_parts();
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for (path, operation) in operations(&mut openapi) {
        describe_errors(path, operation);
        describe_headers(operation);
        describe_links(operation);
        describe_examples(path, operation);
        // An empty list says that the operation needs no login; without one, the document says nothing.
        operation.security.get_or_insert_default();
    }
    describe_dependencies(&mut openapi);
    describe_limits(&mut openapi, limits);
    openapi
}

fn operations(openapi: &mut OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    openapi.paths.paths.iter_mut().flat_map(|(path, item)| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        let operations = [get, post, put, patch, delete].into_iter().flatten();
        operations.map(move |operation| (path.as_str(), operation))
    })
}

/// The outcomes of every operation that metrics count from the start: its method, its path, and the statuses that rules
/// select: those that are no errors of the client, and 429.
pub fn outcomes(openapi: &OpenApi) -> impl Iterator<Item = (&'static str, &str, Vec<&str>)> {
    let operations = openapi.paths.paths.iter().flat_map(|(path, item)| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        let methods = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
        methods.map(|(method, operation)| (method, path.as_str(), operation))
    });
    operations.filter_map(|(method, path, operation)| {
        let statuses = operation.as_ref()?.responses.responses.keys().map(String::as_str);
        let is_selected = |status: &&str| status.starts_with(['2', '5']) || *status == "429";
        Some((method, path, statuses.filter(is_selected).collect()))
    })
}

/// The parameter itself, which no operation of ours declares by a reference.
fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

/// The errors that follow from what an operation reads. Those of a single operation are declared at its handler.
fn common_errors(path: &str, operation: &Operation) -> impl Iterator<Item = (StatusCode, &'static str)> {
    let parameters: Vec<&Parameter> = operation.parameters.iter().flatten().filter_map(inline).collect();
    let has_header = |name| parameters.iter().any(|parameter| parameter.name == name);
    let has_query = parameters.iter().any(|parameter| parameter.parameter_in == ParameterIn::Query);
    let has_body = operation.request_body.is_some();
    let (is_idempotent, is_conditional) = (has_header(IdempotencyHeader::NAME), has_header(IfMatch::NAME));
    let unauthorized = match operation.security {
        Some(_) => "No token, or an invalid or expired one",
        None => "The token that was sent is invalid or expired; none is needed",
    };
    let errors = [
        (
            StatusCode::BAD_REQUEST,
            true,
            "The request is malformed: its JSON, its query string, its id or a header",
        ),
        (StatusCode::UNAUTHORIZED, true, unauthorized),
        (
            StatusCode::FORBIDDEN,
            operation.security.is_some(),
            "The role of the caller has changed: repeat the request",
        ),
        (StatusCode::NOT_FOUND, path.contains('{'), "The tenant of the caller has no such object"),
        (StatusCode::NOT_ACCEPTABLE, true, "`Accept-Encoding` rejects every encoding"),
        (StatusCode::REQUEST_TIMEOUT, has_body, "The body did not arrive in time"),
        (StatusCode::PRECONDITION_FAILED, is_conditional, "The object has changed since the client read it"),
        (StatusCode::PAYLOAD_TOO_LARGE, has_body, "The body is too large"),
        (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            has_body,
            "The body is not JSON, or in a content coding that is not supported",
        ),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            has_body || has_query || is_idempotent,
            "Values are not valid, see `errors`; or the idempotency key was used for another request",
        ),
        (StatusCode::PRECONDITION_REQUIRED, is_conditional, "The header `If-Match` is missing"),
        (StatusCode::TOO_MANY_REQUESTS, true, "A rate limit is exceeded"),
        (StatusCode::INTERNAL_SERVER_ERROR, true, "The service failed"),
        (StatusCode::SERVICE_UNAVAILABLE, true, "The service is overloaded, or a dependency is unavailable"),
    ];
    errors
        .into_iter()
        .filter(|(_, can_occur, _)| *can_occur)
        .map(|(status, _, description)| (status, description))
}

/// Adds the error responses that operations have in common, the description of 403, and the media type of problem
/// documents.
fn describe_errors(path: &str, operation: &mut Operation) {
    let common: Vec<_> = common_errors(path, operation).collect();
    let responses = &mut operation.responses.responses;
    for (status, description) in common {
        let problem = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let response = ResponseBuilder::new().description(description).content(JSON, problem).build();
        responses.entry(status.as_str().to_owned()).or_insert_with(|| response.into());
    }
    let errors = responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5']));
    for (status, response) in errors {
        let RefOr::T(response) = response else { continue };
        if status == StatusCode::FORBIDDEN.as_str() && response.description.is_empty() {
            response.description =
                "The role of the caller does not allow it, or has changed since".to_owned();
        }
        if let Some(content) = response.content.shift_remove(JSON) {
            response.content.insert(PROBLEM_JSON.to_owned(), content);
        }
    }
}

/// Adds the headers that responses have in common.
fn describe_headers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if let Some(RefOr::T(etag)) = response.headers.get_mut("ETag") {
            etag.description = Some("The version, for `If-Match`".to_owned());
        }
        add_header(response, "x-request-id", Type::String, "The id of the request in logs and traces");
        match status.as_str() {
            "401" => add_header(response, "WWW-Authenticate", Type::String, "`Bearer`"),
            "429" | "503" => add_header(response, "Retry-After", Type::Integer, "When to retry, in seconds"),
            _ => {}
        }
    }
}

fn add_header(response: &mut Response, name: &str, schema_type: Type, description: &str) {
    let schema = ObjectBuilder::new().schema_type(schema_type);
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
    response.headers.insert(name.to_owned(), header.into());
}

/// Adds what utoipa cannot express: the currency and the price of a product change together.
fn describe_dependencies(openapi: &mut OpenApi) {
    let schemas = &mut openapi.components.get_or_insert_default().schemas;
    if let Some(RefOr::T(Schema::Object(change))) = schemas.get_mut("ProductChangeBody") {
        let together = json!({ "price_minor": ["currency"], "currency": ["price_minor"] });
        change.extensions = Some(Extensions::from_iter([("dependentRequired", together)]));
    }
}

/// Adds the limits that are settings.
fn describe_limits(openapi: &mut OpenApi, limits: &Limits) {
    for (_, operation) in operations(openapi) {
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter
                && parameter.name == "limit"
                && let Some(RefOr::T(Schema::Object(limit))) = &mut parameter.schema
            {
                limit.maximum = Some(limits.max_page_size.into());
                limit.default = Some(limits.default_page_size.into());
            }
        }
    }
    let schemas = &mut openapi.components.get_or_insert_default().schemas;
    if let Some(RefOr::T(Schema::Object(order))) = schemas.get_mut("PlaceOrderBody")
        && let Some(RefOr::T(Schema::Array(items))) = order.properties.get_mut("items")
    {
        items.max_items = Some(limits.order_items);
    }
}

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
