//! The runbooks, as they were when this program was built: an operator reads the page of an alert where it shows.

/// The pages of `docs/runbooks`: name and Markdown.
macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../docs/runbooks/", $name, ".md")))),*]
    };
}

const PAGES: [(&str, &str); 33] = pages![
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

/// The Markdown of a runbook, such as `high-error-rate`.
#[must_use]
pub fn runbook(name: &str) -> Option<&'static str> {
    PAGES.iter().find(|(page, _)| *page == name).map(|(_, text)| *text)
}

/// The name of the runbook of an alert: `high-error-rate` of `HighErrorRate`.
#[must_use]
pub fn name_of(alert: &str) -> String {
    let mut name = String::new();
    for c in alert.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runbooks_are_part_of_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbooks");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let names =
            files.filter_map(|name| name.into_string().unwrap().strip_suffix(".md").map(str::to_owned));
        let missing: Vec<_> = names.filter(|name| runbook(name).is_none()).collect();
        assert_eq!(missing, Vec::<String>::new(), "add them to the list above");
    }
}
