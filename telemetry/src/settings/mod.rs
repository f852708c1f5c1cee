//! The settings of telemetry: everything that one service decides, and another one decides otherwise.

pub(crate) mod build;
pub(crate) mod certificates;
pub(crate) mod environment;
pub(crate) mod invalid;

use std::str::FromStr;

use opentelemetry_sdk::Resource;
use tracing_subscriber::EnvFilter;

use crate::errors::Origin;
use crate::logs::{LogFormat, SpanField};
use crate::signals::SignalSettings;

use environment::{Environment, resource_attributes};

pub use build::Build;
pub use certificates::TrustedCertificates;
pub use environment::variable_value;
pub use invalid::{InvalidSetting, InvalidVariable, InvalidVariables};

/// The settings of telemetry. [`new`](Self::new) has a default for each of them.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The name of the service: the resource attribute `service.name`, the label `service_name` of profiles, and the tag
    /// `service` of error events.
    pub service_name: String,
    /// The build: the resource attribute `service.version`, and the release of error events.
    pub build: Build,
    /// Further resource attributes, such as `deployment.environment.name`, which is also the environment of error events.
    pub resource_attributes: Vec<(String, String)>,
    /// The format of log records on standard output.
    pub log_format: LogFormat,
    /// The events and spans that are recorded, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// The fields of spans that log records inherit, in the order in which a record has them.
    pub span_fields: Vec<SpanField>,
    /// Names of fields whose values are secrets, in addition to [`SECRET_FIELDS`](crate::SECRET_FIELDS). Case does not
    /// matter, and `-` equals `_`. A field matches with its whole name or its last part behind a dot.
    pub secret_fields: Vec<String>,
    /// Where each signal is sent, and how much of it.
    pub signals: SignalSettings,
    /// The fields of spans and log records that become tags of error events and transactions.
    pub error_tags: Vec<SpanField>,
    /// Prefixes of the modules that are the service's own, such as `shop`. Sentry folds the stack frames of all others.
    pub in_app: Vec<&'static str>,
}

/// The fields that log records inherit by default: those of [`root_span!`](crate::root_span).
pub const SPAN_FIELDS: [SpanField; 4] = [
    SpanField::new("request_id", "request_id"),
    SpanField::new("user.id", "user_id"),
    SpanField::new("http.request.method", "method"),
    SpanField::new("url.path", "path"),
];

/// The tags of error events by default: those that mark a span as a request or a background job.
pub const ERROR_TAGS: [SpanField; 2] =
    [SpanField::new("request_id", "request_id"), SpanField::new("job", "job")];

impl TelemetrySettings {
    /// Defaults: JSON log records at level `INFO` on standard output; nothing leaves the process otherwise.
    #[must_use]
    pub fn new(service_name: impl Into<String>, build: Build) -> Self {
        Self {
            service_name: service_name.into(),
            build,
            resource_attributes: Vec::new(),
            log_format: LogFormat::Json,
            filter: "info".to_owned(),
            span_fields: SPAN_FIELDS.to_vec(),
            secret_fields: Vec::new(),
            signals: SignalSettings::default(),
            error_tags: ERROR_TAGS.to_vec(),
            in_app: Vec::new(),
        }
    }

    /// Replaces settings by those of the variables that are set: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    /// `RUST_LOG`, and those of each signal ([`SIGNALS`](crate::SIGNALS), `OTEL_EXPORTER_OTLP_CERTIFICATE`,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` and `SENTRY_TRACES_SAMPLE_RATE`). A blank value counts as not set.
    ///
    /// # Errors
    /// With all variables that have no valid value. Their settings stay as they are.
    pub fn read_environment(
        &mut self,
        lookup: impl FnMut(&'static str) -> Option<String>,
    ) -> Result<(), InvalidVariables> {
        let mut env = Environment::new(lookup);
        if let Some(name) = env.text("OTEL_SERVICE_NAME") {
            self.service_name = name;
        }
        if let Some(attributes) = env.parsed("OTEL_RESOURCE_ATTRIBUTES", resource_attributes) {
            self.resource_attributes = attributes;
        }
        let filter = |text: &str| match EnvFilter::from_str(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Some(filter) = env.parsed("RUST_LOG", filter) {
            self.filter = filter;
        }
        self.signals.read(&mut env);
        if env.invalid.is_empty() { Ok(()) } else { Err(InvalidVariables(env.invalid)) }
    }

    /// Checks the settings that are not valid by their type.
    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        let invalid = |setting, problem: String| Err(InvalidSetting { setting, problem });
        if self.service_name.trim().is_empty() {
            return invalid("service_name", "must not be empty".to_owned());
        }
        let ratio = self.signals.sampling.ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return invalid("signals.sampling", format!("the ratio must be from 0 to 1, not {ratio}"));
        }
        for (index, field) in self.span_fields.iter().enumerate() {
            let name = field.record;
            if OWN_FIELDS.contains(&name)
                || self.span_fields[..index].iter().any(|other| other.record == name)
            {
                return invalid("span_fields", format!("a log record cannot have a second field {name:?}"));
            }
        }
        Ok(())
    }

    /// Where the process runs, such as `production`.
    pub(crate) fn environment(&self) -> Option<&str> {
        let attribute = self.resource_attributes.iter().find(|(name, _)| name == ENVIRONMENT);
        attribute.map(|(_, value)| value.as_str())
    }

    /// The process that error events come from.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            service: self.service_name.clone(),
            environment: self.environment().map(str::to_owned),
            build: self.build,
            in_app: self.in_app.clone(),
            tags: self.error_tags.clone(),
        }
    }

    /// The resource that spans and log records belong to.
    pub(crate) fn resource(&self) -> Resource {
        let attribute =
            |(name, value): &(String, String)| opentelemetry::KeyValue::new(name.clone(), value.clone());
        Resource::builder()
            .with_attributes(self.resource_attributes.iter().map(attribute))
            .with_attribute(opentelemetry::KeyValue::new("service.version", self.build.version))
            .with_service_name(self.service_name.clone())
            .build()
    }

    /// The labels of profiles. Names of labels have no dots.
    pub(crate) fn profile_labels(&self) -> impl Iterator<Item = (String, String)> {
        let name = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let attributes = self.resource_attributes.iter();
        attributes.map(move |(attribute, value)| (name(attribute), value.clone())).chain([
            ("service_name".to_owned(), self.service_name.clone()),
            ("service_version".to_owned(), self.build.version.to_owned()),
        ])
    }
}

/// The fields that each log record has of its own.
const OWN_FIELDS: [&str; 6] = ["timestamp", "level", "message", "target", "trace_id", "span_id"];

/// The resource attribute of the environment (OpenTelemetry's semantic conventions).
const ENVIRONMENT: &str = "deployment.environment.name";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::Sampling;

    const BUILD: Build = Build { name: "shop", version: "1.2.3", commit: Some("abc") };

    #[test]
    fn defaults_are_valid_and_mistakes_are_named() {
        let valid = TelemetrySettings::new("shop", BUILD);
        assert_eq!(valid.validate(), Ok(()));
        let mut twice = valid.clone();
        twice.span_fields.push(SpanField::new("http.path", "path"));
        let mut reserved = valid.clone();
        reserved.span_fields = vec![SpanField::new("trace", "trace_id")];
        let mut ratio = valid.clone();
        ratio.signals.sampling.ratio = 1.5;
        let name = TelemetrySettings { service_name: " ".to_owned(), ..valid };
        for (settings, setting) in [
            (twice, "span_fields"),
            (reserved, "span_fields"),
            (ratio, "signals.sampling"),
            (name, "service_name"),
        ] {
            assert_eq!(settings.validate().unwrap_err().setting, setting);
        }
    }

    #[test]
    fn a_release_names_program_version_and_commit() {
        assert_eq!(BUILD.release(), "shop@1.2.3+abc");
        assert_eq!(Build { commit: None, ..BUILD }.release(), "shop@1.2.3");
    }

    fn read(variables: &[(&str, &str)]) -> (TelemetrySettings, Vec<&'static str>) {
        let mut settings = TelemetrySettings::new("shop", BUILD);
        let lookup =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        let invalid = settings.read_environment(lookup).err().map(|invalid| invalid.0);
        (settings, invalid.unwrap_or_default().iter().map(|variable| variable.name).collect())
    }

    #[test]
    fn a_variable_replaces_its_setting_and_a_blank_one_does_not() {
        let (settings, invalid) = read(&[
            ("OTEL_SERVICE_NAME", " "),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging, zone = b"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
            ("RUST_LOG", "warn,shop=debug"),
            ("SENTRY_DSN", "https://key@sentry.invalid/1"),
        ]);
        assert_eq!(invalid, [""; 0]);
        assert_eq!((&*settings.service_name, settings.environment()), ("shop", Some("staging")));
        assert_eq!(settings.resource_attributes[1], ("zone".to_owned(), "b".to_owned()));
        assert_eq!(settings.signals.otlp_endpoint.unwrap().as_str(), "http://collector:4317/");
        assert_eq!(settings.signals.sampling, Sampling { follow_parent: true, ratio: 0.1 });
        assert_eq!(settings.filter, "warn,shop=debug");
        assert!(settings.signals.errors.is_some() && settings.signals.pyroscope.is_none());
    }

    #[test]
    fn all_invalid_variables_are_named() {
        let (settings, invalid) = read(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "zone"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("RUST_LOG", "shop=loud"),
            ("SENTRY_DSN", "nothing"),
            ("PYROSCOPE_SERVER_ADDRESS", "ftp://pyroscope"),
        ]);
        assert_eq!(invalid.len(), 7, "{invalid:?}");
        assert!(settings.signals.errors.is_none() && settings.signals.otlp_endpoint.is_none());
    }
}
