//! Password resets: a user who has forgotten their password sets a new one with a token that is sent to their address.
//!
//! Anyone may request a reset of any address, and must not learn whether it belongs to a user. So a request only writes a
//! message to the outbox, the same for every address. The worker looks the address up, creates the token and sends it; the
//! storage has its hash alone.
//!
//! A token belongs to the generation of the user's sessions in which it was created, and to use it begins the next one. So
//! it can be used once, until it expires, and a change of the password or the use of another token ends it.

use time::Duration;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::login::{HashingFailed, PasswordHasher};
use crate::values::{Password, PasswordHash, ResetToken, Slug};

/// The time until a token expires.
pub const LIFETIME: Duration = Duration::minutes(30);

/// The port of password resets to the storage, before a tenant is known.
pub trait PasswordResetStore {
    /// Whether the token can be used now, by the clock of the storage.
    fn is_usable(
        &self,
        tenant: &Slug,
        token: &ResetToken,
    ) -> impl Future<Output = Result<bool, StoreFailure>> + Send;

    /// In one transaction, if the token can be used now: stores the new password, and begins the next
    /// generation of the user's sessions. Otherwise `None`.
    fn use_token(
        &self,
        tenant: &Slug,
        token: &ResetToken,
        new: &PasswordHash,
    ) -> impl Future<Output = Result<Option<(TenantId, UserId)>, StoreFailure>> + Send;
}

/// Why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum PasswordResetError {
    /// The tenant has no such token, or it cannot be used any more.
    #[error("the token is wrong, was used or has expired: request a new one")]
    WrongToken,
    /// The new password could not be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Sets a new password, and ends all of the user's sessions. A wrong token costs no hash.
///
/// # Errors
/// [`PasswordResetError`] when the token cannot be used, or hashing or the storage fails.
pub async fn reset_password(
    store: &impl PasswordResetStore,
    hasher: &impl PasswordHasher,
    tenant: &Slug,
    token: &ResetToken,
    new: Password,
) -> Result<(TenantId, UserId), PasswordResetError> {
    if !store.is_usable(tenant, token).await? {
        return Err(PasswordResetError::WrongToken);
    }
    let new = hasher.hash(new).await?;
    store.use_token(tenant, token, &new).await?.ok_or(PasswordResetError::WrongToken)
}
