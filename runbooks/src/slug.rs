//! Names in links: the id of a heading, and the page of an alert.

use std::collections::BTreeMap;

/// The ids of the headings of one page, as GitHub gives them, so that a link works here and there.
#[derive(Default)]
pub(crate) struct HeadingIds(BTreeMap<String, usize>);

impl HeadingIds {
    /// The id of the next heading: lowercase letters, digits, `-` and `_`. A heading that occurs again gets a number.
    pub(crate) fn next(&mut self, heading: &str) -> String {
        let kept = heading.trim().chars().filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        });
        let id = kept.collect::<String>().to_lowercase();
        let count = self.0.entry(id.clone()).or_default();
        *count += 1;
        if *count == 1 { id } else { format!("{id}-{}", *count - 1) }
    }
}

/// The name of the runbook of an alert: `high-error-rate` of `HighErrorRate`.
#[must_use]
pub fn name_of_alert(alert: &str) -> String {
    let mut kebab = String::new();
    for character in alert.chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_headings_are_those_of_github() {
        let mut ids = HeadingIds::default();
        for (heading, id) in [
            ("Is it a drill?", "is-it-a-drill"),
            ("Commands that the pages use", "commands-that-the-pages-use"),
            ("`management` & port_9000", "management--port_9000"),
            ("Verify", "verify"),
            ("Verify", "verify-1"),
            ("Größe", "größe"),
        ] {
            assert_eq!(ids.next(heading), id, "{heading}");
        }
    }

    #[test]
    fn the_page_of_an_alert_is_its_name_in_kebab_case() {
        assert_eq!(name_of_alert("HighErrorRate"), "high-error-rate");
        assert_eq!(name_of_alert("Watchdog"), "watchdog");
    }
}
