//! Reads environment variables.

use url::Url;

use super::invalid::InvalidVariable;

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
        let text = (self.lookup)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
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

/// Pairs `key=value` with commas between them, as OpenTelemetry defines them.
pub(crate) fn resource_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let parse = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("must be key=value pairs with commas between them, not {pair:?}")),
    };
    pairs.map(parse).collect()
}

/// Parses an HTTP(S) URL. The error shows `example`.
pub(crate) fn url(example: &str) -> impl FnOnce(&str) -> Result<Url, String> {
    move |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(format!("must be a URL such as {example}")),
    }
}

/// Parses a ratio from 0 to 1.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(format!("must be from 0 to 1, not {ratio}")) }
}
