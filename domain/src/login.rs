//! Login: authenticates a user by tenant, e-mail address and password.

use std::marker::PhantomData;

use secrecy::SecretString;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::user::SessionGeneration;
use crate::values::{Email, Password, PasswordHash, Slug};

/// Hashes and verifies passwords. Both are slow on purpose, so that guessing is expensive.
pub trait PasswordHasher {
    /// Hashes a password with a random salt, at the current cost.
    fn hash(&self, password: Password) -> impl Future<Output = Result<PasswordHash, HashingFailed>> + Send;

    /// Compares a password with a hash, at the cost of the hash.
    fn verify(
        &self,
        password: SecretString,
        hash: PasswordHash,
    ) -> impl Future<Output = Result<Verification, HashingFailed>> + Send;

    /// Takes as long as the verification of a hash with the cost of `like`, or at the current cost if there is none.
    fn verify_decoy(
        &self,
        password: SecretString,
        like: Option<PasswordHash>,
    ) -> impl Future<Output = Result<(), HashingFailed>> + Send;
}

/// The result of a comparison of a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The hash is of another password.
    Wrong,
    /// The hash is of this password.
    Correct,
    /// The hash is of this password, at another cost than the current one.
    Outdated,
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
    /// The generation of the sessions that begin with this password.
    pub sessions: SessionGeneration,
}

/// What the storage has for an address.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The active user with this address.
    Found(Credentials),
    /// There is no such user.
    NotFound {
        /// The hash of another active user of the tenant, always the same one for an address; `None` if there is no such
        /// tenant. Its cost is that of the decoy: after a change of the cost, unknown addresses respond like users
        /// who have the old cost or the new one, in the same proportion.
        like: Option<PasswordHash>,
    },
}

/// The port of login to the storage.
pub trait LoginStore {
    /// The credentials of an active user. It takes as long if there is no such user.
    fn credentials(
        &self,
        tenant: &Slug,
        email: &Email,
    ) -> impl Future<Output = Result<Lookup, StoreFailure>> + Send;

    /// Replaces the hash of a password with another one of the same password, unless the stored one is no longer that
    /// of the credentials: a concurrent login has replaced it, or the user has changed the password.
    fn replace_hash(
        &self,
        credentials: &Credentials,
        new: &PasswordHash,
    ) -> impl Future<Output = Result<(), StoreFailure>> + Send;
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
    sessions: SessionGeneration,
    rehash: Option<Result<(), LoginError>>,
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

    /// The generation of the session that begins.
    #[must_use]
    pub const fn sessions(&self) -> SessionGeneration {
        self.sessions
    }

    /// The result of hashing the password again, at the current cost; `None` if the stored hash had it. A failure does
    /// not fail the login: the next one tries again.
    #[must_use]
    pub const fn rehash(&self) -> Option<&Result<(), LoginError>> {
        self.rehash.as_ref()
    }
}

/// Authenticates a user by tenant, e-mail address and password. Replaces the user's hash if it has not the current cost.
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
    let password = Password::normalized(&password);
    let credentials = match store.credentials(tenant, email).await? {
        Lookup::Found(credentials) => credentials,
        Lookup::NotFound { like } => {
            hasher.verify_decoy(password, like).await?;
            return Err(LoginError::WrongCredentials);
        }
    };
    let verification = hasher.verify(password.clone(), credentials.password.clone()).await?;
    if verification == Verification::Wrong {
        return Err(LoginError::WrongCredentials);
    }
    let rehash = match verification {
        Verification::Outdated => Some(rehash(store, hasher, &credentials, password).await),
        Verification::Correct | Verification::Wrong => None,
    };
    let Credentials { tenant, user, sessions, .. } = credentials;
    Ok(LoggedIn { tenant, user, sessions, rehash, verified_by: PhantomData })
}

async fn rehash(
    store: &impl LoginStore,
    hasher: &impl PasswordHasher,
    credentials: &Credentials,
    password: SecretString,
) -> Result<(), LoginError> {
    let hash = hasher.hash(Password::verified(password)).await?;
    Ok(store.replace_hash(credentials, &hash).await?)
}
