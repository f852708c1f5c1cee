use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

/// Reads variables and collects what is wrong with them, so that people see all of it at once. After an
/// error it goes on with a default, which nobody will use.
pub struct Reader<'a> {
    lookup: Lookup<'a>,
    errors: Vec<String>,
    seen: BTreeSet<&'static str>,
}

type Lookup<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

/// Everything that is wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl<'a> Reader<'a> {
    /// A reader of the variables that `lookup` knows.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self { lookup: Box::new(lookup), errors: Vec::new(), seen: BTreeSet::new() }
    }

    /// The text of a variable; an empty one counts as absent, as compose files write it.
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

    /// A number within bounds, or `default` if it is absent.
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

    /// A variable that must be there. `hint` says what to set it to.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        fallback: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let parsed = match self.text(name) {
            None => Err(format!("is not set: {hint}")),
            Some(text) => parse(text.trim()),
        };
        parsed.unwrap_or_else(|problem| {
            self.wrong(name, &problem);
            fallback
        })
    }

    /// Notes that a variable is wrong.
    pub fn wrong(&mut self, name: &'static str, problem: &impl Display) {
        self.errors.push(format!("{name}: {problem}"));
    }

    /// The names that were asked for so far.
    pub fn seen(&self) -> impl Iterator<Item = &'static str> {
        self.seen.iter().copied()
    }

    /// `value`, if nothing was wrong.
    ///
    /// # Errors
    /// When something was.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() { Ok(value) } else { Err(ConfigErrors(self.errors)) }
    }
}

impl Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is not valid:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

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
        env.required("URL", "set it to a URL", (), |_| Ok(()));
        let errors = env.finish(()).unwrap_err().to_string();
        for part in
            ["PORT: invalid digit", "SIZE: must be from 1 to 20, not 0", "URL: is not set: set it to a URL"]
        {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(!errors.contains("EMPTY"));
    }
}
