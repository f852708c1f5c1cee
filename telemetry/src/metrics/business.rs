//! Sign-ups, logins, orders, payments and revenue.

use prometheus::{Error, IntGauge};

use super::labels::{CappedLabel, OTHER};
use super::{CounterVec, IntCounterVec, Registrar};
use crate::redaction::without_emails;

/// Every status of an order.
pub const ORDER_STATUSES: [&str; 5] = ["pending", "paid", "payment_failed", "cancelled", "refunded"];

/// Every outcome of a payment.
pub const PAYMENT_OUTCOMES: [&str; 4] = ["pending", "succeeded", "declined", "refunded"];

/// Sign-ups, logins, orders, payments and revenue, in plain values.
#[derive(Clone, Debug)]
pub struct BusinessMetrics {
    revenue: CounterVec<2>,
    sign_ups: IntCounterVec<2>,
    orders: IntCounterVec<1>,
    payments: IntCounterVec<1>,
    logins: IntCounterVec<1>,
    active_users: IntGauge,
    tenants: CappedLabel,
    products: CappedLabel,
}

impl BusinessMetrics {
    pub(super) fn register(
        registrar: &mut Registrar,
        tenants: CappedLabel,
        label_cap: usize,
    ) -> Result<Self, Error> {
        let metrics = Self {
            revenue: registrar.counter_vec(
                "revenue_total_usd",
                "Revenue of paid orders in USD, before refunds, by tenant and product; other currencies are in the \
                 revenue report alone. The cap counts pairs of tenant and product.",
                ["tenant_id", "product"],
            )?,
            sign_ups: registrar.int_counter_vec(
                "user_signups_total",
                "Sign-ups of new tenants, by tenant and source (organic, referral, ads, partner).",
                ["tenant_id", "source"],
            )?,
            orders: registrar.int_counter_vec("orders_total", "Orders that entered a status.", ["status"])?,
            payments: registrar.int_counter_vec(
                "payments_total",
                "Payments that reached an outcome.",
                ["outcome"],
            )?,
            logins: registrar.int_counter_vec("login_attempts_total", "Login attempts, by result (success, failure).", ["result"])?,
            active_users: registrar.int_gauge("active_users", "Distinct users of the last 15 minutes.")?,
            tenants,
            products: CappedLabel::new(label_cap),
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// Creates series at zero, so that an alert sees the increase of the first event.
    fn begin_at_zero(&self) {
        for status in ORDER_STATUSES {
            self.orders.with([status]);
        }
        for outcome in PAYMENT_OUTCOMES {
            self.payments.with([outcome]);
        }
        for result in [true, false].map(login_result) {
            self.logins.with([result]);
        }
    }

    /// Counts an order that entered a status.
    pub fn order(&self, status: &str) {
        self.orders.with([status]).inc();
    }

    /// Counts a payment that reached an outcome.
    pub fn payment(&self, outcome: &str) {
        self.payments.with([outcome]).inc();
    }

    /// Counts the revenue of one product in a paid order, in US dollars.
    pub fn revenue(&self, tenant: &str, product: &str, dollars: f64) {
        let hidden = without_emails(product);
        let product = hidden.as_deref().unwrap_or(product);
        let labels = [self.tenants.of(tenant), self.product_of(tenant, product)];
        self.revenue.with(labels).inc_by(dollars);
    }

    /// The product itself, or `other`. The cap counts the products of each tenant: if it counted names alone,
    /// there could be as many series as its square.
    fn product_of<'a>(&self, tenant: &str, product: &'a str) -> &'a str {
        let pair = format!("{tenant} {product}");
        if self.products.of(&pair) == OTHER { OTHER } else { product }
    }

    /// Counts a sign-up.
    pub fn signed_up(&self, tenant: &str, source: &str) {
        self.sign_ups.with([self.tenants.of(tenant), source]).inc();
    }

    /// Counts a login attempt.
    pub fn login(&self, succeeded: bool) {
        self.logins.with([login_result(succeeded)]).inc();
    }

    /// Sets how many distinct users were seen lately.
    pub fn set_active_users(&self, count: u64) {
        self.active_users.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

const fn login_result(succeeded: bool) -> &'static str {
    if succeeded { "success" } else { "failure" }
}
