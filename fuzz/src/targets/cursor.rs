//! Cursors of pages.

use glasshouse_domain::page::Cursor;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "cursor",
    seeds: &[
        "c1018f3c2a5b7e7c3d9f0123456789abcd",
        "c1018F3C2A5B7E7C3D9F0123456789ABCD",
        "c1",
        "c2{018f3c2a}",
    ],
    dictionary: &["c1", "-", "{", "}", "urn:uuid:"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_cursor =
        text.len() == 34 && text.starts_with("c1") && text[2..].bytes().all(|byte| byte.is_ascii_hexdigit());
    match Cursor::decode(text) {
        Ok(cursor) => {
            assert!(is_cursor, "not a cursor");
            assert_eq!(cursor.encode(), text.to_ascii_lowercase());
            assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }
        Err(error) => {
            assert!(!is_cursor, "a cursor");
            says_what_to_do(&error);
        }
    }
}
