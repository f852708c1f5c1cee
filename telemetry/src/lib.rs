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
mod panics;
pub mod profiles;
#[expect(deprecated, reason = "OpenTelemetry deprecates Jaeger's format, and callers still send it")]
pub mod propagation;
mod redaction;
pub mod service;
mod settings;
mod traces;

use std::time::Duration;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use errors::Origin;
use logs::LogSchema;
use redaction::Redactor;

pub use errors::{Dsn, ErrorSettings, InvalidDsn, hub_per_request, in_own_hub};
pub use fields::with_causes;
pub use logs::{LogFormat, SpanField};
pub use redaction::SECRET_FIELDS;
pub use settings::{
    Build, ERROR_TAGS, InvalidSetting, InvalidVariable, InvalidVariables, SPAN_FIELDS, TelemetrySettings,
};
pub use traces::{Sampling, UnknownSampler};

/// Telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is not valid.
    #[error("a setting of telemetry is not valid: {0}")]
    Setting(#[from] InvalidSetting),
    /// The filter is not valid.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The OTLP exporter cannot be built.
    #[error("cannot export to the OTLP endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The HTTP client for error events cannot be built.
    #[error("cannot send error events: {0}")]
    ErrorEvents(#[from] reqwest::Error),
    /// The process has a global `tracing` subscriber already.
    #[error("telemetry was started before")]
    AlreadyStarted(#[from] tracing_subscriber::util::TryInitError),
    /// The operating system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Running telemetry. Call [`shut_down`](Self::shut_down) before the process ends, or what is queued is dropped.
#[derive(Debug)]
pub struct Telemetry {
    tracer_provider: SdkTracerProvider,
    logger_provider: Option<SdkLoggerProvider>,
    profiles: Option<profiles::Continuous>,
    /// Writes the queued log records to standard output when it is dropped.
    _stdout: tracing_appender::non_blocking::WorkerGuard,
}

/// Telemetry that was dropped so far, by signal: its queue was full, or its receiver did not accept it.
fn dropped() -> [(&'static str, u64); 4] {
    [
        ("traces", otlp::SPANS.dropped()),
        ("logs", logs::dropped()),
        ("errors", errors::dropped()),
        ("profiles", profiles::dropped()),
    ]
}

/// Below this level, the extractors of actix-web log the path of a request without redaction.
const EXTRACTORS: &str = "actix_web::types=info";

/// How long the receivers may take to accept what is queued at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

impl Telemetry {
    /// Starts all signals. Call it on a Tokio runtime, on which the exporters run from then on.
    ///
    /// # Errors
    /// When a setting is not valid, an exporter cannot be built, or telemetry was started before.
    pub fn start(settings: &TelemetrySettings) -> Result<Self, StartError> {
        settings.validate()?;
        let filter = EnvFilter::try_new(&settings.filter)?.add_directive(EXTRACTORS.parse()?);
        let redactor = Redactor::new(&settings.secret_fields);
        let schema = LogSchema::new(&settings.span_fields, redactor.clone());
        let (endpoint, resource) = (settings.otlp_endpoint.as_ref(), settings.resource());
        let tracer_provider = traces::provider(endpoint, settings.sampling, redactor, resource.clone())?;
        let logger_provider = endpoint.map(|endpoint| logs::provider(endpoint, resource)).transpose()?;
        opentelemetry::global::set_text_map_propagator(propagation::W3cOrJaeger::default());
        // For spans that are made without `tracing`, such as those of database statements.
        opentelemetry::global::set_tracer_provider(tracer_provider.clone());

        let logger = logger_provider.as_ref().map(|provider| provider.logger(settings.build.name));
        let (logs, stdout) = logs::layer(schema.clone(), settings.log_format, logger);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer_provider.tracer(settings.build.name))
            // Code location and thread are the same for all spans of a kind, and cost bytes in each.
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        let errors = settings.errors.as_ref();
        let errors = errors.map(|errors| errors::start(errors, Origin::new(settings), schema));
        let layers = spans.and_then(logs).and_then(errors.transpose()?);
        tracing_subscriber::registry().with(layers.with_filter(filter)).try_init()?;
        panics::log_all();
        let profiles = settings.pyroscope.clone().map(|address| {
            let labels = settings.profile_labels().collect();
            profiles::Continuous::start(profiles::Receiver { address, labels })
        });
        let profiles = profiles.transpose()?;
        Ok(Self { tracer_provider, logger_provider, profiles, _stdout: stdout })
    }

    /// Sends what is queued, for at most three seconds, and stops. All signals are flushed at once, as the receiver of
    /// each may be gone. It blocks: do not call it on an async thread.
    pub fn shut_down(self) {
        let Self { tracer_provider, logger_provider, profiles, _stdout } = self;
        let profiles = profiles.map(profiles::Continuous::stop);
        // Failures are ignored: there is no signal left to report them.
        std::thread::scope(|scope| {
            scope.spawn(|| tracer_provider.shutdown_with_timeout(FLUSH_TIMEOUT));
            scope.spawn(|| logger_provider.map(|provider| provider.shutdown_with_timeout(FLUSH_TIMEOUT)));
            scope.spawn(|| profiles.map(|profiles| profiles.wait(FLUSH_TIMEOUT)));
            errors::shut_down(FLUSH_TIMEOUT);
        });
    }
}
