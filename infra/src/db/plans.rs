//! The handle of the command `set-plan`: changes the plan of a tenant.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::values::Slug;

use super::Database;
use super::entity::tenant::{Column, Entity};
use super::transaction::{Access, TenantKey};

/// Changes the plans of tenants, for a command of the operator. It takes the [`Database`] by value, which a handler never
/// owns: see [`Seeder`](super::Seeder).
#[derive(Debug)]
pub struct Plans {
    database: Database,
}

impl Plans {
    /// Plans in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Gives a tenant this plan. Returns the tenant's id; `None` if there is no such tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set(&self, slug: &Slug, plan: Plan) -> Result<Option<TenantId>, StoreFailure> {
        let scope = self.database.pool.begin("set_plan", Access::Write, TenantKey::Slug(slug)).await?;
        let tenant = scope.tenant();
        let update = scope.update_by_id::<Entity>(tenant.uuid()).col_expr(Column::Plan, plan.as_str().into());
        let changed = scope.run(update).await?;
        scope.commit().await?;
        Ok((changed > 0).then_some(tenant))
    }

    /// Closes the pool.
    pub async fn close(self) {
        self.database.close().await;
    }
}
