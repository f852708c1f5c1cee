//! A model of checkout, settlement, reconciliation, cancellation and refund, explored exhaustively: every order of
//! their steps, with crashes and failures between any two of them.
//!
//! **What runs.** The use cases of the domain themselves (`check_out`, `reconcile`, `refund`), in several
//! [`processes`], over ports in memory: the database and the payment gateway of [`world`]. Each method of a port is one
//! atomic step, as the domain demands, because its implementation is one transaction or one request. The database
//! decides with the domain's own rules (`Settlement::decide`, `Payment::request_refund`, `Canceller::check`); that the
//! transactions of `infra` do the same is covered by `api/tests/it`.
//!
//! **What can happen.** In each state, any process may take its next step. The gateway may decline a charge. A client
//! repeats its request with the same key until it is answered, also while the first one is still being processed. In
//! each execution there is a bounded number of failures, at any place: a process crashes, before a step or after it; a
//! step fails without effect; or it takes effect and reports a failure. A request to the gateway that fails like that
//! takes effect at any later time, as one that timed out.
//!
//! **Time** is not modeled: anything may take any time. A worker may take up any open payment at any moment, so two
//! workers and a request may process the same payment. That includes each expired lease, and each process that continues
//! after a long pause. It shows that leases only save work: nothing depends on them.
//!
//! **What is checked.** The [`invariants`]: some in each state, some when nothing is left to do. Every schedule ends: a
//! cycle of states is a violation too. So that the check is known to find something, three defects are put in on purpose
//! ([`Defect`]), and the kinds of orders that are left in the end are compared with those that are possible.
//!
//! **Why not a crate.** loom and shuttle explore the interleavings of threads at synchronization primitives, of which the
//! use cases have none; shuttle takes samples. stateright explores transition systems that are written for it, so the use
//! cases would have to be written a second time, and the copy would be what is proven. For the futures themselves an
//! [`explorer`] of a hundred lines is enough: [`ports`] explains how it continues a future in the middle.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]

mod explorer;
mod invariants;
mod operation;
mod ports;
mod processes;
mod rows;
mod state;
mod values;
mod world;

use std::collections::BTreeSet;
use std::io::Write;

use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;

use explorer::{Violation, explore};
use operation::Defect;
use processes::Role::{self, Buyer, Canceller, Refunder, RepeatingBuyer, Worker};
use state::State;

type Outcome = (OrderState, PaymentState);

const PAID: Outcome = (OrderState::Paid, PaymentState::Succeeded);
const DECLINED: Outcome = (OrderState::PaymentFailed, PaymentState::Declined);
const VOIDED: Outcome = (OrderState::Cancelled, PaymentState::Declined);
const PAID_TOO_LATE: Outcome = (OrderState::Cancelled, PaymentState::Refunded);
const REFUNDED: Outcome = (OrderState::Refunded, PaymentState::Refunded);

const RELIABILITY: &str = include_str!("../../../docs/reliability.md");

/// Explores all executions with at most so many failures. Compares how orders end with what is possible, and the numbers
/// with those in the documentation.
fn check(roles: &[Role], failures: u8, outcomes: &[Outcome]) {
    let first = State::initial(roles, failures, None);
    let report = explore(&first).unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(report.outcomes, outcomes.iter().copied().collect::<BTreeSet<_>>());
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let row = format!("| {} | {failures} | {report} |\n", names.join(", "));
    // Unlike with `println`, the test harness does not capture it.
    std::io::stdout().write_all(row.as_bytes()).unwrap();
    assert!(RELIABILITY.contains(&row), "the table of docs/reliability.md must have the row\n{row}");
}

#[test]
fn a_checkout_and_two_workers() {
    check(&[Buyer, Worker, Worker], 3, &[PAID, DECLINED]);
}

#[test]
fn a_repeated_checkout() {
    check(&[Buyer, RepeatingBuyer, Worker, Worker], 2, &[PAID, DECLINED]);
}

#[test]
fn a_cancellation() {
    check(&[Buyer, Canceller, Worker, Worker], 2, &[PAID, DECLINED, VOIDED, PAID_TOO_LATE]);
}

#[test]
fn a_refund() {
    check(&[Buyer, Refunder, Worker, Worker], 2, &[PAID, DECLINED, REFUNDED]);
}

#[test]
fn a_cancellation_and_a_refund_of_a_repeated_checkout() {
    let outcomes = [PAID, DECLINED, VOIDED, PAID_TOO_LATE, REFUNDED];
    check(&[Buyer, RepeatingBuyer, Canceller, Refunder, Worker], 1, &outcomes);
}

#[test]
#[ignore = "takes minutes, in a release build"]
fn all_processes_together() {
    let outcomes = [PAID, DECLINED, VOIDED, PAID_TOO_LATE, REFUNDED];
    check(&[Buyer, RepeatingBuyer, Canceller, Refunder, Worker, Worker], 2, &outcomes);
}

/// What the search finds when a defect is put in.
fn violation(defect: Defect) -> Box<Violation> {
    let first = State::initial(&[Buyer, RepeatingBuyer, Canceller, Worker, Worker], 1, Some(defect));
    let violation = explore(&first).unwrap_err();
    println!("{defect:?}: {violation}");
    violation
}

#[test]
fn a_settlement_before_the_charge_is_found() {
    assert_eq!(violation(Defect::SettleBeforeCharge).invariant, "succeeded_is_charged");
}

#[test]
fn a_settlement_that_ignores_the_stored_states_is_found() {
    assert_eq!(violation(Defect::NoFencing).invariant, "stock_adds_up");
}

#[test]
fn a_key_that_is_recorded_after_the_commit_is_found() {
    assert_eq!(violation(Defect::KeyAfterCommit).invariant, "one_order_per_key");
}
