//! Access tokens. The input is a token, or behind `!` the header and the claims of one that is signed with the right key.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use glasshouse_infra::tokens::{TokenSettings, Tokens};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "token",
    seeds: &[
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIifQ.",
        concat!(
            r#"!{"alg":"HS256","typ":"JWT"}{"sub":"018f3c2a-5b7e-7c3d-9f01-23456789abcd","#,
            r#""tenant":"018f3c2a-5b7e-7c3d-9f01-23456789abce","sessions":1,"iss":"glasshouse","#,
            r#""aud":"glasshouse-api","iat":1700000000,"exp":9999999999}"#
        ),
        r#"!{"alg":"none"}{"iss":"glasshouse","aud":["glasshouse-api"],"exp":1e300,"nbf":-1}"#,
        r#"!{"alg":"HS512","crit":["exp"],"exp":1}{"exp":"9999999999"}"#,
    ],
    dictionary: &[
        "\"alg\":\"HS256\"",
        "\"exp\":",
        "\"nbf\":",
        "\"iss\":\"glasshouse\"",
        "\"aud\":\"glasshouse-api\"",
        "\"aud\":[\"glasshouse-api\"]",
        "9999999999",
        "}{",
        ".",
        "!",
    ],
    run,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

thread_local! {
    static TOKENS: Tokens =
        Tokens::new(&TokenSettings { secret: SECRET.into(), lifetime: Duration::from_secs(60) });
    static KEY: EncodingKey = EncodingKey::from_secret(SECRET.as_bytes());
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let Some(parts) = text.strip_prefix('!') else {
        let rejected = TOKENS.with(|tokens| tokens.verify(text)).expect_err("it is not signed");
        return says_what_to_do(&rejected);
    };
    let Some(end) = parts.find("}{") else { return };
    let (header, claims) = parts.split_at(end + 1);
    match TOKENS.with(|tokens| tokens.verify(&signed(header, claims))) {
        Ok(found) => {
            let [header, claims] =
                [header, claims].map(|json| serde_json::from_str::<Value>(json).expect("it was read"));
            assert_eq!(header["alg"], "HS256");
            assert_eq!((&claims["iss"], &claims["aud"]), (&"glasshouse".into(), &"glasshouse-api".into()));
            let now = OffsetDateTime::now_utc().unix_timestamp();
            assert!(claims["exp"].as_i64().expect("a number") >= now - 2, "it has expired");
            let id = |name: &str| claims[name].as_str().and_then(|id| id.parse::<Uuid>().ok());
            assert_eq!(id("sub"), Some(found.user().uuid()));
            assert_eq!(id("tenant"), Some(found.tenant().uuid()));
            assert_eq!(
                claims.get("sessions").map_or(Some(0), Value::as_i64),
                Some(found.sessions().get().into())
            );
        }
        Err(error) => says_what_to_do(&error),
    }
}

fn signed(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|json| BASE64_URL_SAFE_NO_PAD.encode(json));
    let message = format!("{header}.{claims}");
    let signature = KEY.with(|key| jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::HS256));
    format!("{message}.{}", signature.expect("the key signs"))
}
