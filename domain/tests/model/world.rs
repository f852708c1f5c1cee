//! The database and the payment gateway, in memory. Each operation is atomic.

use std::sync::LazyLock;

use glasshouse_domain::cancel::Canceller;
use glasshouse_domain::id::{OrderId, PaymentId, ProductId, UserId};
use glasshouse_domain::order::{Basket, Order, OrderDraft, OrderState};
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::{ChargeOutcome, Payment, PaymentState};
use glasshouse_domain::product::Product;
use glasshouse_domain::settlement::Settlement;
use glasshouse_domain::user::Role;
use glasshouse_domain::values::{Currency, DeclineReason, Money, Name, Quantity, Sku};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ports::Defect;

/// The stock of the only product before the first order. Each order takes one unit.
pub(crate) const INITIAL_STOCK: u8 = 2;

/// Identifies an order and its payment.
pub(crate) type Number = u8;

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

/// A request to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Call {
    Charge,
    Find,
    Void,
    Refund,
}

/// One atomic step of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operation {
    Reserve {
        number: Number,
    },
    /// Only with [`Defect::KeyAfterCommit`]; otherwise `Reserve` claims the key.
    ClaimKey {
        number: Number,
    },
    Settle {
        number: Number,
        declined: bool,
        records: bool,
    },
    RecordPending {
        reported: OrderState,
    },
    Cancel {
        number: Number,
    },
    RequestRefund {
        number: Number,
    },
    RecordRequested {
        reported: PaymentState,
    },
    CompleteRefund {
        number: Number,
        records: bool,
    },
    TakeOpenPayment,
    Gateway(Call, Number),
}

/// The course that an operation takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Course {
    /// It takes effect and replies.
    Completes,
    /// The gateway declines the charge and replies.
    Declines,
    /// It fails without effect.
    Fails,
    /// It reports a failure, but takes effect: a transaction at once, a request to the gateway at any later time.
    Unreported,
}

/// The reply to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reply {
    /// The request is the first with its key.
    First(Row),
    /// An earlier request with the key has this response.
    Replayed(Number, Reported),
    /// An earlier request with the key has no response yet.
    InProgress(Row),
    /// A rule of the domain rejects the request.
    Rejected,
    /// The stored row.
    Row(Row),
    /// What the gateway knows of a charge: whether it was declined.
    Charge { declined: Option<bool> },
    /// The operation has no further result.
    Done,
    /// The storage or the gateway failed.
    Failed,
}

/// Everything that survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) stock: u8,
    pub(crate) rows: Vec<Row>,
    pub(crate) keys: Vec<ClaimedKey>,
    pub(crate) outbox: Vec<(Message, Number)>,
    pub(crate) charges: Vec<Charge>,
    /// Requests to the gateway that nobody waits for any more, and that will still take effect.
    pub(crate) in_flight: Vec<(Call, Number)>,
}

impl World {
    pub(crate) const fn new() -> Self {
        Self {
            stock: INITIAL_STOCK,
            rows: Vec::new(),
            keys: Vec::new(),
            outbox: Vec::new(),
            charges: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    /// Performs an operation, and returns what the process learns of it.
    pub(crate) fn perform(&mut self, operation: Operation, course: Course, defect: Option<Defect>) -> Reply {
        match (operation, course) {
            (_, Course::Fails) => Reply::Failed,
            (Operation::Gateway(call, number), Course::Unreported) => {
                self.in_flight.push((call, number));
                self.in_flight.sort_unstable();
                Reply::Failed
            }
            (Operation::Gateway(call, number), course) => {
                self.call(call, number, matches!(course, Course::Declines))
            }
            (transaction, course) => {
                let reply = self.commit(transaction, defect);
                if matches!(course, Course::Unreported) { Reply::Failed } else { reply }
            }
        }
    }

    /// Delivers a request that was in flight.
    pub(crate) fn deliver(&mut self, index: usize, declines: bool) {
        let (call, number) = self.in_flight.remove(index);
        self.call(call, number, declines);
    }

    /// An open payment that a worker can lease: the condition of the work queue.
    pub(crate) fn open_payment(&self) -> Option<Row> {
        let open = |row: &&Row| match row.payment {
            PaymentState::Pending => true,
            PaymentState::Succeeded => row.refund_requested,
            PaymentState::Declined | PaymentState::Refunded => false,
        };
        self.rows.iter().find(open).copied()
    }

    pub(crate) fn charge(&self, number: Number) -> Option<&Charge> {
        self.charges.iter().find(|charge| charge.number == number)
    }

    fn commit(&mut self, transaction: Operation, defect: Option<Defect>) -> Reply {
        match transaction {
            Operation::Reserve { number } => self.reserve(number, defect),
            Operation::ClaimKey { number } => {
                self.claim(Key::Checkout, number);
                Reply::Done
            }
            Operation::Settle { number, declined, records } => self.settle(number, declined, records, defect),
            Operation::RecordPending { reported } => self.record(Key::Checkout, Reported::Order(reported)),
            Operation::Cancel { number } => self.cancel(number),
            Operation::RequestRefund { number } => self.request_refund(number),
            Operation::RecordRequested { reported } => self.record(Key::Refund, Reported::Payment(reported)),
            Operation::CompleteRefund { number, records } => self.complete_refund(number, records),
            Operation::TakeOpenPayment => self.open_payment().map_or(Reply::Done, Reply::Row),
            Operation::Gateway(..) => unreachable!("a request to the gateway is no transaction"),
        }
    }

    fn reserve(&mut self, number: Number, defect: Option<Defect>) -> Reply {
        if let Some(earlier) = self.earlier(Key::Checkout) {
            return earlier;
        }
        let Some(stock) = self.stock.checked_sub(1) else { return Reply::Rejected };
        self.stock = stock;
        let (order, payment) = (OrderState::Pending, PaymentState::Pending);
        let row = Row { number, order, payment, refund_requested: false };
        self.rows.push(row);
        if defect != Some(Defect::KeyAfterCommit) {
            self.claim(Key::Checkout, number);
        }
        Reply::First(row)
    }

    fn settle(&mut self, number: Number, declined: bool, records: bool, defect: Option<Defect>) -> Reply {
        let mut row = self.row(number);
        let (payment, order) = match defect {
            Some(Defect::NoFencing) => (PaymentState::Pending, OrderState::Pending),
            _ => (row.payment, row.order),
        };
        let settlement = Settlement::decide(payment, order, &charge_outcome(declined));
        row.payment = settlement.payment_state().unwrap_or(row.payment);
        row.order = settlement.order_state().unwrap_or(row.order);
        row.refund_requested |= settlement.requires_refund();
        self.store(row);
        if settlement.releases_stock() {
            self.stock += 1;
        }
        if let Some(event) = settlement.event(order_id(number)) {
            self.append_to_outbox(&event, number);
        }
        if records {
            self.record(Key::Checkout, Reported::Order(row.order));
        }
        Reply::Row(row)
    }

    fn cancel(&mut self, number: Number) -> Reply {
        if let Some(earlier) = self.earlier(Key::Cancel) {
            return earlier;
        }
        let mut row = self.row(number);
        let canceller = Canceller { user: user(), role: Role::Member };
        if canceller.check(&row.order()).is_err() {
            return Reply::Rejected;
        }
        row.order = OrderState::Cancelled;
        self.store(row);
        self.stock += 1;
        self.claim(Key::Cancel, number);
        self.record(Key::Cancel, Reported::Order(row.order));
        Reply::First(row)
    }

    fn request_refund(&mut self, number: Number) -> Reply {
        if let Some(earlier) = self.earlier(Key::Refund) {
            return earlier;
        }
        let mut row = self.row(number);
        let mut payment = row.payment();
        if payment.request_refund(now()).is_err() {
            return Reply::Rejected;
        }
        row.refund_requested = payment.refund_requested_at.is_some();
        self.store(row);
        self.claim(Key::Refund, number);
        Reply::First(row)
    }

    fn complete_refund(&mut self, number: Number, records: bool) -> Reply {
        let mut row = self.row(number);
        if row.payment.can_become(PaymentState::Refunded) {
            row.payment = PaymentState::Refunded;
            if row.order.can_become(OrderState::Refunded) {
                row.order = OrderState::Refunded;
            }
            self.store(row);
            self.append_to_outbox(&OutboxEvent::OrderRefunded { order: order_id(number) }, number);
        }
        if records {
            self.record(Key::Refund, Reported::Payment(row.payment));
        }
        Reply::Row(row)
    }

    /// The reply to a request whose key is taken.
    fn earlier(&self, key: Key) -> Option<Reply> {
        let claimed = self.keys.iter().find(|claimed| claimed.key == key)?;
        Some(match claimed.response {
            Some(response) => Reply::Replayed(claimed.subject, response),
            None => Reply::InProgress(self.row(claimed.subject)),
        })
    }

    fn claim(&mut self, key: Key, subject: Number) {
        if self.earlier(key).is_none() {
            self.keys.push(ClaimedKey { key, subject, response: None });
            self.keys.sort_unstable_by_key(|claimed| claimed.key);
        }
    }

    fn record(&mut self, key: Key, response: Reported) -> Reply {
        if let Some(claimed) = self.keys.iter_mut().find(|claimed| claimed.key == key) {
            claimed.response = Some(response);
        }
        Reply::Done
    }

    fn append_to_outbox(&mut self, event: &OutboxEvent, number: Number) {
        let message = match event {
            OutboxEvent::OrderPaid { .. } => Message::Paid,
            OutboxEvent::OrderRefunded { .. } => Message::Refunded,
            OutboxEvent::PasswordResetRequested { .. } => unreachable!("an order resets no password"),
        };
        self.outbox.push((message, number));
    }

    fn row(&self, number: Number) -> Row {
        *self.rows.iter().find(|row| row.number == number).unwrap()
    }

    fn store(&mut self, changed: Row) {
        *self.rows.iter_mut().find(|row| row.number == changed.number).unwrap() = changed;
    }

    fn call(&mut self, call: Call, number: Number, declines: bool) -> Reply {
        let known = self.charges.iter_mut().find(|charge| charge.number == number);
        match (call, known) {
            (Call::Refund, Some(charge)) if charge.charged > 0 => {
                charge.refunded = 1;
                Reply::Done
            }
            (Call::Refund, _) => Reply::Failed,
            (_, Some(charge)) => Reply::Charge { declined: Some(charge.charged == 0) },
            (Call::Find, None) => Reply::Charge { declined: None },
            (Call::Charge | Call::Void, None) => {
                let declined = declines || call == Call::Void;
                self.charges.push(Charge { number, charged: u8::from(!declined), refunded: 0 });
                Reply::Charge { declined: Some(declined) }
            }
        }
    }
}

impl Row {
    /// The order as the domain sees it.
    pub(crate) fn order(self) -> Order {
        draft(self.number).price(std::slice::from_ref(&*PRODUCT)).unwrap().in_state(self.order)
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

static PRODUCT: LazyLock<Product> = LazyLock::new(|| Product {
    id: ProductId::from(Uuid::nil()),
    sku: Sku::parse("MUG").unwrap(),
    name: Name::parse("Mug").unwrap(),
    price: Money::new(1250, Currency::USD).unwrap(),
    stock: i32::from(INITIAL_STOCK),
    archived: false,
    version: 1,
    created_at: now(),
});

/// The draft of the order with a number.
pub(crate) fn draft(number: Number) -> OrderDraft {
    OrderDraft {
        order: order_id(number),
        payment: payment_id(number),
        placed_by: user(),
        basket: Basket::new(vec![(PRODUCT.id, Quantity::new(1).unwrap())], 1).unwrap(),
        created_at: now(),
    }
}

/// The number of the order or payment with an id.
pub(crate) fn number(id: Uuid) -> Number {
    Number::try_from(id.as_u128()).unwrap()
}

pub(crate) fn order_id(number: Number) -> OrderId {
    Uuid::from_u128(number.into()).into()
}

pub(crate) fn payment_id(number: Number) -> PaymentId {
    Uuid::from_u128(number.into()).into()
}

/// The only user.
pub(crate) fn user() -> UserId {
    Uuid::nil().into()
}

pub(crate) const fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

pub(crate) fn charge_outcome(declined: bool) -> ChargeOutcome {
    match declined {
        true => ChargeOutcome::Declined { reason: DeclineReason::from_gateway("insufficient_funds") },
        false => ChargeOutcome::Succeeded,
    }
}
