//! E-mail addresses of users.

use glasshouse_domain::values::Email;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "email",
    seeds: &[
        "ada@example.com",
        " Ada.Lovelace+x@EXAMPLE.com\n",
        "andre\u{301}@b.example",
        "\"a b\"@example.com",
        "İ@example.com",
        "H\u{331}@example.com",
        "ada@[127.0.0.1]",
        "Ada <ada@example.com>",
        "ada@localhost",
    ],
    dictionary: &["@", ".", "\"", "<", ">", "\u{301}", "Ⱥ", "ẞ", "xn--", "\\"],
    run,
};

/// The maximum length in bytes: a local part, an at sign and a domain (RFC 5321, section 4.5.3.1).
const MAX_BYTES: usize = 64 + 1 + 255;

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match Email::parse(text) {
        Ok(email) => {
            let address = email.as_str();
            assert!(address.len() <= MAX_BYTES, "{} bytes", address.len());
            let (local, domain) = address.rsplit_once('@').expect("an at sign");
            assert!(!local.is_empty() && domain.contains('.') && !domain.starts_with('.'), "{address:?}");
            assert!(!address.chars().any(char::is_control), "{address:?}");
            assert_eq!(address, address.trim());
            assert_eq!(Email::parse(address), Ok(email.clone()), "the normal form is another address");
            assert_eq!(Email::parse_existing(text), Ok(email.clone()), "the user cannot log in");
            assert!(!format!("{email:?}").contains(address));
        }
        Err(error) => says_what_to_do(&error),
    }
    if let Ok(email) = Email::parse_existing(text) {
        assert_eq!(Email::parse_existing(email.as_str()), Ok(email), "the normal form is another address");
    }
}
