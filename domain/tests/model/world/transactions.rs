//! The transactions of the database. Each is what the adapter in `infra/src/db` does in one transaction.

use glasshouse_domain::cancel::Canceller;
use glasshouse_domain::order::OrderState;
use glasshouse_domain::outbox::OutboxEvent;
use glasshouse_domain::payment::PaymentState;
use glasshouse_domain::settlement::Settlement;
use glasshouse_domain::user::Role;

use super::World;
use crate::operation::{Defect, Operation, Reply};
use crate::rows::{ClaimedKey, Key, Message, Reported, Row};
use crate::values::{Number, charge_outcome, now, order_id, user};

impl World {
    /// Runs a transaction, and commits it unless a rule rejects it.
    pub(super) fn commit(&mut self, transaction: Operation, defect: Option<Defect>) -> Reply {
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
}
