//! The runbooks of `docs/runbooks`, as they were when this program was built, and their one rendering as web pages: the console serves
//! them, and `dashboards` writes them for Grafana. The receiver of alerts renders those of any project in the same way.
//!
//! A page links to others by file name, such as `high-error-rate.html#mitigate`, so that the links work wherever the pages have one
//! folder.
//!
//! ```
//! use glasshouse_runbooks::Runbook;
//!
//! let runbook = Runbook::of_alert("HighErrorRate").expect("every alert has one");
//! assert_eq!(runbook.file_name(), "high-error-rate.html");
//! assert!(runbook.html().contains("<h1"));
//! ```

mod commands;
mod html;
mod slug;

pub use commands::{Command, Platform, commands};
pub use html::render;
pub use slug::name_of_alert;

/// A runbook.
#[derive(Clone, Copy, Debug)]
pub struct Runbook {
    name: &'static str,
    markdown: &'static str,
}

/// The pages of `docs/runbooks`: name and Markdown.
macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        &[$(Runbook {
            name: $name,
            markdown: include_str!(concat!("../../docs/runbooks/", $name, ".md")),
        }),*]
    };
}

/// All runbooks. The first one is the page that the others refer to.
pub const ALL: &[Runbook] = pages![
    "README",
    "cache-hit-rate-low",
    "cache-unavailable",
    "collector-export-failing",
    "database-connections-exhausted",
    "dead-letters",
    "disk-almost-full",
    "error-budget-burn-fast",
    "error-budget-burn-slow",
    "error-budget-burn-ticket",
    "high-error-rate",
    "high-response-time",
    "instance-down",
    "latency-budget-burn-fast",
    "latency-budget-burn-slow",
    "latency-budget-burn-ticket",
    "load-shedding",
    "login-failures-spike",
    "memory-high",
    "noisy-tenant",
    "not-ready",
    "notifications-failing",
    "outbox-backlog",
    "payment-declines-high",
    "payment-gateway-failing",
    "payments-stuck",
    "public-endpoint-down",
    "sign-ups-throttled",
    "slow-queries",
    "target-down",
    "telemetry-dropped",
    "traffic-absent",
    "watchdog",
];

impl Runbook {
    /// The runbook with a name: `high-error-rate`, or a file name, `high-error-rate.md` or `high-error-rate.html`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".md").or_else(|| name.strip_suffix(".html")).unwrap_or(name);
        ALL.iter().find(|runbook| runbook.name == name).copied()
    }

    /// The runbook of an alert, such as `HighErrorRate`.
    #[must_use]
    pub fn of_alert(alert: &str) -> Option<Self> {
        Self::named(&name_of_alert(alert))
    }

    /// Its name: `high-error-rate`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The name of its page: `high-error-rate.html`.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{}.html", self.name)
    }

    /// Its heading: `HighErrorRate`.
    #[must_use]
    pub fn title(self) -> &'static str {
        html::heading(self.markdown)
    }

    /// Its text, in Markdown.
    #[must_use]
    pub fn markdown(self) -> &'static str {
        self.markdown
    }

    /// Its page, in HTML: one file without scripts, which loads nothing. Headings have the ids that GitHub gives them.
    #[must_use]
    pub fn html(self) -> String {
        html::page(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The values of an attribute.
    fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        let start = format!(" {attribute}=\"");
        html.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn all_files_of_the_folder_are_part_of_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbooks");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let missing: Vec<_> = files.filter(|name| Runbook::named(name.to_str().unwrap()).is_none()).collect();
        assert!(missing.is_empty(), "add them to the list above: {missing:?}");
    }

    #[test]
    fn every_link_of_every_page_leads_to_a_heading_or_a_page() {
        let pages: BTreeMap<_, _> = ALL.iter().map(|runbook| (runbook.file_name(), runbook.html())).collect();
        let (mut count, mut broken) = (0, Vec::new());
        for (name, html) in &pages {
            let ids = values(html, "id");
            let distinct: BTreeSet<_> = ids.iter().collect();
            assert_eq!(ids.len(), distinct.len(), "{name} has an id twice");
            for link in values(html, "href") {
                count += 1;
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = pages.get(if file.is_empty() { name.as_str() } else { file });
                let has_anchor = |html: &String| anchor.is_empty() || values(html, "id").contains(&anchor);
                if !link.starts_with("http") && !target.is_some_and(has_anchor) {
                    broken.push(format!("{name}: {link}"));
                }
            }
        }
        assert!(count > 200, "not all links were found: {count}");
        assert_eq!(broken, [""; 0]);
    }

    #[test]
    fn pages_are_found_by_name_file_and_alert() {
        for name in ["high-error-rate", "high-error-rate.md", "high-error-rate.html"] {
            assert_eq!(Runbook::named(name).unwrap().title(), "HighErrorRate", "{name}");
        }
        assert_eq!(Runbook::of_alert("HighErrorRate").unwrap().file_name(), "high-error-rate.html");
        for name in ["", "nope", "../README", "README.txt"] {
            assert!(Runbook::named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_title_of_the_page_of_an_alert_is_the_alert() {
        for runbook in ALL.iter().skip(1) {
            assert_eq!(name_of_alert(runbook.title()), runbook.name());
        }
    }
}
