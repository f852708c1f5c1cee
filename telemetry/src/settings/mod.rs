//! The settings of telemetry: everything that one service decides, and another one decides otherwise.

pub(crate) mod build;
pub(crate) mod certificates;
pub(crate) mod environment;
pub(crate) mod invalid;

use std::collections::BTreeMap;
use std::str::FromStr;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use tracing_subscriber::EnvFilter;

use crate::errors::Origin;
use crate::http::KNOWN_METHODS;
use crate::logs::{LogFormat, SpanField};
use crate::signals::SignalSettings;

use environment::{Environment, methods, resource_attributes};

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
    /// The HTTP methods that are recorded by their names; all others are `_OTHER`. Names are case-sensitive.
    pub known_methods: Vec<String>,
    /// The fields of spans that log records inherit, in the order in which a record has them.
    pub span_fields: Vec<SpanField>,
    /// Names of fields whose values are secrets, in addition to [`SECRET_FIELDS`](crate::SECRET_FIELDS). Case does not
    /// matter, and `-` equals `_`. A field matches if a part between its dots is or ends in the name, as `access_token` does.
    pub secret_fields: Vec<String>,
    /// Where each signal is sent, and how much of it.
    pub signals: SignalSettings,
    /// The fields of spans and log records that become tags of error events and transactions.
    pub error_tags: Vec<SpanField>,
    /// Prefixes of the modules that are the service's own, such as `shop`, in addition to the program's name. Of all others,
    /// Sentry folds the stack frames, log records have no text, and spans are not recorded: a library may write anything
    /// there that a client sent. List a library whose spans and texts are known to be safe.
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
            known_methods: KNOWN_METHODS.map(str::to_owned).to_vec(),
            span_fields: SPAN_FIELDS.to_vec(),
            secret_fields: Vec::new(),
            signals: SignalSettings::default(),
            error_tags: ERROR_TAGS.to_vec(),
            in_app: Vec::new(),
        }
    }

    /// Replaces settings by those of the variables that are set: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    /// `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, `RUST_LOG`, and those of each signal ([`SIGNALS`](crate::SIGNALS),
    /// `OTEL_SDK_DISABLED`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` and
    /// `SENTRY_TRACES_SAMPLE_RATE`). A blank value counts as not set.
    ///
    /// # Errors
    /// With all variables that have no valid value. Their settings stay as they are.
    pub fn read_environment(
        &mut self,
        lookup: impl FnMut(&'static str) -> Option<String>,
    ) -> Result<(), InvalidVariables> {
        let mut env = Environment::new(lookup);
        if let Some(mut attributes) = env.parsed("OTEL_RESOURCE_ATTRIBUTES", resource_attributes) {
            if let Some(name) = attributes.remove("service.name").filter(|name| !name.trim().is_empty()) {
                self.service_name = name;
            }
            self.resource_attributes = attributes.into_iter().collect();
        }
        if let Some(name) = env.text("OTEL_SERVICE_NAME") {
            self.service_name = name;
        }
        if let Some(methods) = env.parsed("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", methods) {
            self.known_methods = methods;
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
        // Of two values, the last one counts, as in a resource.
        let attribute = self.resource_attributes.iter().rfind(|(name, _)| name == ENVIRONMENT);
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

    /// The resource that spans and log records belong to. The SDK reads no environment variable here: it would add what
    /// [`read_environment`](Self::read_environment) has replaced.
    pub(crate) fn resource(&self) -> Resource {
        let attribute =
            |(name, value): &(String, String)| opentelemetry::KeyValue::new(name.clone(), value.clone());
        Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attributes(self.resource_attributes.iter().map(attribute))
            .with_attribute(opentelemetry::KeyValue::new("service.version", self.build.version))
            .with_service_name(self.service_name.clone())
            .build()
    }

    /// The labels of profiles: the attributes of the resource. Names of labels have no dots.
    pub(crate) fn profile_labels(&self) -> BTreeMap<String, String> {
        let name = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let attributes = self.resource_attributes.iter();
        let labels = attributes.map(|(attribute, value)| (name(attribute), value.clone()));
        let own = [("service_name", &*self.service_name), ("service_version", self.build.version)];
        labels.chain(own.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
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
    fn resource_attributes_are_decoded_and_the_last_one_counts() {
        let attributes = |text: &str| -> Vec<(String, String)> {
            let (settings, invalid) = read(&[("OTEL_RESOURCE_ATTRIBUTES", text)]);
            assert_eq!(invalid, [""; 0], "{text}");
            settings.resource_attributes
        };
        for (text, expected) in [
            ("deployment.environment.name=prod%2Ceu", &[("deployment.environment.name", "prod,eu")][..]),
            ("a=1%3D2,b%2Cc=%20x%25", &[("a", "1=2"), ("b,c", " x%")]),
            ("a=%C3%A9,b=\u{e9}", &[("a", "\u{e9}"), ("b", "\u{e9}")]),
            (" a = 1 , b=x y ,", &[("a", "1"), ("b", "x y")]),
            ("a=1=2", &[("a", "1=2")]),
            ("a=1,a=2,b=", &[("a", "2"), ("b", "")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(attributes(text), expected, "{text}");
        }
        for text in ["zone", "=1", "a=%", "a=%2", "a=%zz", "a=%ff", "%=1", "a=1,b"] {
            assert_eq!(read(&[("OTEL_RESOURCE_ATTRIBUTES", text)]).1, ["OTEL_RESOURCE_ATTRIBUTES"], "{text}");
        }
    }

    #[test]
    fn the_service_has_one_name_in_all_signals() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop%2Dapi,service.version=9,zone=b");
        for (variables, expected) in [
            (&[attributes][..], "shop-api"),
            (&[attributes, ("OTEL_SERVICE_NAME", "till")], "till"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=,zone=b"), ("OTEL_SERVICE_NAME", "")], "shop"),
        ] {
            let (settings, invalid) = read(variables);
            assert_eq!((&*settings.service_name, &*invalid), (expected, &[""; 0][..]));
            let attribute =
                |name: &'static str| settings.resource().get(&name.into()).map(|value| value.to_string());
            assert_eq!(attribute("service.name").as_deref(), Some(expected));
            assert_eq!(
                attribute("service.version").as_deref(),
                Some("1.2.3"),
                "the build's own version counts"
            );
            assert_eq!(attribute("zone").as_deref(), Some("b"));
            let labels = settings.profile_labels();
            assert_eq!((&*labels["service_name"], &*labels["service_version"]), (expected, "1.2.3"));
        }
    }

    #[test]
    fn samplers_without_an_argument_ignore_it() {
        for (sampler, argument, expected) in [
            ("always_on", "2", Ok(1.0)),
            ("parentbased_always_off", "none", Ok(0.0)),
            ("traceidratio", "0.25", Ok(0.25)),
            ("parentbased_traceidratio", "", Ok(1.0)),
            ("traceidratio", "2", Err(["OTEL_TRACES_SAMPLER_ARG"])),
        ] {
            let variables = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
            match (read(&variables), expected) {
                ((settings, invalid), Ok(ratio)) => {
                    assert_eq!((settings.signals.sampling.ratio, invalid.len()), (ratio, 0), "{sampler}");
                }
                ((_, invalid), Err(names)) => assert_eq!(invalid, names, "{sampler}"),
            }
        }
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER_ARG", "0.1")]).0.signals.sampling, Sampling::default());
    }

    #[test]
    fn a_disabled_sdk_exports_nothing() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        for (disabled, exports) in
            [("true", false), ("TRUE", false), ("false", true), ("1", true), ("", true)]
        {
            let (settings, _) = read(&[endpoint, ("OTEL_SDK_DISABLED", disabled)]);
            assert_eq!(settings.signals.otlp_endpoint.is_some(), exports, "{disabled}");
        }
    }

    #[test]
    fn the_known_methods_can_be_replaced() {
        let (settings, _) = read(&[("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PROPFIND,get")]);
        assert_eq!(settings.known_methods, ["GET", "PROPFIND", "get"]);
    }

    #[test]
    fn all_invalid_variables_are_named() {
        let (settings, invalid) = read(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "zone"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,PROP FIND"),
            ("RUST_LOG", "shop=loud"),
            ("SENTRY_DSN", "nothing"),
            ("PYROSCOPE_SERVER_ADDRESS", "ftp://pyroscope"),
        ]);
        assert_eq!(invalid.len(), 7, "{invalid:?}");
        assert!(settings.signals.errors.is_none() && settings.signals.otlp_endpoint.is_none());
    }
}
