//! The settings of telemetry: everything that one service decides, and another one decides otherwise.

mod environment;

use opentelemetry_sdk::Resource;
use url::Url;

use crate::errors::ErrorSettings;
use crate::logs::{LogFormat, SpanField};
use crate::traces::Sampling;

pub use environment::{InvalidVariable, InvalidVariables};

/// The build of the program that runs, known when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The name of the program, such as `env!("CARGO_PKG_NAME")`: the instrumentation scope of spans and log records,
    /// and the first part of [`release`](Self::release).
    pub name: &'static str,
    /// Its version, such as `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// The commit that it was built from, such as `option_env!("GIT_COMMIT")`.
    pub commit: Option<&'static str>,
}

impl Build {
    /// `NAME@VERSION+COMMIT`, which is Sentry's form of a release.
    #[must_use]
    pub fn release(&self) -> String {
        let commit = self.commit.map(|commit| format!("+{commit}")).unwrap_or_default();
        format!("{}@{}{commit}", self.name, self.version)
    }
}

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
    /// The OTLP receiver (gRPC) of spans and log records, such as `http://collector:4317`; `None` exports neither.
    pub otlp_endpoint: Option<Url>,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// The project at Sentry that receives error events; `None` installs nothing.
    pub errors: Option<ErrorSettings>,
    /// The fields of spans and log records that become tags of error events and transactions.
    pub error_tags: Vec<SpanField>,
    /// Prefixes of the modules that are the service's own, such as `shop`. Sentry folds the stack frames of all others.
    pub in_app: Vec<&'static str>,
    /// The Pyroscope server that receives profiles, such as `http://pyroscope:4040`; `None` takes no samples.
    pub pyroscope: Option<Url>,
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

/// A setting has a value that telemetry cannot start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct InvalidSetting {
    /// The field of [`TelemetrySettings`].
    pub setting: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

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
            otlp_endpoint: None,
            sampling: Sampling::default(),
            errors: None,
            error_tags: ERROR_TAGS.to_vec(),
            in_app: Vec::new(),
            pyroscope: None,
        }
    }

    /// Checks the settings that are not valid by their type.
    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        let invalid = |setting, problem: String| Err(InvalidSetting { setting, problem });
        if self.service_name.trim().is_empty() {
            return invalid("service_name", "must not be empty".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sampling.ratio) {
            return invalid(
                "sampling",
                format!("the ratio must be from 0 to 1, not {}", self.sampling.ratio),
            );
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

    const BUILD: Build = Build { name: "shop", version: "1.2.3", commit: Some("abc") };

    #[test]
    fn defaults_are_valid_and_mistakes_are_named() {
        let valid = TelemetrySettings::new("shop", BUILD);
        assert_eq!(valid.validate(), Ok(()));
        let mut twice = valid.clone();
        twice.span_fields.push(SpanField::new("http.path", "path"));
        let mut reserved = valid.clone();
        reserved.span_fields = vec![SpanField::new("trace", "trace_id")];
        let ratio =
            TelemetrySettings { sampling: Sampling { ratio: 1.5, ..valid.sampling }, ..valid.clone() };
        let name = TelemetrySettings { service_name: " ".to_owned(), ..valid };
        for (settings, setting) in
            [(twice, "span_fields"), (reserved, "span_fields"), (ratio, "sampling"), (name, "service_name")]
        {
            assert_eq!(settings.validate().unwrap_err().setting, setting);
        }
    }

    #[test]
    fn a_release_names_program_version_and_commit() {
        assert_eq!(BUILD.release(), "shop@1.2.3+abc");
        assert_eq!(Build { commit: None, ..BUILD }.release(), "shop@1.2.3");
    }
}
