//! Settings from the environment variables that OpenTelemetry, Sentry, Pyroscope and `tracing` define.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::TelemetrySettings;
use crate::errors::{ErrorSettings, InvalidDsn};
use crate::traces::Sampling;

/// An environment variable has a value that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidVariable {
    /// The name of the variable.
    pub name: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

/// All environment variables with values that are not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidVariables(pub Vec<InvalidVariable>);

impl fmt::Display for InvalidVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment variables of telemetry are not valid:")?;
        self.0.iter().try_for_each(|variable| write!(f, "\n  {}: {}", variable.name, variable.problem))
    }
}

impl std::error::Error for InvalidVariables {}

impl TelemetrySettings {
    /// Replaces settings by those of the variables that are set: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `RUST_LOG`, `SENTRY_DSN`,
    /// `SENTRY_TRACES_SAMPLE_RATE` and `PYROSCOPE_SERVER_ADDRESS`. A blank value counts as not set.
    ///
    /// # Errors
    /// With all variables that have no valid value. Their settings stay as they are.
    pub fn read_environment(
        &mut self,
        lookup: impl FnMut(&'static str) -> Option<String>,
    ) -> Result<(), InvalidVariables> {
        let mut env = Environment { lookup, invalid: Vec::new() };
        if let Some(name) = env.text("OTEL_SERVICE_NAME") {
            self.service_name = name;
        }
        if let Some(attributes) = env.parsed("OTEL_RESOURCE_ATTRIBUTES", resource_attributes) {
            self.resource_attributes = attributes;
        }
        if let Some(endpoint) = env.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", url("http://collector:4317")) {
            self.otlp_endpoint = Some(endpoint);
        }
        let ratio = env.parsed("OTEL_TRACES_SAMPLER_ARG", ratio).unwrap_or(1.0);
        let sampler = |name: &str| Sampling::parse(name, ratio).map_err(|error| error.to_string());
        if let Some(sampling) = env.parsed("OTEL_TRACES_SAMPLER", sampler) {
            self.sampling = sampling;
        }
        let filter = |text: &str| match EnvFilter::from_str(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Some(filter) = env.parsed("RUST_LOG", filter) {
            self.filter = filter;
        }
        let traces_sample_rate = env.parsed("SENTRY_TRACES_SAMPLE_RATE", self::ratio).unwrap_or_default();
        let dsn =
            env.parsed("SENTRY_DSN", |text| text.parse().map_err(|error: InvalidDsn| error.to_string()));
        if let Some(dsn) = dsn {
            self.errors = Some(ErrorSettings { dsn, traces_sample_rate });
        }
        if let Some(address) = env.parsed("PYROSCOPE_SERVER_ADDRESS", url("http://pyroscope:4040")) {
            self.pyroscope = Some(address);
        }
        if env.invalid.is_empty() { Ok(()) } else { Err(InvalidVariables(env.invalid)) }
    }
}

/// Reads variables, and collects those that are not valid.
struct Environment<L> {
    lookup: L,
    invalid: Vec<InvalidVariable>,
}

impl<L: FnMut(&'static str) -> Option<String>> Environment<L> {
    fn text(&mut self, name: &'static str) -> Option<String> {
        let text = (self.lookup)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn parsed<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.invalid.push(InvalidVariable { name, problem });
                None
            }
        }
    }
}

/// Pairs `key=value` with commas between them, as OpenTelemetry defines them.
fn resource_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let parse = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("must be key=value pairs with commas between them, not {pair:?}")),
    };
    pairs.map(parse).collect()
}

fn url(example: &str) -> impl FnOnce(&str) -> Result<Url, String> {
    move |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(format!("must be a URL such as {example}")),
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(format!("must be from 0 to 1, not {ratio}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Build;

    fn read(variables: &[(&str, &str)]) -> (TelemetrySettings, Vec<&'static str>) {
        let build = Build { name: "shop", version: "1.2.3", commit: None };
        let mut settings = TelemetrySettings::new("shop", build);
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
        assert_eq!(settings.otlp_endpoint.unwrap().as_str(), "http://collector:4317/");
        assert_eq!(settings.sampling, Sampling { follow_parent: true, ratio: 0.1 });
        assert_eq!(settings.filter, "warn,shop=debug");
        assert!(settings.errors.is_some() && settings.pyroscope.is_none());
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
        assert!(settings.errors.is_none() && settings.otlp_endpoint.is_none());
    }
}
