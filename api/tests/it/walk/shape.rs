//! The shape of an output: what is the same each time.

use regex::Regex;

/// The output with placeholders for ids, times and numbers, and without what depends on their widths.
pub(super) fn shape(output: &str) -> String {
    let mut text = output.to_owned();
    for (pattern, placeholder) in [
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        // Before the ids: a fraction may have 16 digits.
        (r"\d+\.\d+(e[+-]?\d+)?", "N"),
        (r"\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b", "ID"),
        (r"\d+(e[+-]?\d+)?", "N"),
        (r"[ \t]+", " "),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, placeholder).into_owned();
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn only_ids_times_and_numbers_may_differ() {
    let page = "GET /v1/orders 3.5 ms\n{\"id\": \"01a219a4-34ac-74a3-86d1-e787e7c58039\", \"at\": \"2026-11-26T20:55:21.5Z\"}";
    let same = "GET /v1/orders  12 ms\n\n{\"id\": \"01a219a4-34ac-74a3-86d1-000000000000\", \"at\": \"2027-01-02T00:00:00Z\"}\n";
    assert_eq!(shape(page), shape(same));
    assert_eq!(shape("p95 0.4966666666666669"), shape("p95 2.5"));
    assert_eq!(shape("span 00f067aa0ba902b7"), shape("span 1234567890123456"));
    for other in [page.replace("GET", "PUT"), page.replace("\"at\"", "\"on\""), page.replace('\n', "\n-\n")] {
        assert_ne!(shape(page), shape(&other), "{other}");
    }
}
