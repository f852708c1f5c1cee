//! The table `password_resets`: the hashes of the tokens with which users may set a new password.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{TenantId, UserId};
use glasshouse_domain::outbox::{NotificationContent, OutboxEvent};
use glasshouse_domain::password_reset::{LIFETIME, PasswordResetStore};
use glasshouse_domain::values::{Email, PasswordHash, ResetToken, Slug};
use rand::TryRng;
use rand::rngs::SysRng;
use sea_orm::QueryFilter;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::entity::{TenantQueries, tenant, tenant_entity, user};
use super::scope::Scope;
use super::transaction::Access;
use super::{Directory, TenantStore};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "password_resets")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: String,
    pub user_id: Uuid,
    /// The generation of the user's sessions in which the token can be used.
    pub session_generation: i32,
    pub expires_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId);

impl Directory {
    /// Asks the worker to send a token to this address, if it belongs to a user. The statements are the same for every
    /// address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_password_reset(&self, tenant: &Slug, email: Email) -> Result<(), StoreFailure> {
        let transaction = || async {
            let scope = self.begin("request_password_reset", Access::Write, tenant).await?;
            // That a slug is taken is no secret: a sign-up shows it too.
            if scope.has_tenant() {
                let email = email.clone();
                scope.append_to_outbox(OutboxEvent::PasswordResetRequested { email })?;
            }
            scope.commit().await
        };
        self.pool().repeated(transaction).await
    }
}

impl PasswordResetStore for Directory {
    async fn is_usable(&self, tenant: &Slug, token: &ResetToken) -> Result<bool, StoreFailure> {
        let scope = self.begin("find_password_reset", Access::Read, tenant).await?;
        let found = scope.usable_reset(token).await?;
        scope.commit().await?;
        Ok(found.is_some())
    }

    async fn use_token(
        &self,
        tenant: &Slug,
        token: &ResetToken,
        new: &PasswordHash,
    ) -> Result<Option<(TenantId, UserId)>, StoreFailure> {
        let transaction = || async {
            let scope = self.begin("reset_password", Access::Write, tenant).await?;
            let Some(reset) = scope.usable_reset(token).await? else { return Ok(None) };
            let (user, sessions) = (reset.user_id.into(), reset.session_generation.into());
            // The condition on the generation lets only one of two concurrent requests succeed.
            let user = scope.replace_password(user, sessions, new).await?;
            let tenant = scope.tenant();
            scope.commit().await?;
            Ok(user.map(|user| (tenant, user.id)))
        };
        self.pool().repeated(transaction).await
    }
}

impl Scope {
    /// The reset that this token allows, if it can be used now.
    async fn usable_reset(&self, token: &ResetToken) -> Result<Option<Model>, StoreFailure> {
        let query = self
            .find_with::<Entity, user::Entity>()
            .filter(Column::TokenHash.eq(token.hash()))
            .filter(Column::ExpiresAt.gt(self.now()))
            .filter(user::Column::Active.eq(true));
        let found = self.one_pair(query).await?;
        let is_current =
            |(reset, user): &(Model, user::Model)| reset.session_generation == user.session_generation;
        Ok(found.filter(is_current).map(|(reset, _)| reset))
    }
}

impl TenantStore {
    /// Creates a token for the active user with this address, and returns what to send to whom. `None` if there is no such
    /// user.
    pub(super) async fn open_password_reset(
        &self,
        email: &Email,
    ) -> Result<Option<(Email, NotificationContent)>, StoreFailure> {
        let scope = self.write("open_password_reset").await?;
        let query = scope
            .find_with::<user::Entity, tenant::Entity>()
            .filter(user::Column::Email.eq(email.as_str()))
            .filter(user::Column::Active.eq(true));
        let Some((user, tenant)) = scope.one_pair(query).await? else { return Ok(None) };
        let (token, expires_at) = (new_token()?, scope.now() + LIFETIME);
        let reset = Model {
            tenant_id: user.tenant_id,
            token_hash: token.hash(),
            user_id: user.id,
            session_generation: user.session_generation,
            expires_at,
        };
        scope.insert([reset]).await?;
        scope.commit().await?;
        let tenant = Slug::stored(tenant.slug);
        let content = NotificationContent::PasswordReset { tenant, token, expires_at };
        Ok(Some((Email::stored(user.email), content)))
    }
}

/// A token of random bytes from the operating system.
fn new_token() -> Result<ResetToken, StoreFailure> {
    let mut random = [0; 32];
    SysRng.try_fill_bytes(&mut random).map_err(|error| StoreFailure::Unexpected(error.into()))?;
    Ok(ResetToken::new(random))
}
