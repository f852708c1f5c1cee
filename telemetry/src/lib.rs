//! What the process tells about itself: one module per signal, started together and stopped in order.
//!
//! Telemetry never hurts the service. Everything that leaves the process goes through a bounded queue that
//! drops and counts when it is full, and nothing waits for a receiver.

mod errors;
pub mod events;
mod fields;
pub mod http;
mod line;
mod logs;
pub mod metrics;
mod otlp;
mod panics;
pub mod profiles;
#[expect(deprecated, reason = "callers with Jaeger's header exist, though OpenTelemetry gives the format up")]
pub mod propagation;
mod redaction;
mod traces;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_appender::non_blocking::ErrorCounter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use url::Url;

use errors::{Flush, Origin, Outbox};

pub use errors::{Dsn, ErrorSettings, InvalidDsn};
pub use fields::with_causes;
pub use logs::LogFormat;
pub use traces::{Sampling, UnknownSampler};

/// What to tell, and whom.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The name under which this process appears, such as `glasshouse-api`.
    pub service_name: String,
    /// More about the process, such as `deployment.environment.name`.
    pub resource_attributes: Vec<(String, String)>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which lines and spans are written, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// The OTLP receiver (gRPC) of spans and log lines, such as `http://collector:4317`; none if absent.
    pub otlp_endpoint: Option<Url>,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// Where errors are reported; nowhere if absent.
    pub errors: Option<ErrorSettings>,
    /// The Pyroscope that receives profiles, such as `http://pyroscope:4040`; none are made for it if absent.
    pub pyroscope: Option<Url>,
}

/// Telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The filter is not understood.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter cannot be made.
    #[error("cannot export to the OTLP endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The client of Sentry cannot be made.
    #[error("cannot report errors: {0}")]
    Reporter(#[from] reqwest::Error),
    /// Something else collects log lines in this process.
    #[error("telemetry was started before")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The system has no thread left.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Running telemetry. To be shut down before the process ends, or the last lines and spans are lost.
#[derive(Debug)]
pub struct Telemetry {
    tracer_provider: SdkTracerProvider,
    logger_provider: Option<SdkLoggerProvider>,
    reports: Option<Arc<Outbox>>,
    profiles: Option<profiles::Continuous>,
    /// Writes the lines that are queued when it is dropped.
    _lines: tracing_appender::non_blocking::WorkerGuard,
}

/// Lines that the standard output did not take in time.
static UNWRITTEN: OnceLock<ErrorCounter> = OnceLock::new();

/// What this process lost of its own telemetry so far, by signal.
fn lost() -> [(&'static str, u64); 4] {
    let unwritten = UNWRITTEN.get().map_or(0, ErrorCounter::dropped_lines);
    [
        ("traces", otlp::SPANS.lost()),
        ("logs", otlp::LINES.lost() + unwritten as u64),
        ("errors", errors::lost()),
        ("profiles", profiles::lost()),
    ]
}

/// Below this level, actix's extractors write the path of a request as it came, with whatever is in it.
const TALKATIVE: &str = "actix_web::types=info";

/// How long the receivers may take to accept the last spans and lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

impl Telemetry {
    /// Starts all signals. To be called on the runtime that serves their exporters.
    ///
    /// # Errors
    /// When a setting is wrong, or telemetry was started before.
    pub fn start(settings: &TelemetrySettings) -> Result<Self, StartError> {
        let filter = EnvFilter::try_new(&settings.filter)?.add_directive(TALKATIVE.parse()?);
        let resource = resource(settings);
        let exporters = settings.otlp_endpoint.as_ref();
        let tracer_provider = traces::provider(exporters, settings.sampling, resource.clone())?;
        let logger_provider = exporters.map(|endpoint| logs::provider(endpoint, resource)).transpose()?;
        opentelemetry::global::set_text_map_propagator(propagation::W3cOrJaeger::default());
        // For the spans that are made without `tracing`: those of database statements.
        opentelemetry::global::set_tracer_provider(tracer_provider.clone());

        let (lines, guard) = logs::layer(settings.log_format, logger_provider.as_ref());
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer_provider.tracer("glasshouse"))
            // Facts about the code and the thread are the same for every span of a kind.
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        let errors = settings.errors.as_ref().map(|errors| errors::start(errors, origin(settings)));
        let (reporting, reports) = errors.transpose()?.unzip();
        let layers = spans.and_then(lines).and_then(reporting);
        tracing_subscriber::registry().with(layers.with_filter(filter)).try_init()?;
        panics::log_all();
        let profiles = settings.pyroscope.as_ref().map(|address| profiles(address, settings)).transpose()?;
        Ok(Self { tracer_provider, logger_provider, reports, profiles, _lines: guard })
    }

    /// Sends what is queued, within a few seconds, and stops: all signals at once, because each may have a
    /// receiver that does not answer. To be called away from the async threads.
    pub fn shut_down(self) {
        let Self { tracer_provider, logger_provider, reports, profiles, _lines } = self;
        let profiles = profiles.map(profiles::Continuous::stop);
        let reports = reports.map(|reports| reports.close(Instant::now() + FLUSH_TIMEOUT));
        // Whatever cannot be sent now is lost, and there is nobody left to tell.
        std::thread::scope(|scope| {
            scope.spawn(|| tracer_provider.shutdown_with_timeout(FLUSH_TIMEOUT));
            scope.spawn(|| logger_provider.map(|provider| provider.shutdown_with_timeout(FLUSH_TIMEOUT)));
            scope.spawn(|| profiles.map(|profiles| profiles.wait(FLUSH_TIMEOUT)));
            reports.map(Flush::wait)
        });
    }
}

/// The attribute that says where a process runs, such as `production` (OpenTelemetry's semantic conventions).
const ENVIRONMENT: &str = "deployment.environment.name";

fn origin(settings: &TelemetrySettings) -> Origin {
    let environment = settings.resource_attributes.iter().find(|(name, _)| name == ENVIRONMENT);
    Origin {
        service: settings.service_name.clone(),
        environment: environment.map(|(_, value)| value.clone()),
    }
}

fn profiles(address: &Url, settings: &TelemetrySettings) -> std::io::Result<profiles::Continuous> {
    // Names of labels have no dots.
    let name = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let attributes = settings.resource_attributes.iter();
    let labels = attributes.map(|(attribute, value)| (name(attribute), value.clone())).chain([
        ("service_name".to_owned(), settings.service_name.clone()),
        ("service_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    profiles::Continuous::start(profiles::Receiver { address: address.clone(), labels: labels.collect() })
}

fn resource(settings: &TelemetrySettings) -> Resource {
    let attributes = settings.resource_attributes.iter();
    Resource::builder()
        .with_attributes(
            attributes.map(|(name, value)| opentelemetry::KeyValue::new(name.clone(), value.clone())),
        )
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_service_name(settings.service_name.clone())
        .build()
}
