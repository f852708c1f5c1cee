//! Access tokens: short-lived JWTs (RFC 7519), signed with HMAC-SHA256.

use std::time::Duration;

use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::login::LoggedIn;
use glasshouse_domain::user::SessionGeneration;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::db::Directory;
use crate::passwords::Argon2Hasher;

/// The signing key and the lifetime of tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The HMAC key; at least 32 bytes.
    pub secret: SecretString,
    /// How long a token is valid.
    pub lifetime: Duration,
}

/// The claims of a verified token. Only [`Tokens::verify`] creates them. They have no role: it is looked up with
/// every request, so that a change takes effect immediately.
#[derive(Clone, Copy, Debug)]
pub struct Claims {
    tenant: TenantId,
    user: UserId,
    sessions: SessionGeneration,
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

    /// The generation of the user's sessions in which the token was issued.
    #[must_use]
    pub const fn sessions(&self) -> SessionGeneration {
        self.sessions
    }
}

/// The payload of a token (RFC 7519 §4.1).
#[derive(Serialize, Deserialize)]
struct Payload {
    sub: UserId,
    tenant: TenantId,
    /// Absent in tokens of earlier versions.
    #[serde(default)]
    sessions: SessionGeneration,
    iss: String,
    aud: String,
    /// In seconds since the Unix epoch, as is `exp`.
    iat: i64,
    exp: i64,
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its lifetime is over.
    #[error("the access token has expired: log in again")]
    Expired,
    /// It is malformed, or its signature or claims are wrong.
    #[error("the access token is not valid: log in again")]
    Invalid,
}

/// Issues and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

const ISSUER: &str = "glasshouse";
const AUDIENCE: &str = "glasshouse-api";

impl Tokens {
    /// Tokens with this key and lifetime.
    #[must_use]
    pub fn new(settings: &TokenSettings) -> Self {
        let secret = settings.secret.expose_secret().as_bytes();
        // Exactly one algorithm, so that a token cannot choose how it is verified (RFC 8725 §3.1).
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            lifetime: settings.lifetime,
        }
    }

    /// How long a token is valid.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Issues a token to a user who has logged in. The type of the proof admits only the directory's credentials,
    /// verified by Argon2.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(
        &self,
        login: &LoggedIn<Directory, Argon2Hasher>,
        now: OffsetDateTime,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        self.sign(Claims { tenant: login.tenant(), user: login.user(), sessions: login.sessions() }, now)
    }

    fn sign(&self, claims: Claims, now: OffsetDateTime) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let payload = Payload {
            sub: claims.user,
            tenant: claims.tenant,
            sessions: claims.sessions,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.unix_timestamp(),
            exp: (now + self.lifetime).unix_timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &self.encoding).map(SecretString::from)
    }

    /// Verifies a token, and returns its claims.
    ///
    /// # Errors
    /// When the token has expired or is not valid.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        match jsonwebtoken::decode::<Payload>(token, &self.decoding, &self.validation) {
            Ok(data) => {
                let Payload { tenant, sub: user, sessions, .. } = data.claims;
                Ok(Claims { tenant, user, sessions })
            }
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(TokenError::Expired),
            Err(_) => Err(TokenError::Invalid),
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        let secret = SecretString::from(secret.repeat(8));
        Tokens::new(&TokenSettings { secret, lifetime: Duration::from_secs(60) })
    }

    fn issued(tokens: &Tokens, now: OffsetDateTime) -> String {
        let sessions = SessionGeneration::FIRST;
        let claims = Claims { tenant: TenantId::new(), user: UserId::new(), sessions };
        tokens.sign(claims, now).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_token_is_valid_only_within_its_lifetime_and_with_its_secret() {
        let (ours, theirs) = (tokens("ours"), tokens("theirs"));
        let now = OffsetDateTime::now_utc();
        assert!(ours.verify(&issued(&ours, now)).is_ok());
        assert_eq!(ours.verify(&issued(&theirs, now)).unwrap_err(), TokenError::Invalid);
        let old = issued(&ours, now - time::Duration::minutes(2));
        assert_eq!(ours.verify(&old).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn a_token_without_a_signature_is_rejected() {
        let ours = tokens("ours");
        let valid = issued(&ours, OffsetDateTime::now_utc());
        let claims = valid.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
        assert_eq!(ours.verify(&unsigned).unwrap_err(), TokenError::Invalid);
        for text in ["", "a.b.c", "not a token"] {
            assert_eq!(ours.verify(text).unwrap_err(), TokenError::Invalid);
        }
    }
}
