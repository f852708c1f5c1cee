//! The environment variables of telemetry, as lines `NAME=value`.

use std::collections::HashMap;

use glasshouse_telemetry::{Build, TelemetrySettings};

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "telemetry_settings",
    seeds: &[
        "OTEL_SERVICE_NAME=shop\nOTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=staging,zone = b%2Cc",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317\nOTEL_SDK_DISABLED=true",
        "OTEL_TRACES_SAMPLER=parentbased_traceidratio\nOTEL_TRACES_SAMPLER_ARG=0.1",
        "OTEL_TRACES_SAMPLER=traceidratio\nOTEL_TRACES_SAMPLER_ARG=1.5\nSENTRY_TRACES_SAMPLE_RATE=-0.5",
        "RUST_LOG=warn,shop=debug\nOTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=GET,POST",
        "SENTRY_DSN=https://hunter2@sentry.invalid/1\nSENTRY_TRACES_SAMPLE_RATE=1e-3",
        "PYROSCOPE_SERVER_ADDRESS=http://pyroscope:4040",
    ],
    dictionary: &[
        "OTEL_SERVICE_NAME=",
        "OTEL_RESOURCE_ATTRIBUTES=",
        "OTEL_EXPORTER_OTLP_ENDPOINT=",
        "OTEL_SDK_DISABLED=",
        "OTEL_TRACES_SAMPLER=",
        "OTEL_TRACES_SAMPLER_ARG=",
        "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=",
        "RUST_LOG=",
        "SENTRY_DSN=",
        "SENTRY_TRACES_SAMPLE_RATE=",
        "PYROSCOPE_SERVER_ADDRESS=",
        "service.name=",
        "NaN",
        "https://",
        "%2C",
        "\u{feff}",
    ],
    run,
};

const BUILD: Build = Build { name: "fuzz", version: "0", commit: None };

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let variables: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    // A file of certificates is no text of the environment.
    let lookup = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_CERTIFICATE" => None,
        _ => variables.get(name).map(|value| (*value).to_owned()),
    };
    let mut settings = TelemetrySettings::new("fuzz", BUILD);
    let invalid = settings.read_environment(lookup).err().map(|invalid| invalid.0).unwrap_or_default();
    for variable in &invalid {
        assert!(variables.contains_key(variable.name), "{} is not set", variable.name);
        assert!(!variable.problem.is_empty(), "{} has no problem", variable.name);
    }
    let has_secret = |value: &&str| value.starts_with("https://hunter2@");
    let is_only_there =
        variables.get("SENTRY_DSN").is_some_and(has_secret) && text.matches("hunter2").count() == 1;
    assert!(!is_only_there || !format!("{settings:?}{invalid:?}").contains("hunter2"), "the key leaks");
    assert!(!settings.service_name.trim().is_empty(), "the service has no name");
    assert!((0.0..=1.0).contains(&settings.signals.sampling.ratio), "{:?}", settings.signals.sampling);
    let rate = settings.signals.errors.map_or(0.0, |errors| errors.traces_sample_rate);
    assert!((0.0..=1.0).contains(&rate), "{rate}");
    assert!(settings.known_methods.iter().all(|method| !method.is_empty()));
    assert!(
        settings.resource_attributes.iter().all(|(name, _)| !name.is_empty()),
        "an attribute has no name"
    );
}
