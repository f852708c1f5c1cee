//! Error reports: what is logged as an error, and every panic, also goes to Sentry, together with the lines
//! of the same request that came before.
//!
//! A report is made of the log line, so it says the same, hides the same, and has the same trace. What belongs
//! to one request is kept in its span and not in a hub of Sentry's, because spans are entered and left with
//! every poll, and requests take turns on one thread.

mod layer;
mod report;
mod settings;
mod transport;

use std::sync::Arc;

use sentry::integrations::backtrace::ProcessStacktraceIntegration;
use sentry::integrations::contexts::ContextIntegration;
use sentry::{Client, ClientOptions};

use crate::logs::LogSchema;
use crate::{Build, TelemetrySettings};

pub(super) use layer::ReportLayer;
pub use settings::{Dsn, ErrorSettings, InvalidDsn};
pub(super) use transport::{Flush, Outbox, lost};

/// Whose errors are reported.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Such as `glasshouse-api`.
    pub(super) service: String,
    /// Such as `production`.
    pub(super) environment: Option<String>,
    pub(super) build: Build,
    /// Prefixes of the service's own modules.
    pub(super) in_app: Vec<&'static str>,
}

impl Origin {
    pub(super) fn new(settings: &TelemetrySettings) -> Self {
        Self {
            service: settings.service_name.clone(),
            environment: settings.environment().map(str::to_owned),
            build: settings.build,
            in_app: settings.in_app.clone(),
        }
    }
}

/// Starts to send reports from the current runtime: what makes them, and what they wait in.
///
/// # Errors
/// When the HTTP client cannot be made.
pub(super) fn start(
    settings: &ErrorSettings,
    origin: Origin,
    schema: LogSchema,
) -> Result<(ReportLayer, Arc<Outbox>), reqwest::Error> {
    let (outbox, waiting) = Outbox::new();
    let outbox = Arc::new(outbox);
    let agent = format!("{}/{}", origin.build.name, origin.build.version);
    transport::start(settings.dsn.inner(), client(&settings.dsn, &origin), waiting, &agent)?;
    let traces_sample_rate = settings.traces_sample_rate;
    let reporter = Reporter { outbox: outbox.clone(), origin, traces_sample_rate };
    Ok((ReportLayer::new(reporter, schema), outbox))
}

/// Where reports go, and what is the same for all of them.
struct Reporter {
    outbox: Arc<Outbox>,
    origin: Origin,
    traces_sample_rate: f64,
}

/// Makes reports complete. It does not send them.
fn client(dsn: &Dsn, origin: &Origin) -> Client {
    let mut options = ClientOptions::new()
        .release(origin.build.release())
        .in_app_include(origin.in_app.iter().copied())
        .add_integration(ContextIntegration::default())
        .add_integration(ProcessStacktraceIntegration);
    options.environment = origin.environment.clone().map(Into::into);
    options.dsn = Some(dsn.inner().clone());
    // Made by hand, for Sentry's `init` also reads settings of its own from the environment.
    Client::with_options(options)
}
