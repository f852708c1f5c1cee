//! The root span of a request, with the fields of this service.

use glasshouse_domain::id::{OrderId, PaymentId};
use tracing::Span;
use tracing::field::display;

glasshouse_telemetry::root_span! {
    /// The root span of a request. Middleware and handlers record its fields.
    pub struct RequestSpan { tenant.id, user.id, user.role, order.id, payment.id }
}

impl RequestSpan {
    /// Records the order that the current request is about.
    pub(crate) fn record_order(order: OrderId) {
        Span::current().record("order.id", display(order));
    }

    /// Records the payment that the current request is about.
    pub(crate) fn record_payment(payment: PaymentId) {
        Span::current().record("payment.id", display(payment));
    }
}
