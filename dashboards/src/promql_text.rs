//! Rewrites the selectors of PromQL as text. A parser would reject Grafana's variables, such as `$__rate_interval`.

/// A selector of one metric in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selector<'a> {
    /// The name of the metric.
    pub(crate) metric: &'a str,
    /// The matchers between the braces; empty without braces.
    pub(crate) matchers: &'a str,
}

/// The expression with every selector for which `replacement` has a text replaced by it. Other words, strings and label
/// names stay as they are.
pub(crate) fn rewrite(
    expression: &str,
    mut replacement: impl FnMut(Selector<'_>) -> Option<String>,
) -> String {
    let (mut result, mut rest) = (String::new(), expression);
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_length(rest, first));
        let braces = if after.starts_with('{') { &after[..braces_length(after)] } else { "" };
        let matchers = braces.strip_prefix('{').unwrap_or(braces);
        let matchers = matchers.strip_suffix('}').unwrap_or(matchers);
        let selector = Selector { metric: token, matchers };
        match is_word(first).then(|| replacement(selector)).flatten() {
            Some(text) => {
                result += &text;
                rest = &after[braces.len()..];
            }
            None => {
                result += token;
                rest = after;
            }
        }
    }
    result
}

/// The length in bytes of the token at the start: a word (also a number with its unit), a variable, a string, the matchers
/// in braces, or another character.
fn token_length(text: &str, first: char) -> usize {
    let word = |text: &str| text.find(|c: char| !is_word(c) && !c.is_ascii_digit()).unwrap_or(text.len());
    match first {
        '"' => string_length(text),
        '{' => braces_length(text),
        '$' => 1 + word(&text[1..]),
        c if is_word(c) || c.is_ascii_digit() => word(text),
        other => other.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn braces_length(text: &str) -> usize {
    let mut at = 1;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '}' => return at + 1,
            '"' => at += string_length(&text[at..]),
            _ => at += c.len_utf8(),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(expression: &str) -> String {
        rewrite(expression, |Selector { metric, matchers }| {
            ["up", "a:b", "le"].contains(&metric).then(|| format!("<{metric}|{matchers}>"))
        })
    }

    #[test]
    fn selectors_are_replaced_wherever_they_are() {
        for (expression, expected) in [
            ("up", "<up|>"),
            ("rate(up[$__rate_interval]) / 2m", "rate(<up|>[$__rate_interval]) / 2m"),
            (r#"up{a="}\"", b=~"$up"} > bool up"#, r#"<up|a="}\"", b=~"$up"> > bool <up|>"#),
            (
                r#"label_replace(a:b, "up", "$1", "x", "up")"#,
                r#"label_replace(<a:b|>, "up", "$1", "x", "up")"#,
            ),
            (r#"ups + up_total + a:b:c + $up + {up="1"}"#, r#"ups + up_total + a:b:c + $up + {up="1"}"#),
            ("", ""),
        ] {
            assert_eq!(marked(expression), expected, "{expression}");
        }
    }

    #[test]
    fn unterminated_text_ends_with_the_expression() {
        for expression in ["up{a=\"b", "up{", "\"up", "$"] {
            marked(expression);
        }
    }
}
