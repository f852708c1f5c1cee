//! What never leaves the process, whoever writes it into a log line or a span: secrets by the name of their
//! field, and e-mail addresses wherever they occur.

/// What stands in place of a secret.
pub(super) const REDACTED: &str = "[REDACTED]";

/// The fields that hold secrets, in lower case.
const SECRET_FIELDS: [&str; 9] =
    ["password", "token", "api_key", "secret", "credit_card", "ssn", "auth_token", "authorization", "cookie"];

/// Whether a field of this name holds a secret: the name itself, or its last part, as in
/// `http.request.header.authorization`.
pub(super) fn is_secret(field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    let last = last.to_ascii_lowercase().replace('-', "_");
    SECRET_FIELDS.iter().any(|secret| last == *secret) || last == "email"
}

/// The text without e-mail addresses, or `None` if it has none, which is nearly always.
pub(super) fn without_emails(text: &str) -> Option<String> {
    let (at, length) = first_at(text)?;
    let before = text[..at].rfind(|c: char| !is_email_char(c)).map_or(0, |end| next_char(text, end));
    let domain = at + length;
    let after = text[domain..].find(|c: char| !is_email_char(c)).map_or(text.len(), |end| domain + end);
    let rest = without_emails(&text[after..]).unwrap_or_else(|| text[after..].to_owned());
    if before == at || after == domain {
        // An @ without a name or a domain is no address.
        return (rest != text[after..]).then(|| format!("{}{rest}", &text[..after]));
    }
    Some(format!("{}{REDACTED}{rest}", &text[..before]))
}

/// Where the first `@` stands and how long it is: in a URL it may be written as `%40`.
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
    use super::*;

    #[test]
    fn secrets_are_known_by_the_last_part_of_their_name() {
        for field in ["password", "Authorization", "http.request.header.cookie", "api-key", "user.email"] {
            assert!(is_secret(field), "{field}");
        }
        for field in ["path", "token_type", "passwords_hashed", "tenant_id"] {
            assert!(!is_secret(field), "{field}");
        }
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let hidden = |text| without_emails(text);
        assert_eq!(hidden("no address here"), None);
        assert_eq!(hidden("an @ alone, a@ and @b"), None);
        assert_eq!(hidden("ada@example.com").as_deref(), Some(REDACTED));
        assert_eq!(
            hidden("to <ada@example.com>, é bob@x.org!").as_deref(),
            Some("to <[REDACTED]>, é [REDACTED]!")
        );
        assert_eq!(hidden("/users/ada%40example.com/x").as_deref(), Some("/users/[REDACTED]/x"));
        assert_eq!(hidden("@ then ada@example.com").as_deref(), Some("@ then [REDACTED]"));
    }
}
