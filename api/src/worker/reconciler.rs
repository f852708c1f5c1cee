//! The payment reconciler: settles payments that their request left open.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::PaymentId;
use glasshouse_domain::reconcile::{ReconcileError, ReconcileStep, reconcile};
use glasshouse_infra::db::{Leased, OpenPayment, TenantStore};
use glasshouse_telemetry::service::events::payments::{PaymentReconciled, PaymentStaysOpen};
use glasshouse_telemetry::with_causes;
use tokio_util::sync::CancellationToken;

use tracing::Instrument;

use super::batch::process_each;
use super::{Round, Worker, continue_trace};

impl Worker {
    /// Leases a batch of open payments and takes the next step of each.
    pub(super) async fn reconcile_payments(&self, stop: &CancellationToken) -> Result<Round, StoreFailure> {
        let (lease, terms) = self.lease(self.config.reconcile_lease);
        let payments = self.queue.lease_open_payments(lease).await?;
        let round = Round::of(payments.len(), self.config.batch);
        process_each(payments, terms, stop, |payment| self.reconcile_in_span(payment)).await?;
        Ok(round)
    }

    /// Never fails: a payment that stays open must not keep the others waiting.
    async fn reconcile_in_span(&self, leased: Leased<OpenPayment>) -> Result<(), StoreFailure> {
        let (store, OpenPayment { payment, traceparent }) = (leased.store(), leased.item());
        let span = tracing::info_span!(
            "reconcile_payment",
            otel.kind = "consumer",
            job = "reconciler",
            tenant.id = %store.tenant_id(),
            payment.id = %payment,
        );
        continue_trace(&span, traceparent.as_deref());
        let reconcile = async {
            if let Err(error) = self.reconcile_payment(store, *payment).await {
                PaymentStaysOpen { payment_id: payment, error: &with_causes(&error) }.emit();
            }
        };
        reconcile.instrument(span).await;
        Ok(())
    }

    async fn reconcile_payment(&self, store: &TenantStore, id: PaymentId) -> Result<(), ReconcileError> {
        let Some((payment, order)) = store.payment(id).await? else { return Ok(()) };
        let Some(step) = ReconcileStep::next(&payment, order) else { return Ok(()) };
        reconcile(store, &self.third_parties.payment_gateway, &payment, step).await?;
        let step = format!("{step:?}");
        PaymentReconciled { tenant_id: &store.tenant_id(), payment_id: &id, step: &step }.emit();
        Ok(())
    }
}
