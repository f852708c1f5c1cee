//! What must be true in every state, and what must be true when nothing is left to do.
//!
//! The names are those of the audit's checks (docs/reliability.md), where it has one.

use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;

use crate::processes::{Answer, Role};
use crate::rows::{Charge, ClaimedKey, Key, Message, Reported, Row};
use crate::state::State;
use crate::values::{INITIAL_STOCK, Number};
use crate::world::World;

type Invariant = (&'static str, fn(&State) -> bool);

/// The invariants of every state.
const ALWAYS: &[Invariant] = &[
    ("stock_adds_up", |state| stock_adds_up(&state.world)),
    ("one_order_per_key", |state| state.world.rows.len() <= 1),
    ("charged_once", |state| state.world.charges.iter().map(|charge| charge.charged).sum::<u8>() <= 1),
    ("charges_have_payments", |state| {
        state.world.charges.iter().all(|charge| state.world.has(charge.number))
    }),
    ("succeeded_is_charged", |state| {
        state.world.rows.iter().all(|row| succeeded_is_charged(&state.world, row))
    }),
    ("refunded_is_refunded", |state| {
        state.world.rows.iter().all(|row| refunded_is_refunded(&state.world, row))
    }),
    ("states_agree", |state| state.world.rows.iter().all(states_agree)),
    ("every_event_has_a_message", |state| {
        state.world.rows.iter().all(|row| has_its_messages(&state.world, row))
    }),
    ("keys_have_effects", |state| keys_have_effects(&state.world)),
    ("responses_are_true", |state| responses_are_true(&state.world)),
    ("acknowledged_orders_exist", acknowledged_orders_exist),
];

/// The invariants of a state that no other one follows.
const AT_THE_END: &[Invariant] = &[
    ("every_client_is_answered", every_client_is_answered),
    ("no_payment_is_open", |state| state.world.open_payment().is_none()),
    ("charged_is_succeeded", |state| {
        state.world.charges.iter().all(|charge| is_booked(&state.world, charge))
    }),
    ("cancelled_costs_nothing", |state| state.world.rows.iter().all(cancelled_costs_nothing)),
];

/// The first invariant that a state violates.
pub(crate) fn violated(state: &State, is_last: bool) -> Option<&'static str> {
    let at_the_end: &[Invariant] = if is_last { AT_THE_END } else { &[] };
    ALWAYS.iter().chain(at_the_end).find(|(_, holds)| !holds(state)).map(|(name, _)| *name)
}

impl World {
    fn has(&self, number: Number) -> bool {
        self.find(number).is_some()
    }

    fn find(&self, number: Number) -> Option<&Row> {
        self.rows.iter().find(|row| row.number == number)
    }

    fn count(&self, message: Message, row: &Row) -> usize {
        self.outbox.iter().filter(|stored| **stored == (message, row.number)).count()
    }

    /// Whether an order or payment is in the state that a response reports, or in a later one.
    fn confirms(&self, number: Number, reported: Reported) -> bool {
        self.find(number).is_some_and(|row| match reported {
            Reported::Order(state) => order_reaches(state, row.order),
            Reported::Payment(state) => row.refund_requested && payment_reaches(state, row.payment),
        })
    }
}

fn order_reaches(from: OrderState, to: OrderState) -> bool {
    from == to || OrderState::ALL.iter().any(|next| from.can_become(*next) && order_reaches(*next, to))
}

fn payment_reaches(from: PaymentState, to: PaymentState) -> bool {
    from == to || PaymentState::ALL.iter().any(|next| from.can_become(*next) && payment_reaches(*next, to))
}

fn stock_adds_up(world: &World) -> bool {
    let is_live = |row: &&Row| !matches!(row.order, OrderState::Cancelled | OrderState::PaymentFailed);
    usize::from(world.stock) + world.rows.iter().filter(is_live).count() == usize::from(INITIAL_STOCK)
}

fn succeeded_is_charged(world: &World, row: &Row) -> bool {
    let charge = world.charge(row.number);
    match row.payment {
        PaymentState::Pending => true,
        PaymentState::Succeeded | PaymentState::Refunded => charge.is_some_and(|charge| charge.charged == 1),
        // The gateway has declined or voided it, so a charge that is still in flight has no effect either.
        PaymentState::Declined => charge.is_some_and(|charge| charge.charged == 0),
    }
}

fn refunded_is_refunded(world: &World, row: &Row) -> bool {
    let at_gateway = world.charge(row.number).is_some_and(|charge| charge.refunded == 1);
    match row.payment {
        PaymentState::Refunded => at_gateway,
        PaymentState::Pending | PaymentState::Succeeded | PaymentState::Declined => {
            !at_gateway || row.refund_requested
        }
    }
}

fn states_agree(row: &Row) -> bool {
    match row.order {
        OrderState::Pending => row.payment == PaymentState::Pending,
        OrderState::Paid => row.payment == PaymentState::Succeeded,
        OrderState::PaymentFailed => row.payment == PaymentState::Declined,
        OrderState::Cancelled => row.payment != PaymentState::Succeeded || row.refund_requested,
        OrderState::Refunded => row.payment == PaymentState::Refunded,
    }
}

/// Exactly one message for each event.
fn has_its_messages(world: &World, row: &Row) -> bool {
    let paid = matches!(row.order, OrderState::Paid | OrderState::Refunded);
    let refunded = row.payment == PaymentState::Refunded;
    world.count(Message::Paid, row) == usize::from(paid)
        && world.count(Message::Refunded, row) == usize::from(refunded)
}

/// A key is stored only with its effect.
fn keys_have_effects(world: &World) -> bool {
    world.keys.iter().all(|claimed| {
        world.find(claimed.subject).is_some_and(|row| match claimed.key {
            Key::Checkout => true,
            Key::Cancel => row.order == OrderState::Cancelled,
            Key::Refund => row.refund_requested,
        })
    })
}

fn responses_are_true(world: &World) -> bool {
    let is_true = |claimed: &ClaimedKey| {
        claimed.response.is_none_or(|response| world.confirms(claimed.subject, response))
    };
    world.keys.iter().all(is_true)
}

fn acknowledged_orders_exist(state: &State) -> bool {
    state.processes.iter().all(|process| match process.answer {
        Some(Answer::Acknowledged(number, reported)) => state.world.confirms(number, reported),
        Some(Answer::Rejected | Answer::Failed | Answer::Processed) | None => true,
    })
}

fn every_client_is_answered(state: &State) -> bool {
    let is_answered = |answer| matches!(answer, Some(Answer::Acknowledged(..) | Answer::Rejected));
    state.processes.iter().all(|process| match process.role {
        Role::RepeatingBuyer => is_answered(process.answer),
        Role::Canceller | Role::Refunder => is_answered(process.answer) || state.world.rows.is_empty(),
        Role::Buyer => process.ended,
        Role::Worker => true,
    })
}

/// Whether the database has recorded what the gateway has done.
fn is_booked(world: &World, charge: &Charge) -> bool {
    let expected = match (charge.charged, charge.refunded) {
        (0, _) => PaymentState::Declined,
        (_, 0) => PaymentState::Succeeded,
        (_, _) => PaymentState::Refunded,
    };
    world.find(charge.number).is_some_and(|row| row.payment == expected)
}

fn cancelled_costs_nothing(row: &Row) -> bool {
    row.order != OrderState::Cancelled
        || matches!(row.payment, PaymentState::Declined | PaymentState::Refunded)
}
