//! The outbox relay: delivers messages at least once.

use std::time::Duration;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::outbox::{AfterFailure, OutboxEvent, OutboxMessage, deliver};
use glasshouse_infra::db::Leased;
use glasshouse_telemetry::service::events::outbox::{
    OutboxDelivered, OutboxDeliveryFailed, OutboxMessageDeadLettered,
};
use glasshouse_telemetry::{in_own_hub, with_causes};
use tokio_util::sync::CancellationToken;

use tracing::Instrument;

use super::{Round, Worker, continue_trace};

impl Worker {
    /// Delivers one batch of the outbox.
    pub(super) async fn relay_outbox(&self, stop: &CancellationToken) -> Result<Round, StoreFailure> {
        if self.faults.trigger_outbox_stall() {
            return Ok(Round::Done);
        }
        let messages = self.queue.lease_outbox_messages(self.lease(self.config.outbox_lease)).await?;
        for leased in &messages {
            if stop.is_cancelled() {
                // The leases of the remaining messages expire.
                break;
            }
            let delivery = async {
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
                self.deliver(leased).instrument(span).await
            };
            in_own_hub(delivery).await?;
        }
        Ok(Round::of(messages.len(), self.config.batch))
    }

    async fn deliver(&self, leased: &Leased<OutboxMessage>) -> Result<(), StoreFailure> {
        let (message, store) = (leased.item(), leased.store());
        let (tenant_id, message_id, kind) = (&store.tenant_id(), &message.id, message.kind());
        let (attempt, max_attempts) = (message.attempt, self.config.outbox_max_attempts);
        let Err(error) = deliver(store, &self.notifier, message, max_attempts).await else {
            OutboxDelivered { tenant_id, message_id, kind }.emit(&self.metrics);
            return Ok(());
        };
        let after = error.after(attempt, max_attempts);
        let error = &*with_causes(&error);
        match after {
            AfterFailure::Retry => {
                OutboxDeliveryFailed { tenant_id, message_id, kind, attempt, error }.emit(&self.metrics);
                let pause = backoff(attempt, rand::random());
                store.postpone_delivery(message.id, pause).await
            }
            AfterFailure::GiveUp => {
                store.give_up_delivery(message.id, error).await?;
                OutboxMessageDeadLettered { tenant_id, message_id, kind, attempt, error }.emit(&self.metrics);
                Ok(())
            }
        }
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
