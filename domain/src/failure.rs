//! Failures of the storage behind a port.

use std::error::Error;

/// A technical failure of the storage. The cause is for logs; it is never shown to clients.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// The storage is unreachable or overloaded. A retry may succeed.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage returned an error or a value that this version does not expect. A retry does not help.
    #[error("the storage failed unexpectedly")]
    Unexpected(#[source] Box<dyn Error + Send + Sync>),
    /// The caller no longer has the authority with which the request began.
    #[error(transparent)]
    AuthorityLost(#[from] AuthorityLost),
}

/// How a caller lost the authority with which the request began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityLost {
    /// The user is deactivated or does not exist.
    #[error("this user is deactivated")]
    Deactivated,
    /// The password was changed, which ended the session.
    #[error("your session has ended because the password was changed: log in again")]
    SessionEnded,
    /// The user has a lower role.
    #[error("your role has changed: repeat the request")]
    Demoted,
}

/// A stored value that violates a rule of the domain. The database was changed by hand, or a newer version of
/// the service wrote the value.
#[derive(Debug, thiserror::Error)]
#[error("stored {what} is not valid: {value:?}")]
pub struct Corrupt {
    /// The column or type, such as `order state`.
    pub what: &'static str,
    /// The stored value as text.
    pub value: String,
}

impl From<Corrupt> for StoreFailure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Unexpected(Box::new(corrupt))
    }
}
