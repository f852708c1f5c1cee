//! Sign-ups, logins, orders, payments and revenue.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, Gauge, IntGauge};

use crate::metrics::{Capped, CappedLabel, CounterVec, IntCounterVec, Registrar};
use crate::redaction::safe;

/// Every status of an order.
pub const ORDER_STATUSES: [&str; 5] = ["pending", "paid", "payment_failed", "cancelled", "refunded"];

/// Every outcome of a payment. A pending payment has none yet: `payments_open` counts those.
pub const PAYMENT_OUTCOMES: [&str; 3] = ["succeeded", "declined", "refunded"];

/// Sign-ups, logins, orders, payments and revenue, in plain values.
#[derive(Clone, Debug)]
pub struct BusinessMetrics {
    pub(crate) revenue: Revenue,
    pub(crate) sign_ups: Capped<IntCounterVec<2>>,
    pub(crate) orders: IntCounterVec<1>,
    pub(crate) payments: IntCounterVec<1>,
    pub(crate) logins: IntCounterVec<1>,
    active_users: IntGauge,
    open_payments: IntGauge,
    oldest_open_payment_age: Gauge,
}

impl BusinessMetrics {
    /// The revenue that was counted so far, in USD.
    #[must_use]
    pub fn total_revenue(&self) -> f64 {
        self.revenue.total()
    }

    pub(super) fn register(
        registrar: &mut Registrar,
        tenants: CappedLabel,
        label_cap: usize,
    ) -> Result<Self, Error> {
        let revenue = Revenue {
            family: CounterVec::unregistered(
                "revenue_total_usd",
                "Revenue of paid orders in USD, before refunds, by tenant and product; other currencies are in the \
                 revenue report alone. The cap counts pairs of tenant and product.",
                ["tenant_id", "product"],
            )?,
            tenants: tenants.clone(),
            products: CappedLabel::new(label_cap),
        };
        let sign_ups = IntCounterVec::unregistered(
            "user_signups_total",
            "Sign-ups of new tenants, by tenant and source (organic, referral, ads, partner).",
            ["tenant_id", "source"],
        )?;
        let metrics = Self {
            revenue: registrar.register(revenue)?,
            sign_ups: registrar.register(Capped::new(sign_ups, tenants))?,
            orders: registrar.int_counter_vec(
                "orders_total",
                "Orders that entered a status, by status.",
                ["status"],
            )?,
            payments: registrar.int_counter_vec(
                "payments_total",
                "Payments that reached an outcome, by outcome.",
                ["outcome"],
            )?,
            logins: registrar.int_counter_vec(
                "login_attempts_total",
                "Login attempts, by result (success, failure, throttled).",
                ["result"],
            )?,
            active_users: registrar.int_gauge("active_users", "Distinct users of the last 15 minutes.")?,
            open_payments: registrar.int_gauge(
                "payments_open",
                "Payments of all tenants that are pending, or whose requested refund is not completed.",
            )?,
            oldest_open_payment_age: registrar.gauge(
                "payments_oldest_open_age_seconds",
                "Time since the oldest open payment was opened or its refund requested, in seconds; 0 if none is open.",
            )?,
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
        for result in ["success", "failure", "throttled"] {
            self.logins.with([result]);
        }
    }

    /// Counts a login that was throttled without a check of its password.
    pub fn login_throttled(&self) {
        self.logins.with(["throttled"]).inc();
    }

    /// Sets how many distinct users were seen lately.
    pub fn set_active_users(&self, count: u64) {
        self.active_users.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets the number of open payments, and the age of the oldest.
    pub fn set_open_payments(&self, open: i64, oldest_age: Duration) {
        self.open_payments.set(open);
        self.oldest_open_payment_age.set(oldest_age.as_secs_f64());
    }
}

/// What an order has of one product.
#[derive(Clone, Copy, Debug)]
pub struct Sale<'a> {
    /// The tenant that sells.
    pub tenant_id: &'a str,
    /// The product's name.
    pub product: &'a str,
    /// The price of all pieces, in US dollars.
    pub usd: f64,
}

/// Revenue by tenant and product.
#[derive(Clone, Debug)]
pub(crate) struct Revenue {
    family: CounterVec<2>,
    tenants: CappedLabel,
    products: CappedLabel,
}

impl Revenue {
    /// The sum of all series, in USD.
    fn total(&self) -> f64 {
        let families = self.collect();
        let series = families.iter().flat_map(MetricFamily::get_metric);
        // Not `sum`, which is -0.0 without any series.
        series.fold(0.0, |sum, series| sum + series.get_counter().get_value())
    }

    /// Counts the sales of a paid order.
    pub(crate) fn add(&self, sales: &[Sale<'_>]) {
        for Sale { tenant_id, product, usd } in sales {
            let product = safe(product);
            let labels = match self.tenants.of(tenant_id) {
                CappedLabel::OTHER => [CappedLabel::OTHER; 2],
                tenant_id => [tenant_id, self.product_of(tenant_id, &product)],
            };
            self.family.with(labels).inc_by(*usd);
        }
    }

    /// The product itself, or `other`.
    fn product_of<'a>(&self, tenant_id: &str, product: &'a str) -> &'a str {
        let pair = pair(tenant_id, product);
        if self.products.of(&pair) == CappedLabel::OTHER { CappedLabel::OTHER } else { product }
    }

    /// Whether a series is exported.
    fn exports(&self, labels: &[&str]) -> bool {
        let [tenant_id, product] = labels else { return true };
        self.tenants.exports(tenant_id)
            && (*product == CappedLabel::OTHER || self.products.exports(&pair(tenant_id, product)))
    }
}

/// A value of the label of products. The cap counts the products of each tenant: if it counted names alone, there could
/// be as many series as its square.
fn pair(tenant_id: &str, product: &str) -> String {
    format!("{tenant_id} {product}")
}

impl Collector for Revenue {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.family.collect_retained(|labels| self.exports(labels))
    }
}
