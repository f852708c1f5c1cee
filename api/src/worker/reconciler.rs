use glasshouse_domain::failure::{StoreFailure, with_causes};
use glasshouse_domain::id::PaymentId;
use glasshouse_domain::reconcile::{OpenStep, ReconcileError, reconcile};
use glasshouse_infra::db::TenantStore;
use tokio_util::sync::CancellationToken;

use super::{Round, Worker};

impl Worker {
    /// Takes the next step of one batch of open payments.
    pub(super) async fn reconcile_payments(&self, stop: &CancellationToken) -> Result<Round, StoreFailure> {
        let payments = self.database.lease_open_payments(self.lease(self.config.reconcile_lease)).await?;
        for (tenant, payment) in &payments {
            if stop.is_cancelled() {
                break;
            }
            let store = self.database.tenant(*tenant);
            if let Err(error) = self.reconcile_payment(&store, *payment).await {
                let error = with_causes(&error);
                tracing::warn!(tenant_id = %tenant, payment_id = %payment, error, "payment_stays_open");
            }
        }
        Ok(Round::of(payments.len(), self.config.batch))
    }

    async fn reconcile_payment(&self, store: &TenantStore, id: PaymentId) -> Result<(), ReconcileError> {
        let Some((payment, order)) = store.payment(id).await? else { return Ok(()) };
        let Some(step) = OpenStep::of(&payment, order) else { return Ok(()) };
        reconcile(store, &self.gateway, &payment, step).await?;
        tracing::info!(tenant_id = %store.tenant_id(), payment_id = %id, ?step, "payment_reconciled");
        Ok(())
    }
}
