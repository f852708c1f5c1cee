//! Slugs of tenants.

use glasshouse_domain::values::Slug;

use crate::Target;
use crate::check::{grammar, says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "slug",
    seeds: &["acme", "acme-2", "a--b", "-acme", "acme-", "Acme", "ab"],
    dictionary: &["-", "a", "9"],
    run,
};

thread_local! {
    static GRAMMAR: regex::bytes::Regex = grammar("^(?-u)[a-z0-9]+(-[a-z0-9]+)*$");
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_slug = (3..=40).contains(&text.len()) && GRAMMAR.with(|grammar| grammar.is_match(input));
    match Slug::parse(text) {
        Ok(slug) => assert!(is_slug && slug.as_str() == text),
        Err(error) => {
            assert!(!is_slug);
            says_what_to_do(&error);
        }
    }
}
