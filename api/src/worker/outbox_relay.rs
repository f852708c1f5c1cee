//! The outbox relay: delivers messages at least once.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::outbox::{AfterFailure, Delivery, OutboxEvent, OutboxMessage, deliver};
use glasshouse_infra::db::Leased;
use glasshouse_telemetry::service::events::outbox::{
    OutboxDelivered, OutboxDeliveryFailed, OutboxLeaseLost, OutboxMessageDeadLettered,
};
use glasshouse_telemetry::with_causes;
use tokio_util::sync::CancellationToken;

use tracing::Instrument;

use super::batch::process_each;
use super::{Round, Worker, continue_trace};

impl Worker {
    /// Delivers one batch of the outbox.
    pub(super) async fn relay_outbox(&self, stop: &CancellationToken) -> Result<Round, StoreFailure> {
        if self.faults.trigger_outbox_stall() {
            return Ok(Round::Done);
        }
        let (lease, terms) = self.lease(self.config.outbox_lease);
        let messages = self.queue.lease_outbox_messages(lease).await?;
        let round = Round::of(messages.len(), self.config.batch);
        process_each(messages, terms, stop, |message| self.deliver_in_span(message)).await?;
        Ok(round)
    }

    async fn deliver_in_span(&self, leased: Leased<OutboxMessage>) -> Result<(), StoreFailure> {
        let message = leased.item();
        let span = tracing::info_span!(
            "deliver_message",
            otel.name = format!("deliver {}", message.kind()),
            otel.kind = "consumer",
            job = "outbox_relay",
            tenant.id = %leased.store().tenant_id(),
            order.id = message.event.as_ref().ok().and_then(OutboxEvent::order).map(display),
        );
        continue_trace(&span, message.traceparent.as_deref());
        self.deliver(&leased).instrument(span).await
    }

    async fn deliver(&self, leased: &Leased<OutboxMessage>) -> Result<(), StoreFailure> {
        let (message, store) = (leased.item(), leased.store());
        let (tenant_id, message_id, kind) = (&store.tenant_id(), &message.id, message.kind());
        let (attempt, max_attempts) = (message.attempt, self.config.outbox_max_attempts);
        let lease_lost = || OutboxLeaseLost { tenant_id, message_id, kind, attempt }.emit(&self.metrics);
        let error = match deliver(store, &self.notifier, message, max_attempts).await {
            Ok(Delivery::Completed) => {
                OutboxDelivered { tenant_id, message_id, kind }.emit(&self.metrics);
                return Ok(());
            }
            Ok(Delivery::LeaseLost) => {
                lease_lost();
                return Ok(());
            }
            Err(error) => error,
        };
        let after = error.after(attempt, max_attempts);
        let error = &*with_causes(&error);
        match after {
            AfterFailure::Retry => {
                OutboxDeliveryFailed { tenant_id, message_id, kind, attempt, error }.emit(&self.metrics);
                let pause = backoff(attempt, rand::random());
                if store.postpone_delivery(message, pause).await? == Delivery::LeaseLost {
                    lease_lost();
                }
            }
            AfterFailure::GiveUp => {
                if store.give_up_delivery(message, error).await? == Delivery::LeaseLost {
                    lease_lost();
                    return Ok(());
                }
                OutboxMessageDeadLettered { tenant_id, message_id, kind, attempt, error }.emit(&self.metrics);
            }
        }
        Ok(())
    }
}

/// The pause after a failed attempt: 2, 4, 8 … seconds, at most five minutes. `jitter`, from 0 to 1, takes off up to half
/// of it, so that messages which failed together are not all retried together.
fn backoff(attempt: u32, jitter: f64) -> Duration {
    let longest = Duration::from_secs(300);
    let pause = 2_u64.checked_pow(attempt).map_or(longest, Duration::from_secs).min(longest);
    pause.mul_f64(1.0 - jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_a_maximum() {
        let seconds: Vec<_> = [1, 2, 3, 8, 9, u32::MAX].map(|attempt| backoff(attempt, 0.0).as_secs()).into();
        assert_eq!(seconds, [2, 4, 8, 256, 300, 300]);
    }

    #[test]
    fn jitter_takes_off_up_to_half() {
        for (jitter, milliseconds) in [(0.0, 8000), (0.5, 6000), (1.0, 4000)] {
            assert_eq!(backoff(3, jitter).as_millis(), milliseconds);
        }
    }
}
