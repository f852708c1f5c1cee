//! Fault injection into requests.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_infra::faults::Faults;

use crate::http::problem::Problem;

/// Injects latency, errors and panics into requests of `/v1`. It is the innermost middleware of the server, so
/// everything around it (timeout, load shedding, metrics, spans) observes a fault as if a handler had caused
/// it.
///
/// # Errors
/// When a fault injects an error, or the handler fails.
pub async fn inject_faults(
    faults: web::Data<Faults>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let endpoint = request.match_pattern().filter(|endpoint| endpoint.starts_with("/v1/"));
    if let Some(endpoint) = endpoint {
        if let Some(delay) = faults.trigger_latency(&endpoint) {
            tokio::time::sleep(delay).await;
        }
        if faults.trigger_error(&endpoint) {
            return Err(Problem::internal("an injected fault").into());
        }
        if faults.trigger_panic(&endpoint) {
            panic_on_request();
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

#[expect(clippy::panic, reason = "the fault is to panic")]
fn panic_on_request() {
    panic!("an injected fault");
}
