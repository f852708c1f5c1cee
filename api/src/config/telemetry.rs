use std::str::FromStr;

use glasshouse_telemetry::metrics::MetricsSettings;
use glasshouse_telemetry::{ErrorSettings, InvalidDsn, LogFormat, Sampling, TelemetrySettings};
use url::Url;

use super::{Reader, Role};

/// Reads what a process tells about itself, and whom. On a terminal the log lines are for people, unless
/// somebody says otherwise.
pub fn read(role: Option<Role>, env: &mut Reader, on_terminal: bool) -> TelemetrySettings {
    TelemetrySettings {
        service_name: env.text("OTEL_SERVICE_NAME").unwrap_or_else(|| service_name(role).to_owned()),
        resource_attributes: resource_attributes(env),
        log_format: log_format(env, on_terminal),
        filter: filter(env),
        otlp_endpoint: url(env, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        sampling: sampling(env),
        errors: errors(env),
        pyroscope: url(env, "PYROSCOPE_SERVER_ADDRESS", "http://pyroscope:4040"),
    }
}

/// Reads what the metrics have to be told.
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

const fn service_name(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Serve) => "glasshouse-api",
        Some(Role::Worker) => "glasshouse-worker",
        Some(Role::Gateway) => "glasshouse-gateway",
        Some(Role::Demo) | None => "glasshouse",
    }
}

/// `key=value` pairs with commas between them, as OpenTelemetry defines it.
fn resource_attributes(env: &mut Reader) -> Vec<(String, String)> {
    let text = env.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut attributes = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => attributes.push((name.trim().to_owned(), value.trim().to_owned())),
            None => {
                let problem = format!("must be key=value pairs with commas between them, not {pair:?}");
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

/// Libraries that tell what is of no use here: notices of the database, each migration, each server thread,
/// each start of a profile.
const QUIET: &str =
    "info,actix_server=warn,pyroscope=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn";

fn filter(env: &mut Reader) -> String {
    let filter = env.text("RUST_LOG").unwrap_or_else(|| QUIET.to_owned());
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
    let ratio = share("OTEL_TRACES_SAMPLER_ARG", 1.0, env);
    let name = env.text("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    Sampling::parse(name.trim(), ratio).unwrap_or_else(|error| {
        env.wrong("OTEL_TRACES_SAMPLER", &error);
        Sampling { follow_parent: true, ratio }
    })
}

/// A number from 0 to 1.
fn share(name: &'static str, default: f64, env: &mut Reader) -> f64 {
    let share = env.or(name, default);
    if (0.0..=1.0).contains(&share) {
        return share;
    }
    env.wrong(name, &format!("must be from 0 to 1, not {share}"));
    default
}

fn errors(env: &mut Reader) -> Option<ErrorSettings> {
    let traces_sample_rate = share("SENTRY_TRACES_SAMPLE_RATE", 0.0, env);
    match env.text("SENTRY_DSN")?.trim().parse() {
        Ok(dsn) => Some(ErrorSettings { dsn, traces_sample_rate }),
        Err(InvalidDsn) => {
            env.wrong("SENTRY_DSN", &InvalidDsn);
            None
        }
    }
}
