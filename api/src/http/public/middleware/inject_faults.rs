use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_infra::faults::Faults;

use crate::http::problem::Problem;

/// Hurts requests as the injected faults say. It stands where the handlers begin, so that everything around
/// them (time-outs, limits, metrics, spans) sees what it would see if a handler did this.
///
/// # Errors
/// When a fault says so, or the handler fails.
pub async fn inject_faults(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let faults = request.app_data::<web::Data<Faults>>().cloned();
    let endpoint = request.match_pattern().filter(|endpoint| endpoint.starts_with("/v1/"));
    if let (Some(faults), Some(endpoint)) = (faults, endpoint) {
        if let Some(delay) = faults.delays(&endpoint) {
            tokio::time::sleep(delay).await;
        }
        if faults.fails(&endpoint) {
            return Err(Problem::internal("an injected fault").into());
        }
        if faults.panics(&endpoint) {
            panic_on_request();
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

#[expect(clippy::panic, reason = "the fault is to panic")]
fn panic_on_request() {
    panic!("an injected fault");
}
