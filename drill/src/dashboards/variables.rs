//! Grafana's variables, for which PromQL has no words.

use std::collections::BTreeMap;

/// `label_values(up, job)`, which is Grafana's own, as a query that gives the same.
pub(super) fn as_promql(variable: &str) -> String {
    let inside = variable.trim().strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    match inside.and_then(|inside| inside.rsplit_once(',')) {
        Some((series, label)) => format!("group by ({}) ({})", label.trim(), series.trim()),
        None => variable.to_owned(),
    }
}

/// 5 minutes for each variable of Grafana's own; for any other one what is chosen, and for all of it what
/// matches everything.
pub fn filled(expression: &str, chosen: &BTreeMap<&str, &str>) -> String {
    let mut result = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('$') {
        result += before;
        let inside = after.strip_prefix('{');
        let word = inside.unwrap_or(after);
        let length = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
        let name = &word[..length];
        if name.starts_with("__") {
            result += "5m";
        } else if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            result += chosen.get(name).filter(|value| !value.is_empty()).unwrap_or(&".*");
        } else {
            result += "$"; // `$1`, which is PromQL's
            rest = after;
            continue;
        }
        // In braces more may follow the name, such as `${name:raw}`.
        rest = match inside {
            Some(inside) => inside.split_once('}').map_or("", |(_, rest)| rest),
            None => &after[length..],
        };
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_references_of_promql_are_left() {
        let chosen = BTreeMap::from([("job", "api"), ("tenant", "")]);
        let expression =
            r#"label_replace(rate(a{job="$job", b=~"${tenant}"}[$__rate_interval]), "c", "$1", "b", "(.*)")"#;
        let expected = r#"label_replace(rate(a{job="api", b=~".*"}[5m]), "c", "$1", "b", "(.*)")"#;
        assert_eq!(filled(expression, &chosen), expected);
        assert_eq!(filled("a[$__range]", &chosen), "a[5m]");
        let formatted = r#"a{job="${job:raw}", b="${__span.tags["b.c"]}"}"#;
        assert_eq!(filled(formatted, &chosen), r#"a{job="api", b="5m"}"#);
    }

    #[test]
    fn a_list_of_values_is_asked_for_as_a_query() {
        assert_eq!(
            as_promql(r#"label_values(up{a="b", c="d"}, job)"#),
            r#"group by (job) (up{a="b", c="d"})"#
        );
    }
}
