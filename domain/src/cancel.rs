//! Cancellation: withdraws an order before it is paid.

use crate::failure::StoreFailure;
use crate::id::{OrderId, UserId};
use crate::idempotency::{Idempotent, IdempotentRequest, KeyReused};
use crate::order::{Order, OrderState};
use crate::user::Role;

/// The user who cancels an order.
#[derive(Clone, Copy, Debug)]
pub struct Canceller {
    /// The user's id.
    pub user: UserId,
    /// The user's role.
    pub role: Role,
}

impl Canceller {
    /// Checks whether this user may cancel the order in its current state.
    ///
    /// # Errors
    /// [`CancelError::NotYours`] when a member cancels the order of another user; [`CancelError::NotPending`]
    /// when the order is not pending.
    pub fn check(self, order: &Order) -> Result<(), CancelError> {
        if order.placed_by != self.user && self.role < Role::Admin {
            return Err(CancelError::NotYours);
        }
        if !order.state.can_become(OrderState::Cancelled) {
            return Err(CancelError::NotPending(order.state));
        }
        Ok(())
    }
}

/// The port of cancellation to one tenant's storage.
///
/// The stock is released at once. The payment is left to the reconciler, which voids the charge at the gateway,
/// or refunds it if it has succeeded by then.
pub trait CancelStore {
    /// In one transaction: claims the idempotency key, checks the order with [`Canceller::check`], marks it as
    /// cancelled, releases its stock, and records the response.
    fn cancel(
        &self,
        order: OrderId,
        canceller: Canceller,
        request: &IdempotentRequest<Order>,
    ) -> impl Future<Output = Result<Idempotent<Order>, CancelError>> + Send;
}

/// Why an order was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The tenant has no order with this id.
    #[error("there is no such order")]
    NotFound,
    /// A member may cancel only their own orders.
    #[error("only an admin may cancel the order of another user")]
    NotYours,
    /// Only a pending order can be cancelled.
    #[error("an order with status {0} cannot be cancelled{hint}", hint = hint(*.0))]
    NotPending(OrderState),
    /// The idempotency key belongs to another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

const fn hint(state: OrderState) -> &'static str {
    match state {
        OrderState::Paid => ": refund its payment instead",
        _ => "",
    }
}
