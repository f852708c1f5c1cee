//! The steps of a process.

use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;

use crate::rows::{Reported, Row};
use crate::values::Number;

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
    /// The gateway's record of a charge: whether it was declined, if there is one.
    Charge { declined: Option<bool> },
    /// The operation has no further result.
    Done,
    /// The storage or the gateway failed.
    Failed,
}

/// A defect that is put in on purpose, to show that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Defect {
    /// The checkout settles the payment before it charges it.
    SettleBeforeCharge,
    /// The settlement ignores the stored states of the payment and the order.
    NoFencing,
    /// The idempotency key is claimed in a transaction of its own, after that of the order.
    KeyAfterCommit,
}
