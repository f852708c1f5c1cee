//! Draining: a process that shuts down makes its clients connect elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, web};

/// Set when the shutdown starts. From then on the process is not ready, and responses close their connections.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Whether the process is stopping.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts draining.
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Closes the connection of each response while the process is draining.
///
/// # Errors
/// When the next middleware fails; its response closes the connection too.
pub async fn close_while_draining(
    draining: web::Data<Draining>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let outcome = next.call(request).await;
    if !draining.is_on() {
        return Ok(outcome?.map_into_boxed_body());
    }
    match outcome {
        Ok(mut response) => {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            Ok(response.map_into_boxed_body())
        }
        Err(error) => {
            let mut response = error.error_response();
            response.head_mut().set_connection_type(ConnectionType::Close);
            Err(InternalError::from_response("answered while draining", response).into())
        }
    }
}
