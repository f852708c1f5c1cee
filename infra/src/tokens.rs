//! Access tokens: JWTs signed with HMAC-SHA256, valid for a short while.

use std::time::Duration;

use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::login::LoggedIn;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::db::Directory;
use crate::passwords::Argon2Hasher;

/// How to sign tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The key of the signature; at least 32 bytes.
    pub secret: SecretString,
    /// How long a token is valid.
    pub life: Duration,
}

/// What a verified token says: [`Tokens::check`] alone makes one. The role is not in it, because it is looked up
/// with every request, so that a change counts at once.
#[derive(Clone, Copy, Debug)]
pub struct Claims {
    tenant: TenantId,
    user: UserId,
}

impl Claims {
    /// The user's tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }
}

/// The payload of a token (RFC 7519, section 4.1).
#[derive(Serialize, Deserialize)]
struct Payload {
    sub: UserId,
    tenant: TenantId,
    iss: String,
    aud: String,
    /// In seconds since 1970, as is `exp`.
    iat: i64,
    exp: i64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid once.
    #[error("the access token has expired: log in again")]
    Expired,
    /// Not ours, changed, or no token at all.
    #[error("the access token is not valid: log in again")]
    Invalid,
}

/// Issues and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    life: Duration,
}

const ISSUER: &str = "glasshouse";
const AUDIENCE: &str = "glasshouse-api";

impl Tokens {
    /// Tokens of this kind.
    #[must_use]
    pub fn new(settings: &TokenSettings) -> Self {
        let secret = settings.secret.expose_secret().as_bytes();
        // One algorithm alone: a token must not choose how it is checked.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            life: settings.life,
        }
    }

    /// How long a token is valid.
    #[must_use]
    pub const fn life(&self) -> Duration {
        self.life
    }

    /// A token for a user who has logged in: with credentials of the real directory, checked by the real hasher.
    ///
    /// # Errors
    /// When signing fails, for a technical reason.
    pub fn issue(
        &self,
        login: &LoggedIn<Directory, Argon2Hasher>,
        now: OffsetDateTime,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        self.sign(Claims { tenant: login.tenant(), user: login.user() }, now)
    }

    fn sign(&self, claims: Claims, now: OffsetDateTime) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let payload = Payload {
            sub: claims.user,
            tenant: claims.tenant,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.unix_timestamp(),
            exp: (now + self.life).unix_timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &self.encoding).map(SecretString::from)
    }

    /// What a token says, if it is ours and still valid.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, token: &str) -> Result<Claims, TokenError> {
        match jsonwebtoken::decode::<Payload>(token, &self.decoding, &self.validation) {
            Ok(data) => Ok(Claims { tenant: data.claims.tenant, user: data.claims.sub }),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(TokenError::Expired),
            Err(_) => Err(TokenError::Invalid),
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("life", &self.life).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        let secret = SecretString::from(secret.repeat(8));
        Tokens::new(&TokenSettings { secret, life: Duration::from_secs(60) })
    }

    fn issued(tokens: &Tokens, now: OffsetDateTime) -> String {
        let claims = Claims { tenant: TenantId::new(), user: UserId::new() };
        tokens.sign(claims, now).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_token_is_valid_for_its_life_and_under_its_secret_alone() {
        let (ours, theirs) = (tokens("ours"), tokens("theirs"));
        let now = OffsetDateTime::now_utc();
        assert!(ours.check(&issued(&ours, now)).is_ok());
        assert_eq!(ours.check(&issued(&theirs, now)).unwrap_err(), TokenError::Invalid);
        let old = issued(&ours, now - time::Duration::minutes(2));
        assert_eq!(ours.check(&old).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let ours = tokens("ours");
        let valid = issued(&ours, OffsetDateTime::now_utc());
        let claims = valid.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
        assert_eq!(ours.check(&unsigned).unwrap_err(), TokenError::Invalid);
        for text in ["", "a.b.c", "not a token"] {
            assert_eq!(ours.check(text).unwrap_err(), TokenError::Invalid);
        }
    }
}
