use prometheus::{CounterVec, Error, IntCounterVec, IntGauge, Registry};

use glasshouse_domain::order::{Order, OrderState};
use glasshouse_domain::payment::PaymentState;
use glasshouse_domain::values::Currency;

use super::define::{amounts, counters, gauge};
use super::labels::{CappedLabel, OTHER};
use crate::telemetry::redaction::without_emails;

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
        for state in OrderState::ALL {
            self.orders.with_label_values(&[state.as_str()]);
        }
        for outcome in PaymentState::ALL {
            self.payments.with_label_values(&[outcome.as_str()]);
        }
        for result in [true, false].map(login_result) {
            self.logins.with_label_values(&[result]);
        }
    }

    /// An order came into a state.
    pub fn order(&self, state: OrderState) {
        self.orders.with_label_values(&[state.as_str()]).inc();
    }

    /// A payment came to an outcome.
    pub fn payment(&self, state: PaymentState) {
        self.payments.with_label_values(&[state.as_str()]).inc();
    }

    /// An order was paid.
    pub fn revenue(&self, tenant: &str, order: &Order) {
        for item in order.items.iter().filter(|item| item.unit_price.currency() == Currency::USD) {
            // A counter of Prometheus is a float; cents are exact up to 90 trillion dollars.
            let cents = item.unit_price.minor() as f64 * f64::from(item.quantity.get());
            let product = without_emails(item.name.as_str());
            let product = product.as_deref().unwrap_or(item.name.as_str());
            let labels = [self.tenants.of(tenant), self.product_of(tenant, product)];
            self.revenue.with_label_values(&labels).inc_by(cents / 100.0);
        }
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
