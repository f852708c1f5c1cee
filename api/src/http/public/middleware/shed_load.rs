use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use glasshouse_telemetry::metrics::HttpMetrics;
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// The requests that are being served, and how many may be at once.
#[derive(Clone, Debug)]
pub struct InFlight {
    places: Arc<Semaphore>,
    limit: usize,
}

impl InFlight {
    /// Room for so many requests.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(limit)), limit }
    }

    /// How many requests are being served now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }
}

/// Refuses requests beyond the limit at once: a quick 503 with `Retry-After` is of more use than a queue in
/// which everybody times out. Health checks always pass.
///
/// # Errors
/// When the next middleware fails.
pub async fn shed_load(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let in_flight = request.app_data::<web::Data<InFlight>>().map(|in_flight| in_flight.places.clone());
    let Some(places) = in_flight.filter(|_| !request.path().starts_with("/health/")) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let Ok(_place) = places.try_acquire() else {
        if let Some(metrics) = request.app_data::<web::Data<HttpMetrics>>() {
            metrics.shed("concurrency");
        }
        let problem = Problem::unavailable("overloaded", "too many requests at once: try again in a moment");
        return Ok(request.error_response(problem));
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}
