//! The share of each tenant in the places of the concurrency limit.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::service::metrics::AdmissionMetrics;

use super::authenticate::claims;
use super::shed_load::overloaded;
use crate::http::public::concurrency::Concurrency;

/// Takes a place of the tenant's share for the request. Most requests above it are rejected before they are received; these
/// are the others. The user is not looked up yet, so that slow look-ups take places of the share too.
///
/// # Errors
/// When the next middleware fails.
pub async fn share_places(
    concurrency: web::Data<Concurrency>,
    tokens: web::Data<Tokens>,
    metrics: web::Data<AdmissionMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // `authenticate` rejects a token that is not valid.
    let Ok(Some(claims)) = claims(&tokens, &request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let Some(_place) = concurrency.enter_as(claims.tenant()) else {
        metrics.shed("tenant");
        return Ok(request.error_response(overloaded()));
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}
