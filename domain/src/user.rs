//! Users and what they may do to each other.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::UserId;
use crate::text_enum::text_enum;
use crate::values::Email;

/// Somebody who can log in to one tenant. The password's hash is not part of it: only login needs that.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, unique within the tenant.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// Whether they may log in at all.
    pub active: bool,
    /// Counts the changes; the API's `ETag`.
    pub version: i32,
    /// When they were added.
    pub created_at: OffsetDateTime,
}

text_enum! {
    /// What a user may do. The order matters: each role may do all that the ones before it may.
    pub enum Role: "role" {
        /// Sees products and orders, and places orders.
        Member = "member",
        /// Also manages users and products, refunds, and sees reports.
        Admin = "admin",
        /// Also manages other owners. Every tenant has at least one active owner.
        Owner = "owner",
    }
}

impl Role {
    /// Whether somebody with this role may add, change or remove a user with the role `other`.
    #[must_use]
    pub fn may_manage(self, other: Self) -> bool {
        self >= Self::Admin && self >= other
    }
}

/// A change of a user; `None` leaves the value as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The new role.
    pub role: Option<Role>,
    /// Whether the user may log in from now on.
    pub active: Option<bool>,
}

/// Why a user must not be changed so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserChangeRefused {
    /// The actor's role is too low for the user's role, the old or the new one.
    #[error("your role may not manage this role")]
    RoleTooLow,
    /// The tenant would be left without an active owner.
    #[error("the last active owner must stay one: make somebody else an owner first")]
    LastOwner,
}

impl UserChange {
    /// Checks this change of `user` by somebody with the role `actor`, where `other_owners` more active
    /// owners exist.
    ///
    /// # Errors
    /// When the actor's role does not allow it, or nobody would own the tenant any more.
    pub fn check(self, actor: Role, user: &User, other_owners: u64) -> Result<(), UserChangeRefused> {
        let new_role = self.role.unwrap_or(user.role);
        if !actor.may_manage(user.role) || !actor.may_manage(new_role) {
            return Err(UserChangeRefused::RoleTooLow);
        }
        let owns_now = user.active && user.role == Role::Owner;
        let owns_then = self.active.unwrap_or(user.active) && new_role == Role::Owner;
        if owns_now && !owns_then && other_owners == 0 {
            return Err(UserChangeRefused::LastOwner);
        }
        Ok(())
    }
}

/// Why a user was not added or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The tenant has no user with this id.
    #[error("there is no such user")]
    NotFound,
    /// Another user of the tenant has the address.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// The user has another version than the change was made for.
    #[error("the user was changed since you read it: read it again and repeat your change")]
    VersionMismatch,
    /// A rule forbids the change.
    #[error(transparent)]
    Refused(#[from] UserChangeRefused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role) -> User {
        let email = Email::parse("ada@example.com").unwrap();
        User {
            id: UserId::new(),
            email,
            role,
            active: true,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn nobody_manages_a_role_above_their_own() {
        let may = |actor: Role| Role::ALL.iter().map(|other| actor.may_manage(*other)).collect::<Vec<_>>();
        assert_eq!(may(Role::Member), [false, false, false]);
        assert_eq!(may(Role::Admin), [true, true, false]);
        assert_eq!(may(Role::Owner), [true, true, true]);
    }

    #[test]
    fn an_admin_cannot_make_an_owner() {
        let change = UserChange { role: Some(Role::Owner), active: None };
        assert_eq!(change.check(Role::Admin, &user(Role::Member), 1), Err(UserChangeRefused::RoleTooLow));
        assert_eq!(change.check(Role::Owner, &user(Role::Member), 1), Ok(()));
    }

    #[test]
    fn the_last_owner_stays() {
        for change in [
            UserChange { role: Some(Role::Admin), active: None },
            UserChange { role: None, active: Some(false) },
        ] {
            assert_eq!(change.check(Role::Owner, &user(Role::Owner), 0), Err(UserChangeRefused::LastOwner));
            assert_eq!(change.check(Role::Owner, &user(Role::Owner), 1), Ok(()));
        }
    }
}
