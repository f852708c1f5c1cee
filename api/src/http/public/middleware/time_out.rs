//! The timeout of a request.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::config::Limits;
use crate::http::problem::Problem;

/// Cancels a request that exceeds the request timeout. Its open transaction rolls back; the reconciler settles
/// a payment that it had started.
///
/// # Errors
/// When the timeout is exceeded, or the next middleware fails.
pub async fn time_out(
    limits: web::Data<Limits>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match tokio::time::timeout(limits.request_timeout, next.call(request)).await {
        Ok(response) => Ok(response?.map_into_boxed_body()),
        Err(elapsed) => {
            let detail = format!("the request exceeded the timeout of {:?}: retry", limits.request_timeout);
            Err(Problem::unavailable("request_timed_out", detail).because(elapsed).into())
        }
    }
}
