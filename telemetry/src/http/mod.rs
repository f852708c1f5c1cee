//! The HTTP side of a service on actix-web: the root span of a request, and the middleware that measures, logs and
//! identifies requests inside it.
//!
//! ```
//! use actix_web::App;
//! use glasshouse_telemetry::http::{Observe, TracingLogger};
//!
//! glasshouse_telemetry::root_span! {
//!     /// The root span of a request to the shop, with what handlers record on it.
//!     struct ShopSpan { shop.id, cart.id }
//! }
//!
//! let app = App::new()
//!     .wrap(Observe::without_metrics())
//!     // actix runs the last middleware first: the span must be outside.
//!     .wrap(TracingLogger::<ShopSpan>::new());
//! # let _ = app;
//! ```

mod clock;
mod errors;
pub(crate) mod method;
mod observe;
mod rejected;
mod replace;
mod request_headers;
mod request_id;
mod root_span;
mod scheme;
#[cfg(test)]
mod trace_context_suite;

pub use clock::RequestClock;
pub use errors::{ErrorResponses, OwnResponses, Panicked};
pub use method::KNOWN_METHODS;
pub use observe::Observe;
pub use rejected::RejectedRequest;
pub use replace::replace;
pub use scheme::Scheme;
pub use tracing_actix_web::TracingLogger;

#[doc(hidden)]
pub mod private {
    //! What the code of [`root_span!`](crate::root_span) refers to. It is no part of the interface.

    pub use tracing_actix_web::RootSpanBuilder;
    pub use {actix_web, tracing};

    pub use super::root_span::{RequestFacts, finish};
}
