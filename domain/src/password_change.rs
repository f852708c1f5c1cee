//! A user changes their own password.

use secrecy::SecretString;

use crate::failure::StoreFailure;
use crate::id::UserId;
use crate::login::{HashingFailed, PasswordHasher, Verification};
use crate::user::{SessionGeneration, User};
use crate::values::{Password, PasswordHash};

/// The stored password of a user.
#[derive(Clone, Debug)]
pub struct StoredPassword {
    /// The hash.
    pub hash: PasswordHash,
    /// The generation of the sessions that began with it.
    pub sessions: SessionGeneration,
}

/// The port of password changes to one tenant's storage.
pub trait PasswordStore {
    /// The password of an active user; `None` if there is no such user.
    fn password(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Option<StoredPassword>, StoreFailure>> + Send;

    /// Stores a new password and begins the next generation of sessions, in one statement. `None` if the user is not
    /// active, or their sessions have another generation than `sessions`: another change came first.
    fn replace_password(
        &self,
        user: UserId,
        sessions: SessionGeneration,
        new: &PasswordHash,
    ) -> impl Future<Output = Result<Option<User>, StoreFailure>> + Send;
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    /// The current password is wrong.
    #[error("the current password is wrong")]
    WrongPassword,
    /// A password could not be verified or hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Changes the password of a user who knows the current one, and ends all of the user's sessions. Tokens of password resets
/// end with them.
///
/// # Errors
/// [`PasswordChangeError`] when the current password is wrong, or hashing or the storage fails.
pub async fn change_password(
    store: &impl PasswordStore,
    hasher: &impl PasswordHasher,
    user: UserId,
    current: &SecretString,
    new: Password,
) -> Result<User, PasswordChangeError> {
    let stored = store.password(user).await?.ok_or(PasswordChangeError::WrongPassword)?;
    let verification = hasher.verify(Password::normalized(current), stored.hash).await?;
    if verification == Verification::Wrong {
        return Err(PasswordChangeError::WrongPassword);
    }
    let new = hasher.hash(new).await?;
    let changed = store.replace_password(user, stored.sessions, &new).await?;
    changed.ok_or(PasswordChangeError::WrongPassword)
}
