//! Login: who somebody is, by tenant, address and password.

use secrecy::SecretString;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::values::{Email, Password, PasswordHash, Slug};

/// Hashes and checks passwords. Both take a while on purpose.
pub trait PasswordHasher {
    /// A salted hash of a new password.
    fn hash(&self, password: Password) -> impl Future<Output = Result<PasswordHash, HashingFailed>> + Send;

    /// Whether `password` is the one that was hashed. With `None`, for a user who does not exist, it takes
    /// as long as it would for one who does, and answers `false`.
    fn verify(
        &self,
        password: SecretString,
        hash: Option<PasswordHash>,
    ) -> impl Future<Output = Result<bool, HashingFailed>> + Send;
}

/// Hashing did not work, for a technical reason.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed")]
pub struct HashingFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What login compares with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The hash of their password.
    pub password: PasswordHash,
    /// Whether they may log in.
    pub active: bool,
}

/// What login needs from the storage.
pub trait LoginStore {
    /// The credentials of a user, or `None` if the tenant or the user does not exist.
    fn credentials(
        &self,
        tenant: &Slug,
        email: &Email,
    ) -> impl Future<Output = Result<Option<Credentials>, StoreFailure>> + Send;
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Tenant, address or password is wrong, or the user may not log in: on purpose nobody learns which.
    #[error("tenant, e-mail address or password is wrong")]
    WrongCredentials,
    /// The password could not be checked.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Checks who somebody is.
///
/// # Errors
/// When the credentials are wrong, or hashing or the storage fails.
pub async fn log_in(
    store: &impl LoginStore,
    hasher: &impl PasswordHasher,
    tenant: &Slug,
    email: &Email,
    password: SecretString,
) -> Result<Credentials, LoginError> {
    let credentials = store.credentials(tenant, email).await?;
    let hash = credentials.as_ref().map(|found| found.password.clone());
    let matches = hasher.verify(password, hash).await?;
    match credentials {
        Some(found) if matches && found.active => {
            tracing::info!(tenant_id = %found.tenant, user_id = %found.user, "user_login_successful");
            Ok(found)
        }
        _ => {
            tracing::warn!(tenant = %tenant, "user_login_failed");
            Err(LoginError::WrongCredentials)
        }
    }
}
