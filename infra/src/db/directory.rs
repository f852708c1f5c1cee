//! The handle of sign-up, login and password resets, which begin without an authenticated tenant.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::login::{Credentials, LoginStore, Lookup};
use glasshouse_domain::sign_up::{SignUpError, SignUpStore};
use glasshouse_domain::tenant::Tenant;
use glasshouse_domain::user::User;
use glasshouse_domain::values::{Email, PasswordHash, Slug};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::Pool;
use super::entity::{TenantQueries, tenant, user};
use super::scope::Scope;
use super::transaction::{Access, TenantKey};
use super::users;

/// Creates tenants, looks up credentials, and resets passwords. It gives no access to other rows.
#[derive(Clone, Debug)]
pub struct Directory {
    pool: Arc<Pool>,
}

impl Directory {
    pub(super) const fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Begins a transaction of the tenant with this slug. If there is none, it sees no rows.
    pub(super) async fn begin(
        &self,
        operation: &'static str,
        access: Access,
        tenant: &Slug,
    ) -> Result<Scope, StoreFailure> {
        self.pool.begin(operation, access, TenantKey::Slug(tenant)).await
    }
}

impl SignUpStore for Directory {
    async fn create_tenant(
        &self,
        tenant: &Tenant,
        owner: &User,
        owner_password: &PasswordHash,
    ) -> Result<(), SignUpError> {
        self.pool
            .repeated(|| async {
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
            })
            .await
    }
}

impl LoginStore for Directory {
    /// Finds the user with the address, or else the one with the next address. Both are the same look-up in the index.
    async fn credentials(&self, slug: &Slug, email: &Email) -> Result<Lookup, StoreFailure> {
        let scope = self.begin("credentials", Access::Read, slug).await?;
        let query = active_users(&scope).filter(Expr::col(user::Column::Email).eq(nearest(&scope, email)));
        let row = scope.one_row(query).await?;
        scope.commit().await?;
        Ok(match row {
            Some(row) if row.email == email.as_str() => Lookup::Found(Credentials {
                tenant: row.tenant_id.into(),
                user: row.id.into(),
                password: PasswordHash::new(row.password_hash),
                sessions: row.session_generation.into(),
            }),
            other => Lookup::NotFound { like: other.map(|row| PasswordHash::new(row.password_hash)) },
        })
    }

    async fn replace_hash(&self, credentials: &Credentials, new: &PasswordHash) -> Result<(), StoreFailure> {
        let key = TenantKey::Id(credentials.tenant);
        let scope = self.pool.begin("replace_hash", Access::Write, key).await?;
        let update = scope
            .update_by_id::<user::Entity>(credentials.user.uuid())
            .col_expr(user::Column::PasswordHash, new.expose().into())
            .filter(user::Column::PasswordHash.eq(credentials.password.expose()));
        scope.run(update).await?;
        scope.commit().await
    }
}

/// The users who may log in. Their addresses are unique, and have an index of their own.
fn active_users(scope: &Scope) -> Select<user::Entity> {
    scope.find::<user::Entity>().filter(user::Column::Active.eq(true))
}

/// The address of the tenant's active users that is not before `email`, or the last one before it.
fn nearest(scope: &Scope, email: &Email) -> Expr {
    let addresses = || active_users(scope).select_only();
    let column = Expr::col(user::Column::Email);
    let after = addresses().filter(user::Column::Email.gte(email.as_str())).expr(column.clone().min());
    let before = addresses().filter(user::Column::Email.lt(email.as_str())).expr(column.max());
    Func::coalesce([Expr::from(after.into_query()), Expr::from(before.into_query())]).into()
}
