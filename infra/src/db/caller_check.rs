//! The check of a caller by the first transaction of their request.

use std::sync::OnceLock;

use glasshouse_domain::failure::AuthorityLost;
use glasshouse_domain::id::UserId;
use glasshouse_domain::user::{Role, SessionGeneration};

/// The authority that a request assumes its caller to have, until a transaction has read it from the database.
///
/// The assumption comes from the cache, which may be outdated: a change of the user may not have reached it. It costs
/// no round trip to check it, because the transaction's first statement does.
#[derive(Debug)]
pub(crate) struct CallerCheck {
    user: UserId,
    role: Role,
    sessions: SessionGeneration,
    verdict: OnceLock<Result<(), AuthorityLost>>,
}

/// The role and the sessions of an active user, as the database has them.
pub(super) type CurrentAuthority = (Role, SessionGeneration);

impl CallerCheck {
    /// Assumes that `user` is active and has at least this role, and that the session has not ended.
    pub(crate) const fn new(user: UserId, role: Role, sessions: SessionGeneration) -> Self {
        Self { user, role, sessions, verdict: OnceLock::new() }
    }

    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    /// Whether a transaction has confirmed the assumption. Later ones of the request do not check it again, so that a
    /// change in between does not stop a checkout halfway.
    pub(super) fn is_confirmed(&self) -> bool {
        self.verdict.get() == Some(&Ok(()))
    }

    pub(super) fn is_refused(&self) -> bool {
        self.verdict.get().is_some_and(Result::is_err)
    }

    /// Compares the assumption with the user's current role and sessions; `None` if the user is not active.
    pub(super) fn decide(&self, current: Option<CurrentAuthority>) -> Result<(), AuthorityLost> {
        *self.verdict.get_or_init(|| match current {
            None => Err(AuthorityLost::Deactivated),
            Some((_, sessions)) if sessions != self.sessions => Err(AuthorityLost::SessionEnded),
            Some((role, _)) if role < self.role => Err(AuthorityLost::Demoted),
            Some(_) => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_authority_is_refused_and_only_the_first_transaction_decides() {
        let (ours, next) = (SessionGeneration::FIRST, SessionGeneration::from(1));
        for (assumed, current, verdict) in [
            (Role::Member, None, Err(AuthorityLost::Deactivated)),
            (Role::Owner, Some((Role::Admin, ours)), Err(AuthorityLost::Demoted)),
            (Role::Owner, Some((Role::Owner, next)), Err(AuthorityLost::SessionEnded)),
            (Role::Admin, Some((Role::Admin, ours)), Ok(())),
            (Role::Member, Some((Role::Owner, ours)), Ok(())),
        ] {
            let check = CallerCheck::new(UserId::new(), assumed, ours);
            assert!(!check.is_confirmed() && !check.is_refused());
            assert_eq!(check.decide(current), verdict, "{assumed:?} {current:?}");
            assert_eq!((check.is_confirmed(), check.is_refused()), (verdict.is_ok(), verdict.is_err()));
            for later in [None, Some((Role::Owner, ours))] {
                assert_eq!(check.decide(later), verdict);
            }
        }
    }
}
