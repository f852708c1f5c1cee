//! The ports of the use cases, as steps that an explorer schedules.
//!
//! A future cannot be copied, but a use case depends on nothing but the replies of its ports. So the journal of these
//! replies is its state: a new future that gets the same replies is where the first one was. An operation first takes its
//! reply from the journal. At the end of it, the use case is suspended, until the explorer lets it perform one more.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use glasshouse_domain::cancel::{CancelError, CancelStore, Canceller};
use glasshouse_domain::checkout::{CheckoutStore, PendingResponse, ReserveError};
use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_domain::idempotency::{Idempotent, IdempotentRequest};
use glasshouse_domain::order::{Order, OrderDraft, OrderState};
use glasshouse_domain::payment::{
    ChargeOutcome, GatewayFailure, NotRefundable, Payment, PaymentGateway, PaymentState,
};
use glasshouse_domain::refund::{RefundError, RefundStore};
use glasshouse_domain::values::Money;

use crate::operation::{Call, Course, Defect, Operation, Reply};
use crate::rows::{Reported, Row};
use crate::values::{Number, charge_outcome, number};
use crate::world::World;

/// The ports of one process.
pub(crate) struct Ports<'a> {
    run: Mutex<Run<'a>>,
    pub(crate) defect: Option<Defect>,
}

struct Run<'a> {
    journal: &'a mut Vec<Reply>,
    world: &'a mut World,
    /// The number of operations that have their reply.
    position: usize,
    /// The course of the operation after the journal, unless it may not be performed yet.
    course: Option<Course>,
    /// The operation that waits to be performed.
    wanted: Option<Operation>,
}

impl<'a> Ports<'a> {
    /// Ports that take replies from the journal. With a course, they then perform one more operation on the world, and
    /// add its reply to the journal.
    pub(crate) fn new(
        journal: &'a mut Vec<Reply>,
        world: &'a mut World,
        course: Option<Course>,
        defect: Option<Defect>,
    ) -> Self {
        let run = Run { journal, world, position: 0, course, wanted: None };
        Self { run: Mutex::new(run), defect }
    }

    /// The operation for which the use case is suspended.
    pub(crate) fn wanted(&self) -> Option<Operation> {
        self.run().wanted
    }

    fn run(&self) -> MutexGuard<'_, Run<'a>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn perform(&self, operation: Operation) -> Reply {
        poll_fn(|_| {
            let run = &mut *self.run();
            if run.position == run.journal.len() {
                let Some(course) = run.course.take() else {
                    run.wanted = Some(operation);
                    return Poll::Pending;
                };
                run.journal.push(run.world.perform(operation, course, self.defect));
            }
            run.position += 1;
            Poll::Ready(run.journal[run.position - 1])
        })
        .await
    }

    /// Takes an open payment, and reads it.
    pub(crate) async fn take_open_payment(&self) -> Option<Row> {
        match self.perform(Operation::TakeOpenPayment).await {
            Reply::Row(row) => Some(row),
            _ => None,
        }
    }

    async fn store(&self, operation: Operation) -> Result<Reply, StoreFailure> {
        match self.perform(operation).await {
            Reply::Failed => Err(StoreFailure::Unavailable("a failure of the model".into())),
            reply => Ok(reply),
        }
    }

    async fn gateway(&self, call: Call, payment: PaymentId) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        match self.perform(Operation::Gateway(call, number(payment.uuid()))).await {
            Reply::Charge { declined } => Ok(declined.map(charge_outcome)),
            Reply::Done => Ok(Some(ChargeOutcome::Succeeded)),
            _ => Err(GatewayFailure::TimedOut),
        }
    }
}

/// The result of a request's first transaction; `None` if a rule of the domain rejects it.
fn claimed<T>(
    reply: Reply,
    request: &IdempotentRequest<T>,
    of_row: fn(Row) -> T,
    of_report: fn(Number, Reported) -> T,
) -> Option<Idempotent<T>> {
    match reply {
        Reply::First(row) => Some(Idempotent::Executed(of_row(row))),
        Reply::InProgress(row) => Some(Idempotent::InProgress(of_row(row))),
        Reply::Replayed(number, reported) => {
            Some(Idempotent::Replayed((request.render)(&of_report(number, reported))))
        }
        _ => None,
    }
}

fn reported_order(number: Number, reported: Reported) -> Order {
    let Reported::Order(order) = reported else { unreachable!("the key belongs to an order") };
    Row { number, order, payment: PaymentState::Pending, refund_requested: false }.order()
}

fn reported_payment(number: Number, reported: Reported) -> Payment {
    let Reported::Payment(payment) = reported else { unreachable!("the key belongs to a payment") };
    Row { number, order: OrderState::Paid, payment, refund_requested: true }.payment()
}

impl CheckoutStore for Ports<'_> {
    async fn reserve(
        &self,
        draft: &OrderDraft,
        request: &IdempotentRequest<Order>,
    ) -> Result<Idempotent<Order>, ReserveError> {
        let number = number(draft.order.uuid());
        let reply = self.store(Operation::Reserve { number }).await?;
        if self.defect == Some(Defect::KeyAfterCommit) && matches!(reply, Reply::First(_)) {
            self.store(Operation::ClaimKey { number }).await?;
        }
        let (product, _) = draft.basket.lines().next().unwrap();
        claimed(reply, request, Row::order, reported_order)
            .ok_or(ReserveError::OutOfStock { product, available: 0 })
    }

    async fn settle(
        &self,
        payment: PaymentId,
        outcome: &ChargeOutcome,
        response: Option<PendingResponse<'_>>,
    ) -> Result<OrderState, StoreFailure> {
        let declined = *outcome != ChargeOutcome::Succeeded;
        let (number, records) = (number(payment.uuid()), response.is_some());
        match self.store(Operation::Settle { number, declined, records }).await? {
            Reply::Row(row) => Ok(row.order),
            reply => unreachable!("a settlement replies with {reply:?}"),
        }
    }

    async fn record_pending(
        &self,
        order: &Order,
        _: PaymentId,
        _: &GatewayFailure,
        _: &IdempotentRequest<Order>,
    ) -> Result<(), StoreFailure> {
        self.store(Operation::RecordPending { reported: order.state }).await?;
        Ok(())
    }
}

impl RefundStore for Ports<'_> {
    async fn request_refund(
        &self,
        payment: PaymentId,
        request: &IdempotentRequest<Payment>,
    ) -> Result<Idempotent<Payment>, RefundError> {
        let reply = self.store(Operation::RequestRefund { number: number(payment.uuid()) }).await?;
        let rejected = RefundError::NotRefundable(NotRefundable(PaymentState::Pending));
        claimed(reply, request, Row::payment, reported_payment).ok_or(rejected)
    }

    async fn record_requested(
        &self,
        payment: &Payment,
        _: &GatewayFailure,
        _: &IdempotentRequest<Payment>,
    ) -> Result<(), StoreFailure> {
        self.store(Operation::RecordRequested { reported: payment.state }).await?;
        Ok(())
    }

    async fn complete_refund(
        &self,
        payment: PaymentId,
        request: Option<&IdempotentRequest<Payment>>,
    ) -> Result<Payment, StoreFailure> {
        let (number, records) = (number(payment.uuid()), request.is_some());
        match self.store(Operation::CompleteRefund { number, records }).await? {
            Reply::Row(row) => Ok(row.payment()),
            reply => unreachable!("a refund replies with {reply:?}"),
        }
    }
}

impl CancelStore for Ports<'_> {
    async fn cancel(
        &self,
        order: OrderId,
        _: Canceller,
        request: &IdempotentRequest<Order>,
    ) -> Result<Idempotent<Order>, CancelError> {
        let reply = self.store(Operation::Cancel { number: number(order.uuid()) }).await?;
        let rejected = CancelError::NotPending(OrderState::Paid);
        claimed(reply, request, Row::order, reported_order).ok_or(rejected)
    }
}

impl PaymentGateway for Ports<'_> {
    async fn charge(&self, payment: PaymentId, _: Money) -> Result<ChargeOutcome, GatewayFailure> {
        self.gateway(Call::Charge, payment).await?.ok_or(GatewayFailure::TimedOut)
    }

    async fn find_charge(&self, payment: PaymentId) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        self.gateway(Call::Find, payment).await
    }

    async fn void_charge(&self, payment: PaymentId) -> Result<ChargeOutcome, GatewayFailure> {
        self.gateway(Call::Void, payment).await?.ok_or(GatewayFailure::TimedOut)
    }

    async fn refund(&self, payment: PaymentId) -> Result<(), GatewayFailure> {
        self.gateway(Call::Refund, payment).await?;
        Ok(())
    }
}
