//! The storage of users.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::UserId;
use glasshouse_domain::page::{Page, PageRequest};
use glasshouse_domain::password_change::{PasswordStore, StoredPassword};
use glasshouse_domain::tenant::Tenant;
use glasshouse_domain::user::{Role, SessionGeneration, User, UserChange, UserError};
use glasshouse_domain::values::PasswordHash;
use glasshouse_domain::version::ExpectedVersion;
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::TenantStore;
use super::entity::user::{Column, Entity, Model};
use super::entity::{TenantQueries, tenant};
use super::scope::Scope;

impl TenantStore {
    /// Adds a user.
    ///
    /// # Errors
    /// When the email address is taken, or the database fails.
    pub async fn add_user(&self, user: &User, password: &PasswordHash) -> Result<(), UserError> {
        self.repeated(|| async {
            let scope = self.write("add_user").await?;
            if scope.insert_checked(row(user, password, self.tenant_id().uuid())).await?.is_err() {
                return Err(UserError::EmailTaken);
            }
            Ok(scope.commit().await?)
        })
        .await
    }

    /// A page of users, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, page: PageRequest) -> Result<Page<User>, StoreFailure> {
        let read = self.read("users");
        Ok(read.page(read.find::<Entity>(), page).await?.try_map(User::try_from)?)
    }

    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreFailure> {
        let read = self.read("user");
        read.one(read.find_by_id::<Entity>(id.uuid())).await
    }

    /// One user and their tenant, in one statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_and_tenant(&self, id: UserId) -> Result<Option<(User, Tenant)>, StoreFailure> {
        let read = self.read("user_and_tenant");
        let query = read.find_with::<Entity, tenant::Entity>().filter(Column::Id.eq(id.uuid()));
        let row = read.one_pair(query).await?;
        row.map(|(user, tenant)| Ok((User::try_from(user)?, Tenant::try_from(tenant)?))).transpose()
    }

    /// Changes a user, if they still have a version that the client has read. `actor` is the role of the caller.
    ///
    /// # Errors
    /// When there is no such user, a rule forbids the change, they have another version, their address is taken by another
    /// active user, or the database fails.
    pub async fn change_user(
        &self,
        actor: Role,
        id: UserId,
        expected: &ExpectedVersion,
        change: UserChange,
    ) -> Result<User, UserError> {
        self.repeated(|| async {
            let scope = self.write("change_user").await?;
            let (user, other_owners) = lock_user_and_owners(&scope, id).await?;
            change.check(actor, &user, other_owners)?;
            if !expected.accepts(user.version) {
                return Err(UserError::VersionMismatch);
            }
            let mut update = scope
                .update_by_id::<Entity>(id.uuid())
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .filter(Column::Version.eq(user.version));
            if let Some(role) = change.role {
                update = update.col_expr(Column::Role, role.as_str().into());
            }
            if let Some(active) = change.active {
                update = update.col_expr(Column::Active, active.into());
            }
            // A user who is active again may find that another one has their address now.
            let Ok(changed) = scope.run_returning_checked(update).await? else {
                return Err(UserError::EmailTaken);
            };
            let user = changed.into_iter().next().ok_or(UserError::VersionMismatch)?;
            scope.commit().await?;
            Ok(user)
        })
        .await
    }
}

impl PasswordStore for TenantStore {
    async fn password(&self, user: UserId) -> Result<Option<StoredPassword>, StoreFailure> {
        let read = self.read("password");
        let query = read.find_by_id::<Entity>(user.uuid()).filter(Column::Active.eq(true));
        let row = read.one_row(query).await?;
        Ok(row.map(|row| StoredPassword {
            hash: PasswordHash::new(row.password_hash),
            sessions: row.session_generation.into(),
        }))
    }

    async fn replace_password(
        &self,
        user: UserId,
        sessions: SessionGeneration,
        new: &PasswordHash,
    ) -> Result<Option<User>, StoreFailure> {
        self.repeated(|| async {
            let scope = self.write("replace_password").await?;
            let user = scope.replace_password(user, sessions, new).await?;
            scope.commit().await?;
            Ok(user)
        })
        .await
    }
}

impl Scope {
    /// Stores a new password and begins the next generation of sessions, if the user is active and `sessions` is the
    /// current one.
    pub(super) async fn replace_password(
        &self,
        user: UserId,
        sessions: SessionGeneration,
        new: &PasswordHash,
    ) -> Result<Option<User>, StoreFailure> {
        let update = self
            .update_by_id::<Entity>(user.uuid())
            .filter(Column::Active.eq(true))
            .filter(Column::SessionGeneration.eq(sessions.get()))
            .col_expr(Column::PasswordHash, new.expose().into())
            .col_expr(Column::SessionGeneration, Expr::col(Column::SessionGeneration).add(1))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        Ok(self.run_returning(update).await?.into_iter().next())
    }
}

/// The user and the number of *other* active owners. Locks all of them, so that of two owners who demote each other
/// concurrently only one succeeds.
async fn lock_user_and_owners(scope: &Scope, id: UserId) -> Result<(User, u64), UserError> {
    let owners = Column::Role.eq(Role::Owner.as_str()).and(Column::Active.eq(true));
    let query = scope
        .find::<Entity>()
        .filter(Column::Id.eq(id.uuid()).or(owners))
        .order_by_asc(Column::Id)
        .lock(LockType::Update);
    let (wanted, owners): (Vec<User>, Vec<User>) =
        scope.all(query).await?.into_iter().partition(|user: &User| user.id == id);
    let user = wanted.into_iter().next().ok_or(UserError::NotFound)?;
    Ok((user, u64::try_from(owners.len()).unwrap_or(u64::MAX)))
}

/// The row of a user.
pub(super) fn row(user: &User, password: &PasswordHash, tenant_id: Uuid) -> Model {
    Model {
        id: user.id.uuid(),
        tenant_id,
        email: user.email.as_str().to_owned(),
        password_hash: password.expose().to_owned(),
        role: user.role.as_str().to_owned(),
        active: user.active,
        version: user.version,
        created_at: user.created_at,
        session_generation: user.sessions.get(),
    }
}
