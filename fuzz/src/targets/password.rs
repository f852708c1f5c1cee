//! New passwords.

use glasshouse_domain::values::Password;
use unicode_normalization::UnicodeNormalization;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "password",
    seeds: &[
        "correct horse battery",
        "short",
        "a\u{308}a\u{308}a\u{308}a\u{308}a\u{308}a\u{308}",
        " spaces count ",
    ],
    dictionary: &["\u{308}", "\u{958}", "\0", "한"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let normal: String = text.nfc().collect();
    let fits = (12..=128).contains(&normal.chars().count());
    match Password::parse(text.into()) {
        Ok(password) => {
            assert!(fits);
            assert_eq!(password.expose(), normal);
            assert_eq!(format!("{password:?}"), "Password(SecretBox<str>([REDACTED]))");
        }
        Err(error) => {
            assert!(!fits);
            says_what_to_do(&error);
        }
    }
}
