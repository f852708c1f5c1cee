//! The text format in which a process exposes its metrics.

use anyhow::{Context, Result};

/// A line such as `name{label="value"} 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The name of the series.
    pub name: &'a str,
    /// The labels. Escapes in their values are kept.
    pub labels: Vec<(&'a str, &'a str)>,
    /// The value.
    pub value: f64,
}

/// The samples of one scrape.
///
/// # Errors
/// A line is not a sample.
pub fn samples(text: &str) -> Result<Vec<Sample<'_>>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).with_context(|| format!("not a sample: {line}"))).collect()
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let end = end_of_value(value)?;
            labels.push((label.trim_start_matches(',').trim(), value.get(..end)?));
            rest = value.get(end + 1..)?;
        }
        rest = rest.get(1..)?;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// The position of the quote that ends the value of a label.
fn end_of_value(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.char_indices().find_map(|(at, character)| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_a_name_labels_and_a_value() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"a \\\"b\\\" {c}\"} 2.5\n\nb +Inf 1700000000000\n";
        let samples = samples(text).unwrap();
        assert_eq!(
            samples[0],
            Sample { name: "a", labels: vec![("x", "1"), ("y", r#"a \"b\" {c}"#)], value: 2.5 }
        );
        assert_eq!(samples[1], Sample { name: "b", labels: vec![], value: f64::INFINITY });
    }

    #[test]
    fn other_lines_are_errors() {
        for line in ["a", "a{x=\"1\"", "a{x} 1", "a one"] {
            assert!(samples(line).unwrap_err().to_string().contains(line));
        }
    }
}
