//! The OpenAPI description, made from the handlers themselves.

use actix_web::App;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_actix_web::AppExt;

use super::v1;

/// Where the description is served.
pub const OPENAPI_PATH: &str = "/openapi.json";

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Glasshouse",
    description = "A multi-tenant SaaS backend: users, products, orders and payments. Log in with \
                   `POST /v1/auth/login` and send the token as `Authorization: Bearer TOKEN`. Every error is \
                   an RFC 9457 problem document."
))]
struct Description;

/// The description of the public interface.
#[must_use]
pub fn openapi() -> OpenApi {
    let description = <Description as utoipa::OpenApi>::openapi();
    let app = App::new().into_utoipa_app().openapi(description).configure(v1::routes);
    let (_, mut openapi) = app.split_for_parts();
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    openapi
}
