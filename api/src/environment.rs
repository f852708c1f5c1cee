//! Reads environment variables into typed values, and collects what is wrong with them.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

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

    /// The text of a variable. An empty one counts as absent: Compose passes unset variables as empty ones.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.seen.insert(name);
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    /// A variable, or `default` if it is absent.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &'static str, default: T) -> T {
        match self.text(name).map(|text| text.trim().parse()) {
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
        let parsed = match self.text(name) {
            None => Err(format!("is not set: {hint}")),
            Some(text) => parse(text.trim()),
        };
        parsed.map_err(|problem| self.wrong(name, &problem)).ok()
    }

    /// Records an error.
    pub fn wrong(&mut self, name: &'static str, problem: &impl Display) {
        self.errors.push(format!("{name}: {problem}"));
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

/// Looks up an environment variable. One that is not valid Unicode counts as absent.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
