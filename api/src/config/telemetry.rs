//! Settings of telemetry: where each signal goes, and how much of it.

use glasshouse_telemetry::metrics::StandardMetricsSettings;
use glasshouse_telemetry::service::metrics::MetricsSettings;
use glasshouse_telemetry::{Build, ERROR_TAGS, LogFormat, SpanField, TelemetrySettings};

use super::{ProcessKind, tls};
use crate::environment::Reader;

/// The build of this program. The Dockerfile sets the commit.
const BUILD: Build = Build {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("GLASSHOUSE_COMMIT"),
};

/// The fields of spans that log records inherit.
const SPAN_FIELDS: [SpanField; 6] = [
    SpanField::new("request_id", "request_id"),
    TENANT,
    SpanField::new("user.id", "user_id"),
    SpanField::new("http.request.method", "method"),
    SpanField::new("url.path", "path"),
    SpanField::new("job", "job"),
];

/// The tag of error events in addition to [`ERROR_TAGS`].
const TENANT: SpanField = SpanField::new("tenant.id", "tenant_id");

/// The modules whose stack frames Sentry shows first.
const IN_APP: [&str; 4] = ["glasshouse", "glasshouse_api", "glasshouse_domain", "glasshouse_infra"];

/// Libraries whose records at level `INFO` are of no use here: notices of the database, each migration, each server
/// thread, each start of a profile.
const FILTER: &str =
    "info,actix_server=warn,pyroscope=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// Reads the settings of logs, traces, profiles and error events, and checks the certificate authorities that every
/// command needs for them. `kind` is `None` for commands that run to completion. On a terminal the default log format is the pretty one.
pub fn read(kind: Option<ProcessKind>, env: &mut Reader, on_terminal: bool) -> TelemetrySettings {
    let mut settings = TelemetrySettings {
        span_fields: SPAN_FIELDS.to_vec(),
        error_tags: [ERROR_TAGS.as_slice(), &[TENANT]].concat(),
        in_app: IN_APP.to_vec(),
        filter: FILTER.to_owned(),
        log_format: log_format(env, on_terminal),
        ..TelemetrySettings::new(service_name(kind), BUILD)
    };
    if let Err(invalid) = settings.read_environment(|name| env.text(name)) {
        for variable in invalid.0 {
            env.wrong(variable.name, &variable.problem);
        }
    }
    tls::check_authorities(env);
    if let (Some(endpoint), None) = (&settings.signals.otlp_endpoint, &settings.signals.otlp_certificates) {
        tls::check_url(env, "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    }
    settings
}

/// Reads the settings of the metrics.
pub(super) fn read_metrics(env: &mut Reader) -> MetricsSettings {
    let MetricsSettings { label_cap, .. } = MetricsSettings::default();
    let label_cap = env.number("GLASSHOUSE_METRIC_LABEL_CAP", label_cap as u64, 1..=100_000);
    let has_limit = env.text("GLASSHOUSE_MEMORY_LIMIT_MIB").is_some();
    let limit = env.number("GLASSHOUSE_MEMORY_LIMIT_MIB", 1, 1..=1_048_576) * 1024 * 1024;
    MetricsSettings {
        label_cap: usize::try_from(label_cap).unwrap_or(usize::MAX),
        standard: StandardMetricsSettings {
            memory_limit: has_limit.then_some(limit),
            build: Some(BUILD),
            semconv: env.or("GLASSHOUSE_OTEL_METRICS", false),
        },
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
