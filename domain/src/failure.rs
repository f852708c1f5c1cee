//! What a port answers when the world behind it fails.

use std::error::Error;

/// The storage behind a port failed. No rule was broken; the cause is for operators, never for clients.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// The storage cannot be reached or is too busy. Trying again later may help.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage answered with something that this version cannot make sense of.
    #[error("the storage failed unexpectedly")]
    Unexpected(#[source] Box<dyn Error + Send + Sync>),
}

/// A stored value that breaks a rule of the domain: the database was changed by hand, or a newer version
/// wrote it.
#[derive(Debug, thiserror::Error)]
#[error("stored {what} is not valid: {value:?}")]
pub struct Corrupt {
    /// Which column or type.
    pub what: &'static str,
    /// What was found there.
    pub value: String,
}

impl From<Corrupt> for StoreFailure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Unexpected(Box::new(corrupt))
    }
}
