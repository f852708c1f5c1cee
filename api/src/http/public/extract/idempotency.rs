//! The header `Idempotency-Key`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use glasshouse_domain::idempotency::{
    IdempotencyKey, IdempotencyKeyError, IdempotentRequest, RequestHash, StoredResponse,
};
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Caller;
use crate::http::problem::Problem;

/// The header `Idempotency-Key`, which is required for requests that move money or stock, and the operation
/// of the request.
#[derive(Clone, Debug)]
pub struct IdempotencyHeader {
    key: IdempotencyKey,
    operation: String,
}

impl IdempotencyHeader {
    /// The name of the header.
    pub const NAME: &'static str = "Idempotency-Key";

    /// The request with this key: its hash covers the user, the operation and the body.
    ///
    /// # Errors
    /// When the body cannot be serialized as JSON.
    pub fn into_request<T>(
        self,
        caller: &Caller,
        body: &impl Serialize,
        render: fn(&T) -> StoredResponse,
    ) -> Result<IdempotentRequest<T>, Problem> {
        // The parsed body, so that whitespace and the order of fields make no difference.
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        let (user, name) = (caller.user(), caller.user().to_string());
        let hash = RequestHash::of(&[name.as_bytes(), self.operation.as_bytes(), &body]);
        Ok(IdempotentRequest { user, key: self.key, hash, render })
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let Some(value) = request.headers().get(Self::NAME) else {
            let detail =
                "send the header Idempotency-Key: a new UUID for each request, and the same one for a retry";
            return Err(Problem::bad_request("idempotency_key_required", detail));
        };
        let key = value.to_str().ok().and_then(|text| IdempotencyKey::parse(text).ok());
        let detail = format!("the header Idempotency-Key {IdempotencyKeyError}");
        let key = key.ok_or_else(|| Problem::bad_request("idempotency_key_invalid", detail))?;
        Ok(Self { key, operation: format!("{} {}", request.method(), request.path()) })
    }
}

impl IntoParams for IdempotencyHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(IdempotencyKey::MAX_CHARS))
            .pattern(Some(IdempotencyKey::PATTERN));
        let description = "A new UUID for each request, and the same one for a retry of it";
        let header = ParameterBuilder::new().name(Self::NAME).parameter_in(ParameterIn::Header);
        vec![header.required(Required::True).description(Some(description)).schema(Some(schema)).build()]
    }
}

impl FromRequest for IdempotencyHeader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
