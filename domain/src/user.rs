//! Users, their roles, and the rules for changing them.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::UserId;
use crate::text_enum::text_enum;
use crate::values::Email;

/// A user of one tenant. The password hash is not part of this type: only login reads it.
#[derive(Clone, Debug)]
pub struct User {
    /// Unique across all tenants.
    pub id: UserId,
    /// The address with which the user logs in; unique among the active users of the tenant.
    pub email: Email,
    /// The permissions within the tenant.
    pub role: Role,
    /// Whether the user may log in and use tokens.
    pub active: bool,
    /// The generation of the user's sessions.
    pub sessions: SessionGeneration,
    /// Starts at 1 and increases with each change; a change names the version that it replaces.
    pub version: i32,
    /// The time of creation, in UTC.
    pub created_at: OffsetDateTime,
}

/// The generation of a user's sessions. An access token is valid while it names the current one: a new password begins the
/// next generation, and so ends all sessions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct SessionGeneration(i32);

impl SessionGeneration {
    /// The generation of a new user.
    pub const FIRST: Self = Self(0);

    /// The generation as it is stored.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl From<i32> for SessionGeneration {
    fn from(stored: i32) -> Self {
        Self(stored)
    }
}

text_enum! {
    /// The permissions of a user. Each role includes the permissions of the roles declared before it.
    pub enum Role: "role" {
        /// Reads products and orders, and places orders.
        Member = "member",
        /// Also manages users and products, refunds payments, and reads reports.
        Admin = "admin",
        /// Also manages owners. Each tenant has at least one active owner.
        Owner = "owner",
    }
}

impl Role {
    /// Whether a user with this role may add, change or deactivate a user with the role `other`.
    #[must_use]
    pub fn can_manage(self, other: Self) -> bool {
        self >= Self::Admin && self >= other
    }
}

/// A change of a user; `None` leaves the value as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The new role.
    pub role: Option<Role>,
    /// Whether the user may log in.
    pub active: Option<bool>,
}

/// The rule that forbids a change of a user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserChangeRefused {
    /// The actor may not manage the user's current or new role.
    #[error("your role does not allow managing users with this role")]
    RoleTooLow,
    /// The tenant would have no active owner.
    #[error("this user is the last active owner of the tenant: make another user an owner first")]
    LastOwner,
}

impl UserChange {
    /// Checks whether an actor with the role `actor` may make this change of `user`. `other_owners` is the number
    /// of active owners besides `user`.
    ///
    /// # Errors
    /// [`UserChangeRefused`] when the actor's role is too low, or the tenant would have no active owner.
    pub fn check(self, actor: Role, user: &User, other_owners: u64) -> Result<(), UserChangeRefused> {
        let new_role = self.role.unwrap_or(user.role);
        if !actor.can_manage(user.role) || !actor.can_manage(new_role) {
            return Err(UserChangeRefused::RoleTooLow);
        }
        let is_owner = user.active && user.role == Role::Owner;
        let stays_owner = self.active.unwrap_or(user.active) && new_role == Role::Owner;
        if is_owner && !stays_owner && other_owners == 0 {
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
    /// Another active user of the tenant has the address.
    #[error("another active user has this e-mail address")]
    EmailTaken,
    /// The user has another version than the change names.
    #[error("the user has changed since you read it: read it again and repeat your change")]
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
            sessions: SessionGeneration::FIRST,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_role_manages_itself_and_those_below_from_admin_on() {
        let manages =
            |actor: Role| Role::ALL.iter().map(|other| actor.can_manage(*other)).collect::<Vec<_>>();
        assert_eq!(manages(Role::Member), [false, false, false]);
        assert_eq!(manages(Role::Admin), [true, true, false]);
        assert_eq!(manages(Role::Owner), [true, true, true]);
    }

    #[test]
    fn an_admin_cannot_make_an_owner() {
        let change = UserChange { role: Some(Role::Owner), active: None };
        assert_eq!(change.check(Role::Admin, &user(Role::Member), 1), Err(UserChangeRefused::RoleTooLow));
        assert_eq!(change.check(Role::Owner, &user(Role::Member), 1), Ok(()));
    }

    #[test]
    fn the_last_owner_cannot_be_demoted_or_deactivated() {
        for change in [
            UserChange { role: Some(Role::Admin), active: None },
            UserChange { role: None, active: Some(false) },
        ] {
            assert_eq!(change.check(Role::Owner, &user(Role::Owner), 0), Err(UserChangeRefused::LastOwner));
            assert_eq!(change.check(Role::Owner, &user(Role::Owner), 1), Ok(()));
        }
    }
}
