//! Authenticated entries of the cache in Redis. The input is an entry, or behind `!` the key and the value of one that is sealed
//! and then tampered with.

use glasshouse_infra::cache::{NotAuthentic, Seal};
use time::{Duration, OffsetDateTime};

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "cache_entry",
    seeds: &[
        "1:9999999999999:00:{}",
        "!7x\nuser:1\n{\"role\":\"owner:admin\"}",
        "!0:\n\u{0}\nnull",
        "::::",
        "é:é:é:é",
    ],
    dictionary: &[":", "!", "\n", "\u{0}", "00", "ff", "-1"],
    run,
};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

thread_local! {
    static SEAL: Seal = Seal::new(&"0123456789abcdef0123456789abcdef".into());
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let open = |key: &str, entry: &str, now| {
        SEAL.with(|seal| seal.open(key, entry, now).map(|json| json.map(str::to_owned)))
    };
    let Some(parts) = text.strip_prefix('!') else {
        return assert_eq!(open("user:1", text, NOW), Err(NotAuthentic), "it is not sealed");
    };
    let mut lines = parts.splitn(3, '\n');
    let (Some(change), Some(key), Some(json)) = (lines.next(), lines.next(), lines.next()) else { return };
    let version = u32::try_from(change.len()).unwrap_or_default();
    let entry = SEAL.with(|seal| seal.close(key, version, json, NOW + Duration::MILLISECOND));
    assert_eq!(open(key, &entry, NOW), Ok(Some(json.to_owned())));
    assert_eq!(open(key, &entry, NOW + Duration::MILLISECOND), Ok(None), "it has expired");
    // A key of ours has no zero byte.
    if !key.contains('\0') {
        let other = format!("{key}{change}:");
        assert_eq!(open(&other, &entry, NOW), Err(NotAuthentic), "it is of another key");
    }
    let tampered = tampered(&entry, change);
    let is_rejected = open(key, &tampered, NOW) == Err(NotAuthentic);
    assert!(tampered == entry || is_rejected, "{tampered:?} instead of {entry:?}");
}

/// The entry with the character at a position, which is the number in front, replaced by the rest.
fn tampered(entry: &str, change: &str) -> String {
    let digits = change.len() - change.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let position = change[..digits].parse::<usize>().unwrap_or_default();
    let mut tampered: Vec<char> = entry.chars().collect();
    let position = position % tampered.len();
    tampered.splice(position..=position, change[digits..].chars());
    tampered.into_iter().collect()
}
