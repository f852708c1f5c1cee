//! The processes: clients' requests, and workers. Each runs a use case of the domain.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use glasshouse_domain::cancel::{CancelError, CancelStore, Canceller};
use glasshouse_domain::checkout::{CheckoutError, CheckoutStore, PendingResponse, ReserveError, check_out};
use glasshouse_domain::idempotency::{
    IdempotencyKey, Idempotent, IdempotentRequest, RequestHash, StoredResponse,
};
use glasshouse_domain::order::{Order, OrderDraft};
use glasshouse_domain::payment::{ChargeOutcome, Payment, PaymentGateway};
use glasshouse_domain::reconcile::{ReconcileStep, reconcile};
use glasshouse_domain::refund::{RefundError, refund};
use glasshouse_domain::user::Role as UserRole;

use crate::operation::{Course, Defect, Operation, Reply};
use crate::ports::Ports;
use crate::rows::Reported;
use crate::values::{Number, draft, number, order_id, payment_id, user};
use crate::world::World;

/// The purpose of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Places the order, once.
    Buyer,
    /// Places the same order with the same key, until it is answered.
    RepeatingBuyer,
    /// Cancels the order, until it is answered.
    Canceller,
    /// Refunds the payment, until it is answered.
    Refunder,
    /// Reconciles open payments as long as there are any.
    Worker,
}

/// The response to a client, or the end of a worker's item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// The order or payment exists in this state.
    Acknowledged(Number, Reported),
    /// The request is rejected for good.
    Rejected,
    /// The request failed, and may be repeated.
    Failed,
    /// The worker's item is processed.
    Processed,
}

impl Role {
    /// The name in the documentation.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "checkout",
            Self::RepeatingBuyer => "repeated checkout",
            Self::Canceller => "cancellation",
            Self::Refunder => "refund",
            Self::Worker => "worker",
        }
    }

    /// The number of the first order that it is about.
    pub(crate) const fn first_number(self) -> Number {
        match self {
            Self::RepeatingBuyer => 1,
            Self::Buyer | Self::Canceller | Self::Refunder | Self::Worker => 0,
        }
    }

    /// Whether it waits until there is an order.
    pub(crate) const fn needs_order(self) -> bool {
        matches!(self, Self::Canceller | Self::Refunder)
    }
}

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Next {
    Perform(Operation),
    Return(Answer),
}

/// Continues a use case from its journal. With a course, performs the next operation on the world, and adds its reply to
/// the journal.
pub(crate) fn perform(
    (role, number): (Role, Number),
    journal: &mut Vec<Reply>,
    world: &mut World,
    course: Option<Course>,
    defect: Option<Defect>,
) -> Next {
    let ports = Ports::new(journal, world, course, defect);
    let poll = pin!(use_case(role, number, &ports)).poll(&mut Context::from_waker(Waker::noop()));
    match poll {
        Poll::Ready(answer) => Next::Return(answer),
        Poll::Pending => Next::Perform(ports.wanted().unwrap()),
    }
}

/// Runs the use case of a role, for the order with a number.
async fn use_case(role: Role, number: Number, ports: &Ports<'_>) -> Answer {
    match role {
        Role::Buyer | Role::RepeatingBuyer => place_order(ports, &draft(number)).await,
        Role::Canceller => cancel_order(ports, number).await,
        Role::Refunder => refund_payment(ports, number).await,
        Role::Worker => reconcile_payment(ports).await,
    }
}

async fn place_order(ports: &Ports<'_>, draft: &OrderDraft) -> Answer {
    let request = request("checkout", render_order);
    let result = match ports.defect {
        Some(Defect::SettleBeforeCharge) => settle_and_charge(ports, draft, &request).await,
        _ => check_out(ports, ports, draft, &request).await,
    };
    match result {
        Ok(outcome) => acknowledged_order(outcome),
        Err(CheckoutError::Reserve(ReserveError::Store(_)) | CheckoutError::Settle(_)) => Answer::Failed,
        Err(CheckoutError::Reserve(_)) => Answer::Rejected,
    }
}

/// A checkout with [`Defect::SettleBeforeCharge`].
async fn settle_and_charge(
    ports: &Ports<'_>,
    draft: &OrderDraft,
    request: &IdempotentRequest<Order>,
) -> Result<Idempotent<Order>, CheckoutError> {
    let order = match ports.reserve(draft, request).await? {
        Idempotent::Executed(order) => order,
        earlier => return Ok(earlier),
    };
    let response = Some(PendingResponse { order: &order, request });
    let settled = ports.settle(draft.payment, &ChargeOutcome::Succeeded, response).await;
    let state = settled.map_err(CheckoutError::Settle)?;
    let _ = ports.charge(draft.payment, order.total).await;
    Ok(Idempotent::Executed(order.in_state(state)))
}

async fn cancel_order(ports: &Ports<'_>, number: Number) -> Answer {
    let canceller = Canceller { user: user(), role: UserRole::Member };
    match ports.cancel(order_id(number), canceller, &request("cancel", render_order)).await {
        Ok(outcome) => acknowledged_order(outcome),
        Err(CancelError::Store(_)) => Answer::Failed,
        Err(_) => Answer::Rejected,
    }
}

async fn refund_payment(ports: &Ports<'_>, number: Number) -> Answer {
    match refund(ports, ports, payment_id(number), &request("refund", render_payment)).await {
        Ok(outcome) => acknowledged_payment(outcome),
        Err(RefundError::Store(_)) => Answer::Failed,
        Err(_) => Answer::Rejected,
    }
}

/// One item of the worker, as in `api/src/worker/reconciler.rs`.
async fn reconcile_payment(ports: &Ports<'_>) -> Answer {
    let Some(row) = ports.take_open_payment().await else { return Answer::Failed };
    let payment = row.payment();
    let Some(step) = ReconcileStep::next(&payment, row.order) else { return Answer::Processed };
    match reconcile(ports, ports, &payment, step).await {
        Ok(()) => Answer::Processed,
        Err(_) => Answer::Failed,
    }
}

fn request<T>(key: &str, render: fn(&T) -> StoredResponse) -> IdempotentRequest<T> {
    static HASH: LazyLock<RequestHash> = LazyLock::new(|| RequestHash::of(&[]));
    IdempotentRequest { user: user(), key: IdempotencyKey::parse(key).unwrap(), hash: HASH.clone(), render }
}

fn render_order(order: &Order) -> StoredResponse {
    StoredResponse { code: number(order.id.uuid()).into(), body: order.state.to_string() }
}

fn render_payment(payment: &Payment) -> StoredResponse {
    StoredResponse { code: number(payment.id.uuid()).into(), body: payment.state.to_string() }
}

fn acknowledged_order(outcome: Idempotent<Order>) -> Answer {
    let response = response(outcome, render_order);
    let state = Reported::Order(response.body.parse().unwrap());
    Answer::Acknowledged(response.code.try_into().unwrap(), state)
}

fn acknowledged_payment(outcome: Idempotent<Payment>) -> Answer {
    let response = response(outcome, render_payment);
    let state = Reported::Payment(response.body.parse().unwrap());
    Answer::Acknowledged(response.code.try_into().unwrap(), state)
}

/// The response that the client gets.
fn response<T>(outcome: Idempotent<T>, render: fn(&T) -> StoredResponse) -> StoredResponse {
    match outcome {
        Idempotent::Executed(result) | Idempotent::InProgress(result) => render(&result),
        Idempotent::Replayed(stored) => stored,
    }
}
