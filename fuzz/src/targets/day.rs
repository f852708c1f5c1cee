//! Days and periods of reports.

use glasshouse_domain::report::{Period, parse_day};

use crate::Target;
use crate::check::{grammar, says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "day",
    seeds: &[
        "2026-01-31/2026-02-28",
        "2024-02-29/2025-03-01",
        "0000-01-01/+2026-1-1",
        "9999-12-31/2026-02-30",
    ],
    dictionary: &["-", "/", "02-29", "2000", "1900", "+"],
    run,
};

thread_local! {
    static GRAMMAR: regex::bytes::Regex = grammar("^(?-u)[0-9]{4}-[0-9]{2}-[0-9]{2}$");
}

fn run(input: &[u8]) {
    let Some((from, to)) = text(input).and_then(|text| text.split_once('/')) else { return };
    let days = [from, to].map(|text| {
        let parsed = parse_day(text);
        assert_eq!(parsed.is_ok(), is_day(text), "{text}");
        match parsed {
            Ok(day) => assert_eq!(day.to_string(), text),
            Err(error) => says_what_to_do(&error),
        }
        parse_day(text)
    });
    let [Ok(from), Ok(to)] = days else { return };
    let days = to.to_julian_day() - from.to_julian_day();
    match Period::new(from, to) {
        Ok(period) => {
            assert!((0..=366).contains(&days));
            assert_eq!((period.from(), period.to()), (from, to));
        }
        Err(error) => {
            assert!(!(0..=366).contains(&days));
            says_what_to_do(&error);
        }
    }
}

/// The Gregorian calendar, once more.
fn is_day(text: &str) -> bool {
    if !GRAMMAR.with(|grammar| grammar.is_match(text.as_bytes())) {
        return false;
    }
    let [year, month, day] =
        [&text[..4], &text[5..7], &text[8..]].map(|part| part.parse::<u32>().expect("digits"));
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}
