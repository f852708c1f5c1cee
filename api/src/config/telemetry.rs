//! Settings of telemetry: where each signal goes, and how much of it.

use std::str::FromStr;

use glasshouse_telemetry::metrics::MetricsSettings;
use glasshouse_telemetry::{ErrorSettings, InvalidDsn, LogFormat, Sampling, TelemetrySettings};
use url::Url;

use super::{ProcessKind, Reader};

/// Reads the settings of logs, traces, profiles and error events. `kind` is `None` for commands that run to
/// completion. On a terminal the default log format is the pretty one.
pub fn read(kind: Option<ProcessKind>, env: &mut Reader, on_terminal: bool) -> TelemetrySettings {
    TelemetrySettings {
        service_name: env.text("OTEL_SERVICE_NAME").unwrap_or_else(|| service_name(kind).to_owned()),
        resource_attributes: resource_attributes(env),
        log_format: log_format(env, on_terminal),
        filter: filter(env),
        otlp_endpoint: url(env, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        sampling: sampling(env),
        errors: errors(env),
        pyroscope: url(env, "PYROSCOPE_SERVER_ADDRESS", "http://pyroscope:4040"),
    }
}

/// Reads the settings of the metrics.
pub(super) fn read_metrics(env: &mut Reader) -> MetricsSettings {
    let MetricsSettings { label_cap, .. } = MetricsSettings::default();
    let label_cap = env.number("GLASSHOUSE_METRIC_LABEL_CAP", label_cap as u64, 1..=100_000);
    let has_limit = env.text("GLASSHOUSE_MEMORY_LIMIT_MIB").is_some();
    let limit = env.number("GLASSHOUSE_MEMORY_LIMIT_MIB", 1, 1..=1_048_576) * 1024 * 1024;
    MetricsSettings {
        label_cap: usize::try_from(label_cap).unwrap_or(usize::MAX),
        memory_limit: has_limit.then_some(limit),
    }
}

const fn service_name(kind: Option<ProcessKind>) -> &'static str {
    match kind {
        Some(ProcessKind::Serve) => "glasshouse-api",
        Some(ProcessKind::Worker) => "glasshouse-worker",
        Some(ProcessKind::Gateway) => "glasshouse-gateway",
        Some(ProcessKind::Demo) | None => "glasshouse",
    }
}

/// Comma-separated `key=value` pairs, as the OpenTelemetry specification defines the variable.
fn resource_attributes(env: &mut Reader) -> Vec<(String, String)> {
    let text = env.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut attributes = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => attributes.push((name.trim().to_owned(), value.trim().to_owned())),
            None => {
                let problem = format!("must be comma-separated key=value pairs, not {pair:?}");
                env.wrong("OTEL_RESOURCE_ATTRIBUTES", &problem);
            }
        }
    }
    attributes
}

fn log_format(env: &mut Reader, on_terminal: bool) -> LogFormat {
    let by_default = if on_terminal { LogFormat::Pretty } else { LogFormat::Json };
    match env.text("GLASSHOUSE_LOG_FORMAT").as_deref() {
        None => by_default,
        Some("json") => LogFormat::Json,
        Some("pretty") => LogFormat::Pretty,
        Some(other) => {
            env.wrong("GLASSHOUSE_LOG_FORMAT", &format!("must be json or pretty, not {other:?}"));
            by_default
        }
    }
}

/// The default filter. It silences what libraries log at info without use here: database notices, each
/// migration, each server thread, each start of a profile.
const DEFAULT_FILTER: &str =
    "info,actix_server=warn,pyroscope=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn";

fn filter(env: &mut Reader) -> String {
    let filter = env.text("RUST_LOG").unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::from_str(&filter) {
        env.wrong("RUST_LOG", &error);
    }
    filter
}

fn url(env: &mut Reader, variable: &'static str, example: &str) -> Option<Url> {
    let text = env.text(variable)?;
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        _ => {
            env.wrong(variable, &format!("must be a URL such as {example}"));
            None
        }
    }
}

fn sampling(env: &mut Reader) -> Sampling {
    let ratio = ratio("OTEL_TRACES_SAMPLER_ARG", 1.0, env);
    let name = env.text("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    Sampling::parse(name.trim(), ratio).unwrap_or_else(|error| {
        env.wrong("OTEL_TRACES_SAMPLER", &error);
        Sampling { follow_parent: true, ratio }
    })
}

/// A ratio: a number from 0 to 1.
fn ratio(name: &'static str, default: f64, env: &mut Reader) -> f64 {
    let ratio = env.or(name, default);
    if (0.0..=1.0).contains(&ratio) {
        return ratio;
    }
    env.wrong(name, &format!("must be from 0 to 1, not {ratio}"));
    default
}

fn errors(env: &mut Reader) -> Option<ErrorSettings> {
    let traces_sample_rate = ratio("SENTRY_TRACES_SAMPLE_RATE", 0.0, env);
    match env.text("SENTRY_DSN")?.trim().parse() {
        Ok(dsn) => Some(ErrorSettings { dsn, traces_sample_rate }),
        Err(InvalidDsn) => {
            env.wrong("SENTRY_DSN", &InvalidDsn);
            None
        }
    }
}
