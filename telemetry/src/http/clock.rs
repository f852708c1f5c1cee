//! The time that a request takes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;

/// Measures a request for [`Observe`](super::Observe).
#[derive(Clone, Debug)]
pub struct RequestClock(Rc<Cell<Instant>>);

impl RequestClock {
    pub(super) fn start(request: &ServiceRequest) -> Self {
        let clock = Self(Rc::new(Cell::new(Instant::now())));
        request.extensions_mut().insert(clock.clone());
        clock
    }

    /// Measures from now on. Middleware that receives the body calls it at the end, so that the duration is that of the
    /// service and not of the client's network.
    pub fn restart(request: &ServiceRequest) {
        if let Some(Self(begun)) = request.extensions().get() {
            begun.set(Instant::now());
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.get().elapsed()
    }
}
