//! The header `Authorization` with a bearer token (RFC 6750, section 2.1).

use glasshouse_api::http::public::middleware::bearer_token;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "authorization",
    seeds: &["Bearer a.b.c", "bEARER  a.b.c ", "Basic YTpi", "Bearer", "Bearer\ta"],
    dictionary: &["Bearer ", "Basic ", " ", "\t", "."],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_bearer = text.len() > 6 && text.is_char_boundary(7) && text[..7].eq_ignore_ascii_case("bearer ");
    let token = bearer_token(text);
    assert_eq!(token.is_some(), is_bearer);
    if let Some(token) = token {
        assert_eq!(token, text[7..].trim());
        assert_eq!(bearer_token(&format!("Bearer {token}")), Some(token));
    }
}
