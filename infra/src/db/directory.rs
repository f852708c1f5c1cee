//! The handle of sign-up and login, which begin without an authenticated tenant.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::login::{Credentials, LoginStore};
use glasshouse_domain::sign_up::{SignUpError, SignUpStore};
use glasshouse_domain::tenant::Tenant;
use glasshouse_domain::user::User;
use glasshouse_domain::values::{Email, PasswordHash, Slug};
use sea_orm::{ColumnTrait, QueryFilter};

use super::Pool;
use super::entity::{tenant, user};
use super::transaction::{Access, TenantKey};
use super::users;

/// Creates tenants and looks up credentials. It gives no access to other rows.
#[derive(Clone, Debug)]
pub struct Directory {
    pool: Arc<Pool>,
}

impl Directory {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }
}

impl SignUpStore for Directory {
    async fn create_tenant(
        &self,
        tenant: &Tenant,
        owner: &User,
        owner_password: &PasswordHash,
    ) -> Result<(), SignUpError> {
        let scope = self.pool.begin("create_tenant", Access::Write, TenantKey::Id(tenant.id)).await?;
        let row = tenant::Model {
            id: tenant.id.uuid(),
            slug: tenant.slug.as_str().to_owned(),
            name: tenant.name.as_str().to_owned(),
            plan: tenant.plan.as_str().to_owned(),
            created_at: tenant.created_at,
        };
        if scope.insert_checked(row).await?.is_err() {
            return Err(SignUpError::SlugTaken);
        }
        scope.insert([users::row(owner, owner_password, tenant.id.uuid())]).await?;
        Ok(scope.commit().await?)
    }
}

impl LoginStore for Directory {
    async fn credentials(&self, slug: &Slug, email: &Email) -> Result<Option<Credentials>, StoreFailure> {
        let scope = self.pool.begin("credentials", Access::Read, TenantKey::Slug(slug)).await?;
        let query = scope.find::<user::Entity>().filter(user::Column::Email.eq(email.as_str()));
        let row = scope.one_row(query).await?;
        scope.commit().await?;
        Ok(row.map(|row| Credentials {
            tenant: row.tenant_id.into(),
            user: row.id.into(),
            password: PasswordHash::new(row.password_hash),
            active: row.active,
        }))
    }
}
