//! Login: authenticates a user by tenant, e-mail address and password.

use std::marker::PhantomData;

use secrecy::SecretString;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::values::{Email, Password, PasswordHash, Slug};

/// Hashes and verifies passwords. Both are slow on purpose, so that guessing is expensive.
pub trait PasswordHasher {
    /// Hashes a new password with a random salt.
    fn hash(&self, password: Password) -> impl Future<Output = Result<PasswordHash, HashingFailed>> + Send;

    /// Whether `password` matches `hash`. `None`, for a user who does not exist, takes as long and returns `false`,
    /// so that the duration does not reveal which users exist.
    fn verify(
        &self,
        password: SecretString,
        hash: Option<PasswordHash>,
    ) -> impl Future<Output = Result<bool, HashingFailed>> + Send;
}

/// Hashing or verification failed for a technical reason.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed")]
pub struct HashingFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The stored credentials of a user.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user's id.
    pub user: UserId,
    /// The hash of the password.
    pub password: PasswordHash,
    /// Whether the user may log in.
    pub active: bool,
}

/// The port of login to the storage.
pub trait LoginStore {
    /// The credentials of a user, or `None` if the tenant or the user does not exist.
    fn credentials(
        &self,
        tenant: &Slug,
        email: &Email,
    ) -> impl Future<Output = Result<Option<Credentials>, StoreFailure>> + Send;
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The tenant, address or password is wrong, or the user may not log in. The client does not learn which, so
    /// that it cannot find out which users exist.
    #[error("tenant, e-mail address or password is wrong")]
    WrongCredentials,
    /// The password could not be verified.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Proof of a successful login; only [`log_in`] creates it.
///
/// The type parameters are the store and the hasher that verified the credentials, so that the issuer of tokens can
/// require the production ones.
#[derive(Debug)]
pub struct LoggedIn<S, H> {
    tenant: TenantId,
    user: UserId,
    verified_by: PhantomData<fn() -> (S, H)>,
}

impl<S, H> LoggedIn<S, H> {
    /// The tenant of the authenticated user.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The id of the authenticated user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }
}

/// Authenticates a user by tenant, e-mail address and password.
///
/// # Errors
/// [`LoginError`] when the credentials are wrong, or hashing or the storage fails.
pub async fn log_in<S: LoginStore, H: PasswordHasher>(
    store: &S,
    hasher: &H,
    tenant: &Slug,
    email: &Email,
    password: SecretString,
) -> Result<LoggedIn<S, H>, LoginError> {
    let credentials = store.credentials(tenant, email).await?;
    let hash = credentials.as_ref().map(|found| found.password.clone());
    let matches = hasher.verify(Password::normalized(&password), hash).await?;
    match credentials {
        Some(found) if matches && found.active => {
            Ok(LoggedIn { tenant: found.tenant, user: found.user, verified_by: PhantomData })
        }
        _ => Err(LoginError::WrongCredentials),
    }
}
