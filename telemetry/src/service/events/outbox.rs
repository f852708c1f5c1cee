//! The outbox, its relay, and the notifier.

use std::fmt::Display;

use crate::service::metrics::OutboxMetrics;

crate::events! {
    "outbox"

    /// The relay delivered a message.
    pub struct OutboxDelivered<'a>: INFO "outbox_delivered" {
        tenant_id: &'a dyn Display,
        message_id: &'a dyn Display,
        kind: &'a str,
    }
    moves OutboxMetrics { deliveries: |event, deliveries| deliveries.with([event.kind, "delivered"]).inc(); }

    /// The relay could not deliver a message; it tries again later.
    pub struct OutboxDeliveryFailed<'a>: WARN "outbox_delivery_failed" {
        tenant_id: &'a dyn Display,
        message_id: &'a dyn Display,
        kind: &'a str,
        attempt: u32,
        error: &'a str,
    }
    moves OutboxMetrics { deliveries: |event, deliveries| deliveries.with([event.kind, "failed"]).inc(); }

    /// The relay gave a message up after its last attempt or a permanent failure: it is a dead letter until an operator
    /// requeues it.
    pub struct OutboxMessageDeadLettered<'a>: ERROR "outbox_message_dead_lettered" {
        tenant_id: &'a dyn Display,
        message_id: &'a dyn Display,
        kind: &'a str,
        attempt: u32,
        error: &'a str,
    }
    moves OutboxMetrics { deliveries: |event, deliveries| deliveries.with([event.kind, "dead_lettered"]).inc(); }

    /// A delivery ended after its lease had expired and another worker had taken the message. The outcome of that worker counts;
    /// the receiver may have got the message twice.
    pub struct OutboxLeaseLost<'a>: WARN "outbox_lease_lost" {
        tenant_id: &'a dyn Display,
        message_id: &'a dyn Display,
        kind: &'a str,
        attempt: u32,
    }
    moves OutboxMetrics { deliveries: |event, deliveries| deliveries.with([event.kind, "lease_lost"]).inc(); }

    /// An operator requeued dead letters.
    pub struct DeadLettersRequeued: INFO "dead_letters_requeued" { messages: u64 }

    /// The notifier sent a notification to a customer or user.
    pub struct NotificationSent<'a>: INFO "notification_sent" {
        message_id: &'a dyn Display,
        order_id: Option<&'a dyn Display>,
        kind: &'a str,
    }
}
