//! Redaction: the values of fields that hold secrets, and e-mail addresses in any text, never leave the process. No text
//! is longer than 4 KiB, whoever wrote it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

/// Stands in place of a secret.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// The fields that hold secrets in any service, in lower case. A setting adds those of one service.
pub const SECRET_FIELDS: [&str; 10] = [
    "password",
    "token",
    "api_key",
    "secret",
    "credit_card",
    "ssn",
    "auth_token",
    "authorization",
    "cookie",
    "email",
];

/// Decides which fields hold secrets, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// In addition to [`SECRET_FIELDS`], in the same form.
    more: Arc<[String]>,
}

impl Redactor {
    /// Redacts these fields too.
    pub(crate) fn new(more: &[String]) -> Self {
        Self { more: more.iter().map(|name| normalized(name)).collect() }
    }

    /// Whether a field of this name holds a secret: one of the parts between its dots is a secret, or ends in one, as in
    /// `http.request.header.authorization`, `access_token` and `password.chain`.
    pub(crate) fn is_secret(&self, field: &str) -> bool {
        let mut parts = field.split('.');
        parts.any(|part| SECRET_FIELDS.iter().any(|secret| names(part, secret)) || self.adds(part))
    }

    fn adds(&self, part: &str) -> bool {
        self.more.iter().any(|secret| names(part, secret))
    }

    /// Redacts the value of a field, whatever its shape.
    pub(crate) fn redact(&self, field: &str, value: &mut Value) {
        match value {
            _ if self.is_secret(field) => *value = REDACTED.into(),
            Value::String(text) => redact_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact(field, value)),
            Value::Object(fields) => fields.iter_mut().for_each(|(field, value)| self.redact(field, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Makes a text safe in place; see [`safe`].
pub(crate) fn redact_text(text: &mut String) {
    if let Cow::Owned(redacted) = safe(text) {
        *text = redacted;
    }
}

/// The maximum length of a text, in bytes.
const MAX_TEXT: usize = 4096;

/// Stands for the rest of a text that is too long.
const ELLIPSIS: char = '…';

/// The text without e-mail addresses, and without what exceeds the maximum length. Borrowed if it is unchanged, which is the
/// usual case.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return without_emails(text);
    }
    let begin = &text[..text.floor_char_boundary(MAX_TEXT - ELLIPSIS.len_utf8())];
    let mut begin = without_emails(begin).into_owned();
    begin.push(ELLIPSIS);
    Cow::Owned(begin)
}

fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Whether a part of a name is this normalized secret, or a kind of it: `token` and `Access-Token`. It is asked of every field,
/// so it allocates nothing.
fn names(part: &str, secret: &str) -> bool {
    let Some((kind, end)) = part.len().checked_sub(secret.len()).and_then(|at| part.split_at_checked(at))
    else {
        return false;
    };
    let is_same = |(one, other): (u8, u8)| match one {
        b'-' => other == b'_',
        one => one.eq_ignore_ascii_case(&other),
    };
    end.bytes().zip(secret.bytes()).all(is_same) && (kind.is_empty() || kind.ends_with(['_', '-']))
}

fn without_emails(text: &str) -> Cow<'_, str> {
    let mut redacted = String::new();
    let (mut copied, mut searched) = (0, 0);
    while let Some((at, length)) = first_at(&text[searched..]) {
        let (at, domain) = (searched + at, searched + at + length);
        let before = text[copied..at].rfind(|c: char| !is_email_char(c));
        let before = before.map_or(copied, |end| next_char(text, copied + end));
        let after = text[domain..].find(|c: char| !is_email_char(c)).map_or(text.len(), |end| domain + end);
        searched = after;
        // An @ without a local part or a domain is no address.
        if before < at && domain < after {
            redacted.push_str(&text[copied..before]);
            redacted.push_str(REDACTED);
            copied = after;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    redacted.push_str(&text[copied..]);
    Cow::Owned(redacted)
}

/// The position and length of the first `@`, which a URL may write as `%40`.
fn first_at(text: &str) -> Option<(usize, usize)> {
    // A search for one character is fast, and most texts have neither.
    let encoded = text.find('%').and_then(|percent| Some(percent + text[percent..].find("%40")?));
    let (plain, encoded) = (text.find('@').map(|at| (at, 1)), encoded.map(|at| (at, 3)));
    plain.into_iter().chain(encoded).min()
}

fn next_char(text: &str, index: usize) -> usize {
    index + text[index..].chars().next().map_or(0, char::len_utf8)
}

fn is_email_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secret_fields_are_recognized_by_the_last_part_of_their_name() {
        let redactor = Redactor::new(&["Door-Code".to_owned()]);
        for field in [
            "password",
            "Authorization",
            "http.request.header.cookie",
            "api-key",
            "user.email",
            "shop.door_code",
            "access_token",
            "X-Api-Key",
            "set-cookie",
            "error.password.chain",
            "inner-door-code",
        ] {
            assert!(redactor.is_secret(field), "{field}");
        }
        for field in ["path", "token_type", "passwords_hashed", "tenant_id", "door", "mytoken", "tokens.used"]
        {
            assert!(!redactor.is_secret(field), "{field}");
        }
        assert!(!Redactor::default().is_secret("door_code"));
    }

    #[test]
    fn addresses_are_redacted_anywhere_in_a_text() {
        for unchanged in ["no address here", "an @ alone, a@ and @b", ""] {
            assert!(matches!(safe(unchanged), Cow::Borrowed(same) if same == unchanged), "{unchanged}");
        }
        for (text, expected) in [
            ("ada@example.com", "[REDACTED]"),
            ("to <ada@example.com>, é bob@x.org!", "to <[REDACTED]>, é [REDACTED]!"),
            ("/users/ada%40example.com/x", "/users/[REDACTED]/x"),
            ("@ then ada@example.com", "@ then [REDACTED]"),
            ("a@b@c", "[REDACTED]@c"),
            ("ada@example.com@", "[REDACTED]@"),
        ] {
            assert_eq!(safe(text), expected);
        }
    }

    #[test]
    fn a_text_is_bounded_whatever_it_holds() {
        for part in ["x", "é", "@", "a@b ", "%40"] {
            let text = part.repeat(100_000);
            let safe = safe(&text);
            // Each address of three bytes or more becomes the ten bytes that stand for it.
            assert!(safe.len() <= MAX_TEXT * 4 && safe.ends_with(ELLIPSIS), "{part}: {}", safe.len());
        }
        assert_eq!(safe(&"x".repeat(MAX_TEXT)).len(), MAX_TEXT);
        let cut = format!("{}ada@example.com", "x ".repeat(MAX_TEXT / 2 - 4));
        assert!(!safe(&cut).contains("ada@"), "an address at the end is cut, and redacted");
    }

    #[test]
    fn values_of_any_shape_are_redacted() {
        let mut value = json!({ "to": ["ada@example.com", 1], "inner": { "token": [true] } });
        Redactor::default().redact("fields", &mut value);
        assert_eq!(value, json!({ "to": [REDACTED, 1], "inner": { "token": REDACTED } }));
    }
}
