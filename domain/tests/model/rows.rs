//! What the database and the gateway store.

use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::payment::{Payment, PaymentState};

use crate::values::{Number, PRODUCT, draft, now, order_id, payment_id};

/// An order with its payment, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) number: Number,
    pub(crate) order: OrderState,
    pub(crate) payment: PaymentState,
    pub(crate) refund_requested: bool,
}

/// The idempotency keys of the clients, one for each kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    Checkout,
    Cancel,
    Refund,
}

/// The state that a response reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reported {
    Order(OrderState),
    Payment(PaymentState),
}

/// An idempotency key, as stored, with the recorded response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClaimedKey {
    pub(crate) key: Key,
    pub(crate) subject: Number,
    pub(crate) response: Option<Reported>,
}

/// The kind of an outbox message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Paid,
    Refunded,
}

/// The gateway's entry for a payment. Its first outcome is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Charge {
    pub(crate) number: Number,
    /// How often the customer was charged.
    pub(crate) charged: u8,
    /// How often the customer was refunded.
    pub(crate) refunded: u8,
}

impl Row {
    /// The order as the domain sees it.
    pub(crate) fn order(self) -> Order {
        draft(self.number).price(std::slice::from_ref(&*PRODUCT), now()).unwrap().in_state(self.order)
    }

    /// The payment as the domain sees it.
    pub(crate) fn payment(self) -> Payment {
        Payment {
            id: payment_id(self.number),
            order: order_id(self.number),
            amount: PRODUCT.price,
            state: self.payment,
            decline_reason: None,
            refund_requested_at: self.refund_requested.then(now),
            created_at: now(),
        }
    }
}
