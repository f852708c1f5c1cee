//! Error events: log records at level `ERROR` and panics, captured by Sentry with the log records that preceded
//! them as breadcrumbs, and transactions if they are sampled.
//!
//! sentry-actix gives each request a hub of its own ([`hub_per_request`]), [`in_own_hub`] each background job. What is captured
//! in it is made here, of what the other signals have:
//! - An event is made of the log record ([`LogRecord`]), so that both have the same fields, redaction and trace.
//!   sentry-tracing makes its own of the same event: it renders errors in another way and redacts nothing.
//! - A panic is captured when it is logged ([`panics`](crate::panics)). The hook of sentry-panic resolves symbols and
//!   waits for Sentry on the thread that panics, which also serves other requests.
//! - Transactions ([`spans`]) have the ids of OpenTelemetry. sentry-tracing's `SpanLayer` generates ids of its own,
//!   loses breadcrumbs at each `.await`, for it enters a copy of the hub, and offers no hook for redaction.

mod capture;
mod event;
mod layer;
mod rate_limits;
mod settings;
mod spans;
mod stack;
mod transport;
mod unit;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::middleware::Condition;
use sentry::integrations::actix::Sentry;
use sentry::integrations::contexts::ContextIntegration;
use sentry::{Client, ClientOptions, Hub, MaxRequestBodySize, Scope, SentryFutureExt};

#[cfg(doc)]
use crate::logs::LogRecord;
use crate::logs::SpanField;
use crate::redaction::Redactor;
use crate::settings::build::Build;

pub(super) use capture::Capture;
pub(super) use layer::ErrorLayer;
pub use settings::{Dsn, ErrorSettings, InvalidDsn};
pub(super) use transport::{Factory, dropped};

/// How many log records before an error are sent with it.
const MAX_BREADCRUMBS: usize = 50;

/// The process that error events come from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Such as `glasshouse-api`.
    pub(super) service: String,
    /// Such as `production`.
    pub(super) environment: Option<String>,
    pub(super) build: Build,
    /// Prefixes of the service's own modules, whose frames are shown first in a stack.
    pub(super) in_app: Vec<&'static str>,
    /// The fields that become tags of error events and transactions.
    pub(super) tags: Vec<SpanField>,
}

/// The hub from which those of requests and jobs are made; unset without a DSN. It is never the current one, so it
/// gets no breadcrumbs. The hubs of threads have no client: what is logged outside of requests and jobs belongs
/// to no hub.
static HUB: OnceLock<Arc<Hub>> = OnceLock::new();

/// Starts Sentry's client, which sends from the current runtime. Returns the layer of its spans, and what captures log records.
pub(super) fn start(
    settings: &ErrorSettings,
    transport: Factory,
    origin: Origin,
    redactor: Redactor,
) -> (ErrorLayer, Capture) {
    let options = options(&settings.dsn, &origin, redactor).transport(transport);
    let hub = Arc::new(hub(options, &origin));
    // Telemetry starts once in a process.
    let _ = HUB.set(hub.clone());
    parts(&hub, &origin.tags.into(), settings.traces_sample_rate)
}

fn parts(hub: &Arc<Hub>, tags: &Arc<[SpanField]>, traces_sample_rate: f64) -> (ErrorLayer, Capture) {
    let layer = ErrorLayer::new(hub.clone(), tags.clone(), traces_sample_rate);
    (layer, Capture::new(hub.clone(), tags.clone()))
}

/// Sends what is queued, within `timeout`, and stops.
pub(super) fn shut_down(timeout: Duration) {
    if let Some(client) = HUB.get().and_then(|hub| hub.client()) {
        client.close(Some(timeout));
    }
}

/// The middleware of sentry-actix, which runs each request in a hub of its own. It is to be the outermost one, and
/// disabled without a DSN.
///
/// It captures nothing itself, for what fails is logged.
pub fn hub_per_request() -> Condition<Sentry> {
    let middleware = Sentry::builder().capture_server_errors(false);
    match HUB.get() {
        Some(hub) => Condition::new(true, middleware.with_hub(hub.clone()).finish()),
        None => Condition::new(false, middleware.finish()),
    }
}

/// Runs a background job in a hub of its own, if there is a DSN. The span of the job is to be created inside.
pub async fn in_own_hub<F: Future>(job: F) -> F::Output {
    match HUB.get() {
        Some(hub) => job.bind_hub(Hub::new_from_top(hub)).await,
        None => job.await,
    }
}

fn hub(options: ClientOptions, origin: &Origin) -> Hub {
    let mut scope = Scope::default();
    scope.set_tag("service", &origin.service);
    // `sentry::init` would also read settings of its own from the environment.
    Hub::new(Some(Arc::new(Client::with_options(options))), Arc::new(scope))
}

fn options(dsn: &Dsn, origin: &Origin, redactor: Redactor) -> ClientOptions {
    let of_breadcrumbs = redactor.clone();
    let mut options = ClientOptions::new()
        .release(origin.build.release())
        .max_breadcrumbs(MAX_BREADCRUMBS)
        // sentry-actix would buffer bodies.
        .max_request_body_size(MaxRequestBodySize::None)
        // The layer starts none but those that are sampled.
        .traces_sample_rate(1.0)
        .before_breadcrumb(move |breadcrumb| event::before_breadcrumb(&of_breadcrumbs, breadcrumb))
        .before_send(move |event| event::before_send(&redactor, event))
        .add_integration(ContextIntegration::default());
    options.environment = origin.environment.clone().map(Into::into);
    options.dsn = Some(dsn.inner().clone());
    options
}

#[cfg(test)]
mod tests;
