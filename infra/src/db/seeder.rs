//! The handle of the commands `seed` and `demo`: writes example data.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{PaymentId, TenantId};
use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::payment::PaymentState;

use super::orders::NewOrderRows;
use super::{Database, Directory, TenantStore};

/// Writes example data into any tenant, for commands of the operator.
///
/// A handler cannot create one to reach another tenant: a seeder takes the [`Database`] by value, which a handler never
/// owns. The command opens a pool of its own for it.
#[derive(Debug)]
pub struct Seeder {
    database: Database,
}

impl Seeder {
    /// A seeder that owns this pool.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Sign-up and login.
    #[must_use]
    pub fn directory(&self) -> Directory {
        self.database.directory()
    }

    /// The rows of a tenant.
    #[must_use]
    pub fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore::open(self.database.pool(), tenant)
    }

    /// Writes finished orders without checkout, in one transaction of three statements. No stock is reserved and
    /// nothing is charged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_orders(&self, tenant: TenantId, orders: &[Order]) -> Result<(), StoreFailure> {
        let store = self.tenant(tenant);
        let scope = store.write("seed_orders").await?;
        let (mut order_rows, mut item_rows, mut payment_rows) = (Vec::new(), Vec::new(), Vec::new());
        for order in orders {
            let mut rows =
                NewOrderRows::new(tenant.uuid(), order, PaymentId::new(), store.pool().reconcile_after);
            rows.payment.state = payment_state(order.state).as_str().to_owned();
            order_rows.push(rows.order);
            item_rows.extend(rows.items);
            payment_rows.push(rows.payment);
        }
        scope.insert(order_rows).await?;
        scope.insert(item_rows).await?;
        scope.insert(payment_rows).await?;
        scope.commit().await
    }

    /// Closes the pool.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// The state of a finished order's payment.
const fn payment_state(order: OrderState) -> PaymentState {
    match order {
        OrderState::Pending => PaymentState::Pending,
        OrderState::Paid => PaymentState::Succeeded,
        OrderState::PaymentFailed | OrderState::Cancelled => PaymentState::Declined,
        OrderState::Refunded => PaymentState::Refunded,
    }
}
