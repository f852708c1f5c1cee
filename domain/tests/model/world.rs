//! The database and the payment gateway, in memory. Each operation is atomic.

mod transactions;

use glasshouse_domain::payment::PaymentState;

use crate::operation::{Call, Course, Defect, Operation, Reply};
use crate::rows::{Charge, ClaimedKey, Message, Row};
use crate::values::{INITIAL_STOCK, Number};

/// Everything that survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) stock: u8,
    pub(crate) rows: Vec<Row>,
    pub(crate) keys: Vec<ClaimedKey>,
    pub(crate) outbox: Vec<(Message, Number)>,
    pub(crate) charges: Vec<Charge>,
    /// Requests to the gateway for which no process waits any more, and that will still take effect.
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

    /// Performs an operation, and returns the reply to the process.
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

    /// Processes a request at the gateway, as the ledger of the simulator does.
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
