//! Versions of objects that several people may edit, for optimistic locking.

use std::collections::BTreeSet;

/// The versions that a change may replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever version the object has.
    Any,
    /// One of these versions; with an empty set the change never applies.
    OneOf(BTreeSet<i32>),
}

impl ExpectedVersion {
    /// Whether a change may replace this version.
    #[must_use]
    pub fn accepts(&self, version: i32) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

impl From<i32> for ExpectedVersion {
    fn from(version: i32) -> Self {
        Self::OneOf(BTreeSet::from([version]))
    }
}
