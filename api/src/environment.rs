//! Reads environment variables into typed values, and collects what is wrong with them.

use std::collections::BTreeSet;
use std::env::VarError;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use glasshouse_telemetry::variable_value;

/// Reads variables and collects every error, so that an operator sees all of them at once.
pub struct Reader<'a> {
    lookup: Box<Lookup<'a>>,
    errors: Vec<String>,
    seen: BTreeSet<&'static str>,
}

/// Looks up a variable by its name.
type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// All errors of a configuration, each as `VARIABLE: problem`. Values are left out where they may be secret.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl<'a> Reader<'a> {
    /// A reader that looks up variables with `lookup`.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { lookup: Box::new(lookup), errors: Vec::new(), seen: BTreeSet::new() }
    }

    /// The text of a variable, without white space around it. An empty one counts as absent: Compose passes unset variables
    /// as empty ones.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.seen.insert(name);
        let value = (self.lookup)(name).as_deref().and_then(variable_value).map(str::to_owned)?;
        if value.contains(char::REPLACEMENT_CHARACTER) {
            self.wrong(name, &"is not valid UTF-8");
            return None;
        }
        Some(value)
    }

    /// A variable that libraries read themselves. They keep the white space around it, so it is an error.
    pub fn verbatim(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name)?;
        if (self.lookup)(name).is_some_and(|text| text != value) {
            self.wrong(name, &"has white space around it, which would be part of the value: remove it");
            return None;
        }
        Some(value)
    }

    /// A variable, or `default` if it is absent.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &'static str, default: T) -> T {
        match self.text(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.wrong(name, &error);
                default
            }
        }
    }

    /// A number within `bounds`, or `default` if the variable is absent.
    pub fn number(&mut self, name: &'static str, default: u64, bounds: std::ops::RangeInclusive<u64>) -> u64 {
        let value = self.or(name, default);
        if bounds.contains(&value) {
            return value;
        }
        self.wrong(name, &format!("must be from {} to {}, not {value}", bounds.start(), bounds.end()));
        default
    }

    /// A number of milliseconds, from 1 ms to 10 minutes.
    pub fn milliseconds(&mut self, name: &'static str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default, 1..=600_000))
    }

    /// A number of seconds, from 1 s to 30 days.
    pub fn seconds(&mut self, name: &'static str, default: u64) -> Duration {
        Duration::from_secs(self.number(name, default, 1..=2_592_000))
    }

    /// A required variable; `None` after an error. `hint` says what to set it to.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let errors = self.errors.len();
        let parsed = match self.text(name) {
            None if self.errors.len() > errors => return None,
            None => Err(format!("is not set: {hint}")),
            Some(text) => parse(&text),
        };
        parsed.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    /// A required variable of a type that parses it; `None` after an error. `hint` says what to set it to.
    pub fn required_value<T: FromStr<Err: Display>>(&mut self, name: &'static str, hint: &str) -> Option<T> {
        self.required(name, hint, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// Records an error.
    pub fn wrong(&mut self, name: &'static str, problem: &impl Display) {
        let error = format!("{name}: {problem}");
        // A variable may be read twice.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// The names of the variables that were read so far.
    pub fn seen(&self) -> impl Iterator<Item = &'static str> {
        self.seen.iter().copied()
    }

    /// The value that was read, which is `None` only after an error.
    ///
    /// # Errors
    /// When a variable was wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        value.filter(|_| self.errors.is_empty()).ok_or(ConfigErrors(self.errors))
    }
}

impl Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is not valid:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Looks up an environment variable. In one that is not valid UTF-8, `\u{fffd}` replaces what is not.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) => Some(value),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(value)) => Some(value.to_string_lossy().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pairs: &'static [(&str, &str)]) -> Reader<'static> {
        Reader::new(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn every_wrong_variable_is_named() {
        let mut env = reader(&[("PORT", "eighty"), ("SIZE", "0"), ("EMPTY", " ")]);
        assert_eq!(env.or("PORT", 80_u16), 80);
        assert_eq!(env.number("SIZE", 10, 1..=20), 10);
        assert_eq!(env.or("EMPTY", 7_u16), 7);
        assert_eq!(env.required("URL", "set it to a URL", |_| Ok(())), None);
        let errors = env.finish(Some(())).unwrap_err().to_string();
        for part in
            ["PORT: invalid digit", "SIZE: must be from 1 to 20, not 0", "URL: is not set: set it to a URL"]
        {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(!errors.contains("EMPTY"));
    }
}
