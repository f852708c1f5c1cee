//! Ids in paths and in bodies.

use glasshouse_domain::id::OrderId;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "id",
    seeds: &[
        "018f3c2a-5b7e-7c3d-9f01-23456789abcd",
        "018F3C2A5B7E7C3D9F0123456789ABCD",
        "{018f3c2a}",
        "urn:uuid:",
    ],
    dictionary: &["-", "{", "}", "urn:uuid:"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let digits = text.strip_prefix("urn:uuid:").unwrap_or(text).chars().filter(char::is_ascii_hexdigit);
    let digits = digits.collect::<String>().to_ascii_lowercase();
    match text.parse::<OrderId>() {
        Ok(id) => {
            assert_eq!(id.uuid().simple().to_string(), digits);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        Err(_) => assert!(text.len() != 32 || digits.len() != 32, "32 digits are an id"),
    }
}
