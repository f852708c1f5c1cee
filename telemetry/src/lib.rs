#![doc = include_str!("../README.md")]
#![allow(clippy::disallowed_macros, reason = "log records are written here: by `events`, and by tests")]

pub mod contract;
mod errors;
pub mod events;
mod fields;
pub mod http;
mod logs;
pub mod metrics;
mod otlp;
mod own_spans;
mod panics;
pub mod profiles;
#[expect(deprecated, reason = "OpenTelemetry deprecates Jaeger's format, and callers still send it")]
pub mod propagation;
pub mod recent;
mod redaction;
pub mod service;
mod settings;
mod signals;
mod traces;
mod trusted;

use logs::LogSchema;
use redaction::Redactor;
use signals::{Common, Exporters, Signals};
use tracing_subscriber::EnvFilter;
use trusted::TrustedModules;

pub use errors::{Dsn, ErrorSettings, InvalidDsn, hub_per_request, in_own_hub};
pub use fields::with_causes;
pub use logs::{LogFormat, SpanField};
pub use redaction::SECRET_FIELDS;
pub use settings::{
    Build, ERROR_TAGS, InvalidSetting, InvalidVariable, InvalidVariables, SPAN_FIELDS, TelemetrySettings,
    TrustedCertificates, variable_value,
};
pub use signals::{SIGNALS, Signal, SignalSettings, StartError};
pub use traces::{Sampling, UnknownSampler};

/// actix-http logs each malformed request as an error of the server. The event `malformed_request` is logged instead.
const CONNECTIONS: &str = "actix_http::h1::dispatcher=off";

/// Running telemetry. Call [`shut_down`](Self::shut_down) before the process ends, or what is queued is dropped.
#[derive(Debug)]
pub struct Telemetry(Signals);

impl Telemetry {
    /// Checks that telemetry can start with these settings, without starting it: builds the same exporters. Call it on a
    /// Tokio runtime.
    ///
    /// # Errors
    /// When a setting is not valid, or an exporter cannot be built.
    pub fn check(settings: &TelemetrySettings) -> Result<(), StartError> {
        Exporters::new(&settings.signals, &common(settings)?).map(drop)
    }

    /// Starts all signals. Call it on a Tokio runtime, on which the exporters run from then on.
    ///
    /// # Errors
    /// When a setting is not valid, an exporter cannot be built, or telemetry was started before.
    pub fn start(settings: &TelemetrySettings) -> Result<Self, StartError> {
        let common = common(settings)?;
        http::method::set_known(settings.known_methods.clone());
        Signals::start(&settings.signals, common).map(Self)
    }

    /// Sends what is queued, for at most three seconds, and stops. It blocks: do not call it on an async thread.
    pub fn shut_down(self) {
        self.0.shut_down();
    }
}

fn common(settings: &TelemetrySettings) -> Result<Common, StartError> {
    settings.validate()?;
    let redactor = Redactor::new(&settings.secret_fields);
    let trusted = TrustedModules::new(settings.build, &settings.in_app);
    Ok(Common {
        program: settings.build.name,
        filter: EnvFilter::try_new(&settings.filter)?.add_directive(CONNECTIONS.parse()?),
        log_format: settings.log_format,
        schema: LogSchema::new(&settings.span_fields, redactor, trusted),
        resource: settings.resource(),
        origin: settings.origin(),
        profile_labels: settings.profile_labels(),
    })
}
