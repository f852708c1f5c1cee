//! Load shedding: a limit of in-flight requests.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_telemetry::service::metrics::AdmissionMetrics;
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// The limit of in-flight requests.
#[derive(Clone, Debug)]
pub struct InFlight {
    permits: Arc<Semaphore>,
}

impl InFlight {
    /// A limit of `limit` in-flight requests.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(limit)) }
    }
}

/// Rejects requests above the concurrency limit with 503 and `Retry-After`. Under overload, an immediate 503
/// is better than a queue in which all requests time out. Health checks always pass.
///
/// # Errors
/// When the next middleware fails.
pub async fn shed_load(
    in_flight: web::Data<InFlight>,
    metrics: web::Data<AdmissionMetrics>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with("/health/") {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let Ok(_permit) = in_flight.permits.try_acquire() else {
        metrics.shed("concurrency");
        let problem = Problem::unavailable("overloaded", "too many in-flight requests: retry");
        return Ok(request.error_response(problem));
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}
