//! The texts of states, roles and plans.

use std::fmt::Display;
use std::str::FromStr;

use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::Role;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "states",
    seeds: &["pending", "payment_failed", "refunded", "owner", "enterprise", "Paid"],
    dictionary: &["pending", "paid", "cancelled", "succeeded", "declined", "admin", "member", "free", "pro"],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    check(text, OrderState::ALL);
    check(text, PaymentState::ALL);
    check(text, Plan::ALL);
    check(text, Role::ALL);
}

fn check<T: FromStr<Err: Display> + Display>(text: &str, all: &[T]) {
    let is_known = all.iter().any(|value| value.to_string() == text);
    match text.parse::<T>() {
        Ok(value) => assert!(is_known && value.to_string() == text),
        Err(error) => assert!(!is_known && error.to_string().starts_with("stored ")),
    }
}
