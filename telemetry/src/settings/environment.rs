//! Reads environment variables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use actix_web::http::Method;
use percent_encoding::percent_decode_str;
use url::Url;

use super::certificates::TrustedCertificates;
use super::invalid::InvalidVariable;

/// The value of an environment variable without what editors and shells leave around it: white space, such as the carriage
/// return of a file with Windows line ends, and byte order marks. `None` if nothing is left.
#[must_use]
pub fn variable_value(text: &str) -> Option<&str> {
    let value = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    (!value.is_empty()).then_some(value)
}

/// Reads variables, and collects those that are not valid.
pub(crate) struct Environment<L> {
    lookup: L,
    pub(crate) invalid: Vec<InvalidVariable>,
}

impl<L: FnMut(&'static str) -> Option<String>> Environment<L> {
    /// A reader that looks up variables with `lookup`.
    pub(crate) const fn new(lookup: L) -> Self {
        Self { lookup, invalid: Vec::new() }
    }

    /// A variable that is set. A blank value counts as not set.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        variable_value(&(self.lookup)(name)?).map(str::to_owned)
    }

    /// A variable that is set; `None` also if it is not valid.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.invalid.push(InvalidVariable { name, problem });
                None
            }
        }
    }
}

/// Pairs `key=value` with commas between them, both percent-encoded (OpenTelemetry specification, resource SDK, "Specifying
/// resource information via an environment variable"). Of two values, the last one counts.
pub(crate) fn resource_attributes(text: &str) -> Result<BTreeMap<String, String>, String> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let parse = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((decoded(name)?, decoded(value)?)),
        _ => Err(format!("must be key=value pairs with commas between them, not {pair:?}")),
    };
    pairs.map(parse).collect()
}

/// A key or a value without its percent-encoding.
fn decoded(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_escape =
        |rest: &str| rest.get(..2).is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    let decoded =
        percent_decode_str(text).decode_utf8().ok().filter(|_| text.split('%').skip(1).all(is_escape));
    let problem = || format!("{text:?} is not percent-encoded: write % as %25, a comma as %2C and = as %3D");
    decoded.map(Cow::into_owned).ok_or_else(problem)
}

/// Names of HTTP methods with commas between them.
pub(crate) fn methods(text: &str) -> Result<Vec<String>, String> {
    let parse = |method: &str| match Method::from_bytes(method.trim().as_bytes()) {
        Ok(method) => Ok(method.to_string()),
        Err(_) => {
            Err(format!("must be HTTP methods with commas between them, such as GET,POST, not {method:?}"))
        }
    };
    text.split(',').map(parse).collect()
}

/// Parses an HTTP(S) URL. The error shows `example`.
pub(crate) fn url(example: &str) -> impl FnOnce(&str) -> Result<Url, String> {
    move |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(format!("must be a URL such as {example}")),
    }
}

/// Reads the certificates in a file.
pub(crate) fn certificates(path: &str) -> Result<TrustedCertificates, String> {
    TrustedCertificates::read(Path::new(path))
        .map_err(|error| format!("must be a file with certificates in the PEM format: {path}: {error}"))
}

/// Parses a ratio from 0 to 1.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(format!("must be from 0 to 1, not {ratio}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_value_is_no_part_of_it() {
        for (before, after) in
            [("", "\r"), ("", "\r\n"), (" ", "\t"), ("\u{feff}", "\u{feff}"), ("", "\u{a0}")]
        {
            assert_eq!(variable_value(&format!("{before}a b{after}")), Some("a b"));
        }
        assert_eq!(variable_value("\r\n"), None);
    }
}
