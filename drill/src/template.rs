//! Texts of `drill.toml` with placeholders, such as `http://{api.http}/health`. `{{` and `}}` are braces.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// The values of placeholders.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, String>);

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

impl Values {
    /// Sets the value of a placeholder.
    pub fn set(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.insert(name.into(), value.to_string());
    }

    /// The value of a placeholder.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with the values of its placeholders.
    ///
    /// # Errors
    /// A placeholder has no value, or a brace has no partner.
    pub fn expand(&self, text: &str) -> Result<String> {
        let pieces = pieces(text)?.into_iter().map(|piece| match piece {
            Piece::Text(text) => Ok(text),
            Piece::Placeholder(name) => {
                self.get(name).with_context(|| format!("“{text}”: {{{name}}} has no value on this stack"))
            }
        });
        pieces.collect()
    }
}

/// The names of the placeholders in a text.
///
/// # Errors
/// A brace has no partner.
pub fn placeholders(text: &str) -> Result<Vec<&str>> {
    let names = pieces(text)?.into_iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Placeholder(name) => Some(name),
    });
    Ok(names.collect())
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            pieces.push(Piece::Text(&from[..1]));
            rest = after;
        } else if let Some((name, after)) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            pieces.push(Piece::Placeholder(name));
            rest = after;
        } else {
            bail!("“{text}” has a brace without its partner: {{{{ and }}}} are braces");
        }
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_have_values_and_doubled_braces_are_braces() {
        let mut values = Values::default();
        values.set("api.http", "127.0.0.1:80");
        let expanded = |text: &str| values.expand(text).map_err(|error| error.to_string());
        assert_eq!(expanded("http://{api.http}/a").unwrap(), "http://127.0.0.1:80/a");
        assert_eq!(expanded("{{\"a\": \"{api.http}\"}}").unwrap(), "{\"a\": \"127.0.0.1:80\"}");
        assert_eq!(expanded("ä").unwrap(), "ä");
        assert_eq!(expanded("{web}").unwrap_err(), "“{web}”: {web} has no value on this stack");
        for text in ["{", "a}", "{api.http", "}{"] {
            assert!(expanded(text).unwrap_err().contains("without its partner"), "{text}");
        }
    }

    #[test]
    fn the_placeholders_of_a_text_are_found() {
        assert_eq!(placeholders("{a}-{{b}}-{c}").unwrap(), ["a", "c"]);
    }
}
