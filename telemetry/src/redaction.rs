//! Redaction: the values of fields that hold secrets, and e-mail addresses in any text, never leave the process.

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

    /// Whether a field of this name holds a secret: the whole name or its last part, as in
    /// `http.request.header.authorization`.
    pub(crate) fn is_secret(&self, field: &str) -> bool {
        let last = normalized(field.rsplit('.').next().unwrap_or(field));
        SECRET_FIELDS.iter().any(|secret| *secret == last) || self.more.contains(&last)
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

/// Redacts e-mail addresses in place.
pub(crate) fn redact_text(text: &mut String) {
    if let Some(redacted) = without_emails(text) {
        *text = redacted;
    }
}

fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The text without e-mail addresses; `None` if it has no address, which is the usual case.
pub(crate) fn without_emails(text: &str) -> Option<String> {
    let (at, length) = first_at(text)?;
    let before = text[..at].rfind(|c: char| !is_email_char(c)).map_or(0, |end| next_char(text, end));
    let domain = at + length;
    let after = text[domain..].find(|c: char| !is_email_char(c)).map_or(text.len(), |end| domain + end);
    let rest = without_emails(&text[after..]).unwrap_or_else(|| text[after..].to_owned());
    if before == at || after == domain {
        // An @ without a local part or a domain is no address.
        return (rest != text[after..]).then(|| format!("{}{rest}", &text[..after]));
    }
    Some(format!("{}{REDACTED}{rest}", &text[..before]))
}

/// The position and length of the first `@`, which a URL may write as `%40`.
fn first_at(text: &str) -> Option<(usize, usize)> {
    let (plain, encoded) = (text.find('@').map(|at| (at, 1)), text.find("%40").map(|at| (at, 3)));
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
        ] {
            assert!(redactor.is_secret(field), "{field}");
        }
        for field in ["path", "token_type", "passwords_hashed", "tenant_id", "door"] {
            assert!(!redactor.is_secret(field), "{field}");
        }
        assert!(!Redactor::default().is_secret("door_code"));
    }

    #[test]
    fn addresses_are_redacted_anywhere_in_a_text() {
        let redacted = |text| without_emails(text);
        assert_eq!(redacted("no address here"), None);
        assert_eq!(redacted("an @ alone, a@ and @b"), None);
        assert_eq!(redacted("ada@example.com").as_deref(), Some(REDACTED));
        assert_eq!(
            redacted("to <ada@example.com>, é bob@x.org!").as_deref(),
            Some("to <[REDACTED]>, é [REDACTED]!")
        );
        assert_eq!(redacted("/users/ada%40example.com/x").as_deref(), Some("/users/[REDACTED]/x"));
        assert_eq!(redacted("@ then ada@example.com").as_deref(), Some("@ then [REDACTED]"));
    }

    #[test]
    fn values_of_any_shape_are_redacted() {
        let mut value = json!({ "to": ["ada@example.com", 1], "inner": { "token": [true] } });
        Redactor::default().redact("fields", &mut value);
        assert_eq!(value, json!({ "to": [REDACTED, 1], "inner": { "token": REDACTED } }));
    }
}
