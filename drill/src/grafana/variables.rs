//! Replaces Grafana's template variables and macros, which are not part of PromQL.

use std::collections::BTreeMap;

/// Translates Grafana's functions `label_values(up, job)` and `query_result(up)` into PromQL with the same result.
pub(super) fn as_promql(variable: &str) -> String {
    let of_function = |name: &str| variable.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(query) = of_function("query_result") {
        return query.to_owned();
    }
    let inside = of_function("label_values");
    match inside.and_then(|inside| inside.rsplit_once(',')) {
        Some((series, label)) => format!("group by ({}) ({})", label.trim(), series.trim()),
        None => variable.to_owned(),
    }
}

/// Replaces built-in variables (`$__rate_interval`) by 5 minutes, and others by their value in `values`. A variable
/// without a value becomes `.*`, which matches everything.
pub fn interpolate(expression: &str, values: &BTreeMap<&str, &str>) -> String {
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
            result += values.get(name).filter(|value| !value.is_empty()).unwrap_or(&".*");
        } else {
            result += "$"; // such as `$1` of `label_replace`
            rest = after;
            continue;
        }
        // Braces may hold a format after the name, such as `${name:raw}`.
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
    fn variables_are_replaced_and_capture_groups_are_kept() {
        let values = BTreeMap::from([("job", "api"), ("tenant", "")]);
        let expression =
            r#"label_replace(rate(a{job="$job", b=~"${tenant}"}[$__rate_interval]), "c", "$1", "b", "(.*)")"#;
        let expected = r#"label_replace(rate(a{job="api", b=~".*"}[5m]), "c", "$1", "b", "(.*)")"#;
        assert_eq!(interpolate(expression, &values), expected);
        assert_eq!(interpolate("a[$__range]", &values), "a[5m]");
        let formatted = r#"a{job="${job:raw}", b="${__span.tags["b.c"]}"}"#;
        assert_eq!(interpolate(formatted, &values), r#"a{job="api", b="5m"}"#);
    }

    #[test]
    fn label_values_becomes_promql() {
        assert_eq!(
            as_promql(r#"label_values(up{a="b", c="d"}, job)"#),
            r#"group by (job) (up{a="b", c="d"})"#
        );
        assert_eq!(as_promql("query_result(max by (job) (up))"), "max by (job) (up)");
    }
}
