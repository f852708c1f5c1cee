//! Rate limits of plans: `PER_SECOND/BURST`.

use glasshouse_api::config::{Config, ProcessKind};

use crate::Target;
use crate::check::{grammar, says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "quota",
    seeds: &["20/40", " 1 / 4294967295 ", "0/1", "1/4294967296", "1/2/3", "/", "-1/2", "0x1/2"],
    dictionary: &["/", "4294967295", "0", " ", "-", "+"],
    run,
};

thread_local! {
    static GRAMMAR: regex::bytes::Regex = grammar(r"^\s*\+?0*[1-9][0-9]*\s*/\s*\+?0*[1-9][0-9]*\s*$");
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    // What surrounds the value of a variable is no part of it, and an empty one is not set.
    let value = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if value.is_empty() || value.contains('\u{fffd}') {
        return;
    }
    let lookup = |name: &str| (name == "GLASSHOUSE_RATE_LIMIT_FREE").then(|| text.to_owned());
    let is_small = value.split('/').all(|part| part.trim().parse::<u32>().is_ok());
    let is_quota = is_small && GRAMMAR.with(|grammar| grammar.is_match(value.as_bytes()));
    match Config::load(ProcessKind::Demo, lookup) {
        Ok(Config::Demo(config)) => {
            assert!(is_quota, "{value:?} is no quota");
            let free = config.http.quotas.free;
            let numbers: Vec<u32> = value.split('/').filter_map(|part| part.trim().parse().ok()).collect();
            assert_eq!([free.per_second, free.burst], *numbers);
        }
        Ok(_) => panic!("another kind of process"),
        Err(errors) => {
            assert!(!is_quota, "{errors}");
            let errors = errors.to_string();
            says_what_to_do(&errors.lines().nth(1).unwrap_or_default());
        }
    }
}
