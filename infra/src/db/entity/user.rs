//! The table `users`.

use glasshouse_domain::failure::Corrupt;
use glasshouse_domain::user::User;
use glasshouse_domain::values::Email;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use super::tenant_entity;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub(in crate::db) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub email: String,
    pub password_hash: String,
    pub role: String,
    pub active: bool,
    pub version: i32,
    pub created_at: OffsetDateTime,
    pub session_generation: i32,
}

/// Omits the email address and the password hash.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("users::Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::db) enum Relation {
    #[sea_orm(
        belongs_to = "super::tenant::Entity",
        from = "Column::TenantId",
        to = "super::tenant::Column::Id"
    )]
    Tenant,
}

impl Related<super::tenant::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Tenant.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

tenant_entity!(tenant: TenantId, id: Id);

impl TryFrom<Model> for User {
    type Error = Corrupt;

    fn try_from(row: Model) -> Result<Self, Corrupt> {
        Ok(Self {
            id: row.id.into(),
            email: Email::stored(row.email),
            role: row.role.parse()?,
            active: row.active,
            sessions: row.session_generation.into(),
            version: row.version,
            created_at: row.created_at,
        })
    }
}
