//! The signals: where each is sent, how all of them start and stop, and what each of them dropped.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use url::Url;

use crate::errors::{self, ErrorSettings, InvalidDsn, Origin};
use crate::fields::with_causes;
use crate::logs::{LogFormat, LogSchema, OutputGuard, Sinks};
use crate::own_spans::OwnSpans;
use crate::recent::RecentTelemetry;
use crate::settings::certificates::TrustedCertificates;
use crate::settings::environment::{Environment, certificates, ratio, url};
use crate::settings::invalid::InvalidSetting;
use crate::traces::Sampling;
use crate::{logs, otlp, panics, profiles, propagation, traces};

/// A signal that is sent to a receiver. Metrics are not: Prometheus fetches them.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// The name, which is the label `signal` of `telemetry_dropped_total`.
    pub name: &'static str,
    /// The environment variable with the address of the receiver.
    pub variable: &'static str,
    /// An example of its value.
    pub example: &'static str,
}

/// All signals that are sent to a receiver.
pub const SIGNALS: [Signal; 4] = [
    Signal { name: "traces", variable: OTLP, example: OTLP_EXAMPLE },
    Signal { name: "logs", variable: OTLP, example: OTLP_EXAMPLE },
    Signal { name: "errors", variable: SENTRY, example: "https://key@sentry.example/1" },
    Signal { name: "profiles", variable: PYROSCOPE, example: PYROSCOPE_EXAMPLE },
];

const OTLP: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const OTLP_EXAMPLE: &str = "http://collector:4317";
const SENTRY: &str = "SENTRY_DSN";
const PYROSCOPE: &str = "PYROSCOPE_SERVER_ADDRESS";
const PYROSCOPE_EXAMPLE: &str = "http://pyroscope:4040";

/// Telemetry that was dropped so far, in the order of [`SIGNALS`]: its queue was full, or its receiver did not accept it.
pub(crate) fn dropped() -> [(&'static str, u64); SIGNALS.len()] {
    let counts = [otlp::SPANS.dropped(), logs::dropped(), errors::dropped(), profiles::dropped()];
    std::array::from_fn(|index| (SIGNALS[index].name, counts[index]))
}

/// The settings of the signals. By default nothing leaves the process but log records on standard output.
#[derive(Clone, Debug, Default)]
pub struct SignalSettings {
    /// The OTLP receiver (gRPC) of spans and log records, such as `http://collector:4317`, or `https://` with TLS; `None`
    /// exports neither.
    pub otlp_endpoint: Option<Url>,
    /// The authorities that the OTLP receiver is verified with; `None` trusts those of the system.
    pub otlp_certificates: Option<TrustedCertificates>,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// The project at Sentry that receives error events; `None` installs nothing.
    pub errors: Option<ErrorSettings>,
    /// The Pyroscope server that receives profiles, such as `http://pyroscope:4040`; `None` takes no samples.
    pub pyroscope: Option<Url>,
    /// Keeps the recent traces of the process in memory; `None` keeps nothing.
    pub recent: Option<RecentTelemetry>,
}

impl SignalSettings {
    /// Replaces settings by those of the variables that are set.
    pub(crate) fn read<L: FnMut(&'static str) -> Option<String>>(&mut self, env: &mut Environment<L>) {
        if let Some(endpoint) = env.parsed(OTLP, url(OTLP_EXAMPLE)) {
            self.otlp_endpoint = Some(endpoint);
        }
        if let Some(certificates) = env.parsed("OTEL_EXPORTER_OTLP_CERTIFICATE", certificates) {
            self.otlp_certificates = Some(certificates);
        }
        if env.text("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")) {
            self.otlp_endpoint = None;
        }
        // Other samplers have no argument, so it may be anything.
        let has_ratio = env.text("OTEL_TRACES_SAMPLER").is_some_and(|name| name.ends_with("traceidratio"));
        let argument = |text: &str| if has_ratio { ratio(text) } else { Ok(1.0) };
        let sampler_ratio = env.parsed("OTEL_TRACES_SAMPLER_ARG", argument).unwrap_or(1.0);
        let sampler = |name: &str| Sampling::parse(name, sampler_ratio).map_err(|error| error.to_string());
        if let Some(sampling) = env.parsed("OTEL_TRACES_SAMPLER", sampler) {
            self.sampling = sampling;
        }
        let traces_sample_rate = env.parsed("SENTRY_TRACES_SAMPLE_RATE", ratio).unwrap_or_default();
        let dsn = env.parsed(SENTRY, |text| text.parse().map_err(|error: InvalidDsn| error.to_string()));
        if let Some(dsn) = dsn {
            self.errors = Some(ErrorSettings { dsn, traces_sample_rate });
        }
        if let Some(address) = env.parsed(PYROSCOPE, url(PYROSCOPE_EXAMPLE)) {
            self.pyroscope = Some(address);
        }
    }
}

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
    /// The HTTP client for error events or profiles cannot be built.
    #[error("cannot send error events or profiles: {}", with_causes(.0))]
    HttpClient(reqwest::Error),
    /// The process has a global `tracing` subscriber already.
    #[error("telemetry was started before")]
    AlreadyStarted(#[from] tracing_subscriber::util::TryInitError),
    /// The operating system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the signals of a process have in common.
pub(crate) struct Common {
    /// The name of the program: the instrumentation scope of spans and log records.
    pub(crate) program: &'static str,
    /// The events and spans that are recorded.
    pub(crate) filter: EnvFilter,
    /// The format of log records on standard output.
    pub(crate) log_format: LogFormat,
    /// The fields of log records.
    pub(crate) schema: LogSchema,
    /// The resource that spans and log records belong to.
    pub(crate) resource: Resource,
    /// The process that error events come from.
    pub(crate) origin: Origin,
    /// The labels of profiles.
    pub(crate) profile_labels: BTreeMap<String, String>,
}

/// The exporters of all signals: everything whose creation can fail because of the settings.
pub(crate) struct Exporters {
    tracer_provider: SdkTracerProvider,
    logger_provider: Option<SdkLoggerProvider>,
    error_transport: Option<errors::Factory>,
    profile_client: Option<reqwest::Client>,
}

impl Exporters {
    /// The exporters of these settings. They have sent nothing yet, and need a Tokio runtime.
    ///
    /// # Errors
    /// When an exporter cannot be built.
    pub(crate) fn new(settings: &SignalSettings, common: &Common) -> Result<Self, StartError> {
        let (receiver, resource) = (otlp::Receiver::new(settings), common.resource.clone());
        let (receiver, redactor) = (receiver.as_ref(), common.schema.redactor.clone());
        let tracer_provider = traces::provider(
            receiver,
            settings.sampling,
            redactor,
            resource.clone(),
            settings.recent.as_ref(),
        )?;
        let logger_provider = receiver.map(|receiver| logs::provider(receiver, resource)).transpose()?;
        let in_app = settings.errors.as_ref().map(|_| common.origin.in_app.clone());
        let error_transport = in_app.map(errors::Factory::new).transpose().map_err(StartError::HttpClient)?;
        let profile_client = settings.pyroscope.as_ref().map(|_| profiles::client());
        let profile_client = profile_client.transpose().map_err(StartError::HttpClient)?;
        Ok(Self { tracer_provider, logger_provider, error_transport, profile_client })
    }
}

/// The running signals.
#[derive(Debug)]
pub(crate) struct Signals {
    tracer_provider: SdkTracerProvider,
    logger_provider: Option<SdkLoggerProvider>,
    profiles: Option<profiles::Continuous>,
    /// Writes the queued log records to standard output when it is dropped.
    _stdout: OutputGuard,
}

impl Signals {
    /// Starts all signals on the current Tokio runtime.
    ///
    /// # Errors
    /// When an exporter cannot be built, or the process has a `tracing` subscriber already.
    pub(crate) fn start(settings: &SignalSettings, common: Common) -> Result<Self, StartError> {
        let Exporters { tracer_provider, logger_provider, error_transport, profile_client } =
            Exporters::new(settings, &common)?;
        let Common { program, filter, log_format, schema, resource: _, origin, profile_labels } = common;
        opentelemetry::global::set_text_map_propagator(propagation::W3cOrJaeger::default());
        // For spans that are made without `tracing`, such as those of database statements.
        opentelemetry::global::set_tracer_provider(tracer_provider.clone());

        let logger = logger_provider.as_ref().map(|provider| provider.logger(program));
        let errors = settings.errors.as_ref().zip(error_transport);
        let redactor = schema.redactor.clone();
        let errors = errors.map(|(errors, transport)| errors::start(errors, transport, origin, redactor));
        let (errors, capture) = errors.unzip();
        let sinks = Sinks { otlp: logger, errors: capture, recent: settings.recent.clone() };
        let (logs, stdout) = logs::layer(schema.clone(), log_format, sinks)?;
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer_provider.tracer(program))
            // Code location and thread are the same for all spans of a kind, and cost bytes in each.
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            // Attributes that are derived from a field would have another name than the one that marks it as a secret.
            .with_error_fields_to_exceptions(false)
            .with_error_records_to_exceptions(false);
        let own = schema.trusted.clone();
        // A span has the service's own events alone: those of libraries would bring their text.
        let spans = spans.with_filter(filter_fn(move |metadata| metadata.is_span() || own.wrote(metadata)));
        let has_transactions = settings.errors.as_ref().is_some_and(|errors| errors.traces_sample_rate > 0.0);
        let own_spans = OwnSpans::new(schema, has_transactions);
        let layers = spans.and_then(logs).and_then(errors);
        // The filters are layers of their own. As filters of `layers`, they would let a library that asks whether its event is
        // enabled, and gets the answer that it is not, take the next event of the thread with it: the answer is kept until then.
        tracing_subscriber::registry().with(layers).with(own_spans).with(filter).try_init()?;
        panics::log_all();
        let receiver = settings.pyroscope.clone().zip(profile_client);
        let receiver =
            receiver.map(|(address, client)| profiles::Receiver { address, labels: profile_labels, client });
        let profiles = receiver.map(profiles::Continuous::start).transpose()?;
        Ok(Self { tracer_provider, logger_provider, profiles, _stdout: stdout })
    }

    /// Sends what is queued, and stops. All signals are flushed at once, as the receiver of each may be gone.
    pub(crate) fn shut_down(self) {
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

/// How long the receivers may take to accept what is queued at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
