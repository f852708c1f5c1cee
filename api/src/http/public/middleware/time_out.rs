use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::config::Limits;
use crate::http::problem::Problem;

/// Gives up on a request that takes too long. Whatever it had open rolls back; a payment that it had begun
/// is settled by the reconciler.
///
/// # Errors
/// When the time is up, or the next middleware fails.
pub async fn time_out(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(limits) = request.app_data::<web::Data<Limits>>().cloned() else {
        return Err(Problem::internal("the application has no limits").into());
    };
    match tokio::time::timeout(limits.request_timeout, next.call(request)).await {
        Ok(response) => Ok(response?.map_into_boxed_body()),
        Err(elapsed) => {
            let detail = format!("not done within {:?}: try again in a moment", limits.request_timeout);
            Err(Problem::unavailable("request_timed_out", detail).because(elapsed).into())
        }
    }
}
