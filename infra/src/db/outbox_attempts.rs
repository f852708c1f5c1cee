//! The end of an attempt to deliver an outbox message: it is delivered, postponed or given up.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::outbox::{Delivery, OutboxMessage};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, UpdateMany};

use super::TenantStore;
use super::entity::outbox_message::{Column, Entity};
use super::scope::Scope;

/// The maximum length of the stored reason of a dead letter, in characters.
const REASON_CHARS: usize = 500;

impl TenantStore {
    /// Marks a message as delivered, unless it was leased again since this attempt.
    ///
    /// # Errors
    /// When the database fails. The message is then delivered again when its lease expires.
    pub(super) async fn complete_delivery(&self, message: &OutboxMessage) -> Result<Delivery, StoreFailure> {
        let scope = self.write("mark_delivered").await?;
        let update = scope.update_leased(message).col_expr(Column::DeliveredAt, Expr::value(scope.now()));
        scope.end_attempt(update).await
    }

    /// Postpones a message that could not be delivered by `pause`, unless it was leased again since this attempt.
    ///
    /// # Errors
    /// When the database fails. The message is then retried when its lease expires.
    pub async fn postpone_delivery(
        &self,
        message: &OutboxMessage,
        pause: Duration,
    ) -> Result<Delivery, StoreFailure> {
        let scope = self.write("postpone_delivery").await?;
        let update =
            scope.update_leased(message).col_expr(Column::AvailableAt, Expr::value(scope.now() + pause));
        scope.end_attempt(update).await
    }

    /// Makes a message a dead letter, for this reason, unless it was leased again since this attempt.
    ///
    /// # Errors
    /// When the database fails. The message is then leased again when its lease expires.
    pub async fn give_up_delivery(
        &self,
        message: &OutboxMessage,
        reason: &str,
    ) -> Result<Delivery, StoreFailure> {
        let reason: String = reason.chars().take(REASON_CHARS).collect();
        let scope = self.write("give_up_delivery").await?;
        let update = scope
            .update_leased(message)
            .col_expr(Column::DeadLetteredAt, Expr::value(scope.now()))
            .col_expr(Column::DeadLetterReason, Expr::value(reason));
        scope.end_attempt(update).await
    }
}

impl Scope {
    /// An update of a message, if it is still leased by the attempt that leased it as `message`. The number of attempts is the
    /// fencing token: every lease increments it.
    fn update_leased(&self, message: &OutboxMessage) -> UpdateMany<Entity> {
        self.update_by_id::<Entity>(message.id.uuid())
            .filter(Column::Attempts.eq(message.attempt))
            .filter(Column::DeliveredAt.is_null())
            .filter(Column::DeadLetteredAt.is_null())
    }

    /// Ends an attempt with this update of its message.
    async fn end_attempt(self, update: UpdateMany<Entity>) -> Result<Delivery, StoreFailure> {
        let changed = self.run(update).await?;
        self.commit().await?;
        Ok(if changed > 0 { Delivery::Completed } else { Delivery::LeaseLost })
    }
}
