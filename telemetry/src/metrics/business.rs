use prometheus::{CounterVec, Error, IntCounterVec, IntGauge, Registry};

use super::define::{amounts, counters, gauge};
use super::labels::{CappedLabel, OTHER};
use crate::redaction::without_emails;

/// Every status of an order.
pub const ORDER_STATUSES: [&str; 5] = ["pending", "paid", "payment_failed", "cancelled", "refunded"];

/// Every outcome of a payment.
pub const PAYMENT_OUTCOMES: [&str; 4] = ["pending", "succeeded", "declined", "refunded"];

/// What tenants and their customers do.
#[derive(Clone, Debug)]
pub struct BusinessMetrics {
    revenue: CounterVec,
    sign_ups: IntCounterVec,
    orders: IntCounterVec,
    payments: IntCounterVec,
    logins: IntCounterVec,
    active_users: IntGauge,
    tenants: CappedLabel,
    products: CappedLabel,
}

impl BusinessMetrics {
    pub(super) fn register(
        registry: &Registry,
        tenants: CappedLabel,
        label_cap: usize,
    ) -> Result<Self, Error> {
        let metrics = Self {
            revenue: amounts(
                registry,
                "revenue_total_usd",
                "Money from paid orders in USD, before refunds, by tenant and product. Orders in other currencies do \
                 not count here; the revenue report has them.",
                &["tenant_id", "product"],
            )?,
            sign_ups: counters(
                registry,
                "user_signups_total",
                "New tenants with their first user, by tenant and where they came from.",
                &["tenant_id", "source"],
            )?,
            orders: counters(registry, "orders_total", "Orders that came into a state.", &["status"])?,
            payments: counters(
                registry,
                "payments_total",
                "Payments that came to an outcome.",
                &["outcome"],
            )?,
            logins: counters(registry, "login_attempts_total", "Logins tried, by result.", &["result"])?,
            active_users: gauge(registry, "active_users", "Different users seen in the last 15 minutes.")?,
            tenants,
            products: CappedLabel::new(label_cap),
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// A series that appears with its first event has no increase for an alert to see.
    fn begin_at_zero(&self) {
        for status in ORDER_STATUSES {
            self.orders.with_label_values(&[status]);
        }
        for outcome in PAYMENT_OUTCOMES {
            self.payments.with_label_values(&[outcome]);
        }
        for result in [true, false].map(login_result) {
            self.logins.with_label_values(&[result]);
        }
    }

    /// An order came into a state.
    pub fn order(&self, status: &str) {
        self.orders.with_label_values(&[status]).inc();
    }

    /// A payment came to an outcome.
    pub fn payment(&self, outcome: &str) {
        self.payments.with_label_values(&[outcome]).inc();
    }

    /// An order was paid that has so much of this product in it, in US dollars.
    pub fn revenue(&self, tenant: &str, product: &str, dollars: f64) {
        let hidden = without_emails(product);
        let product = hidden.as_deref().unwrap_or(product);
        let labels = [self.tenants.of(tenant), self.product_of(tenant, product)];
        self.revenue.with_label_values(&labels).inc_by(dollars);
    }

    /// The product itself, or `other`. The cap counts the products of each tenant: if it counted names alone,
    /// there could be as many series as its square.
    fn product_of<'a>(&self, tenant: &str, product: &'a str) -> &'a str {
        let pair = format!("{tenant} {product}");
        if self.products.of(&pair) == OTHER { OTHER } else { product }
    }

    /// A tenant signed up.
    pub fn signed_up(&self, tenant: &str, source: &str) {
        self.sign_ups.with_label_values(&[self.tenants.of(tenant), source]).inc();
    }

    /// Somebody tried to log in.
    pub fn login(&self, succeeded: bool) {
        self.logins.with_label_values(&[login_result(succeeded)]).inc();
    }

    /// How many users were seen lately.
    pub fn set_active_users(&self, count: u64) {
        self.active_users.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

const fn login_result(succeeded: bool) -> &'static str {
    if succeeded { "success" } else { "failure" }
}
