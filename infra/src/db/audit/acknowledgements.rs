//! Acknowledgements are true: every acknowledged order, payment and stock movement exists as it was acknowledged.
//!
//! docs/reliability.md defines the format: JSON lines, each the slug of a tenant and the body of a response.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;
use glasshouse_domain::values::Slug;
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use uuid::Uuid;

use super::AuditError;
use super::check::Check;
use super::report::{Finding, Outcomes};
use super::snapshot::Snapshot;
use crate::db::Pool;
use crate::db::entity::{TenantQueries, order, order_item, payment};
use crate::db::idempotency;
use crate::db::scope::Scope;
use crate::db::transaction::{Access, TenantKey};

pub(super) const CHECKS: [Check; 3] = [ORDERS, PAYMENTS, MOVEMENTS];

const ORDERS: Check = Check {
    name: "acknowledged_orders_exist",
    proves: "Every acknowledged order exists with its items, total and currency, in the acknowledged state or a later one.",
};
const PAYMENTS: Check = Check {
    name: "acknowledged_payments_exist",
    proves: "Every acknowledged payment exists with its amount and currency, in the acknowledged state or a later one, and \
             an acknowledged request for a refund is not lost.",
};

const MOVEMENTS: Check = Check {
    name: "acknowledged_movements_exist",
    proves: "Every acknowledged stock movement has its idempotency key, which is written in the transaction of the movement.",
};

/// A file of acknowledgements.
#[derive(Debug)]
pub struct Acknowledgements {
    lines: io::Lines<BufReader<File>>,
    /// The number of lines that were read.
    number: u64,
}

/// A line of the file is not an acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgementsError {
    /// The file cannot be read.
    #[error("cannot read the file of acknowledgements: {0}")]
    File(#[from] io::Error),
    /// A line has another format.
    #[error("line {number} of the acknowledgements is not one: {cause}")]
    Line {
        /// The number of the line, from 1.
        number: u64,
        /// What is wrong.
        cause: serde_json::Error,
    },
}

/// What was acknowledged to a client: one line of the file. Other fields are ignored, so that a client can write the bodies of responses
/// as they are.
#[derive(Debug, Deserialize)]
pub struct Acknowledgement {
    /// The slug.
    tenant: String,
    #[serde(flatten)]
    acknowledged: Acknowledged,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Acknowledged {
    Order(AcknowledgedOrder),
    Payment(AcknowledgedPayment),
    StockMovement(AcknowledgedMovement),
}

#[derive(Debug, Deserialize)]
struct AcknowledgedOrder {
    id: Uuid,
    status: OrderState,
    total_minor: i64,
    currency: String,
    items: Vec<AcknowledgedItem>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct AcknowledgedItem {
    product_id: Uuid,
    quantity: i32,
    unit_price_minor: i64,
}

#[derive(Debug, Deserialize)]
struct AcknowledgedPayment {
    id: Uuid,
    status: PaymentState,
    amount_minor: i64,
    currency: String,
    refund_requested_at: Option<String>,
}

/// A stock movement has no id. Its idempotency key stands for it until the key expires.
#[derive(Debug, Deserialize)]
struct AcknowledgedMovement {
    idempotency_key: String,
    product_id: Uuid,
}

/// The number of lines that are read at once.
const BATCH: usize = 500;

impl Acknowledgements {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, AcknowledgementsError> {
        Ok(Self { lines: BufReader::new(File::open(path)?).lines(), number: 0 })
    }

    /// The next lines, by tenant. Empty at the end.
    fn batch(&mut self) -> Result<BTreeMap<String, Vec<Acknowledged>>, AcknowledgementsError> {
        let mut batch: BTreeMap<String, Vec<Acknowledged>> = BTreeMap::new();
        for line in self.lines.by_ref().take(BATCH) {
            self.number += 1;
            let line = Acknowledgement::parse(&line?)
                .map_err(|cause| AcknowledgementsError::Line { number: self.number, cause })?;
            batch.entry(line.tenant).or_default().push(line.acknowledged);
        }
        Ok(batch)
    }
}

impl Acknowledgement {
    /// Parses a line.
    ///
    /// # Errors
    /// When it is not JSON, or lacks a field.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// The slug of the tenant.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What a finding would be about: the id of the order or payment, or the idempotency key of the stock movement.
    #[must_use]
    pub fn subject(&self) -> String {
        self.acknowledged.subject()
    }
}

impl Acknowledged {
    /// What a finding is about.
    fn subject(&self) -> String {
        match self {
            Self::Order(order) => order.id.to_string(),
            Self::Payment(payment) => payment.id.to_string(),
            Self::StockMovement(movement) => movement.idempotency_key.clone(),
        }
    }

    const fn check(&self) -> Check {
        match self {
            Self::Order(_) => ORDERS,
            Self::Payment(_) => PAYMENTS,
            Self::StockMovement(_) => MOVEMENTS,
        }
    }

    /// How the stored rows contradict what was acknowledged.
    fn contradiction(&self, stored: &Stored) -> Option<String> {
        match self {
            Self::Order(order) => order.contradiction(stored),
            Self::Payment(payment) => payment.contradiction(stored.payments.get(&payment.id)),
            Self::StockMovement(movement) => movement.contradiction(stored),
        }
    }
}

impl AcknowledgedOrder {
    fn contradiction(&self, stored: &Stored) -> Option<String> {
        let Some(row) = stored.orders.get(&self.id) else {
            return Some(format!("the order was acknowledged as {}, and does not exist", self.status));
        };
        if (self.total_minor, &self.currency) != (row.total_minor, &row.currency) {
            let (acknowledged, stored) = (self.total_minor, row.total_minor);
            let (currency, stored_currency) = (&self.currency, &row.currency);
            return Some(format!(
                "the acknowledged total is {acknowledged} {currency}, the stored one {stored} {stored_currency}"
            ));
        }
        if self.items.iter().collect::<BTreeSet<_>>() != stored.items_of(self.id).iter().collect() {
            return Some("the stored items are not those that were acknowledged".to_owned());
        }
        let is_later = row
            .state
            .parse()
            .is_ok_and(|now| is_reachable(self.status, now, OrderState::ALL, OrderState::can_become));
        (!is_later).then(|| format!("the order was acknowledged as {}, and is {}", self.status, row.state))
    }
}

impl AcknowledgedPayment {
    fn contradiction(&self, row: Option<&payment::Model>) -> Option<String> {
        let Some(row) = row else {
            return Some(format!("the payment was acknowledged as {}, and does not exist", self.status));
        };
        if (self.amount_minor, &self.currency) != (row.amount_minor, &row.currency) {
            let (acknowledged, stored) = (self.amount_minor, row.amount_minor);
            let (currency, stored_currency) = (&self.currency, &row.currency);
            return Some(format!(
                "the acknowledged amount is {acknowledged} {currency}, the stored one {stored} {stored_currency}"
            ));
        }
        if self.refund_requested_at.is_some() && row.refund_requested_at.is_none() {
            return Some("a refund was acknowledged, and is not requested".to_owned());
        }
        let is_later = row
            .state
            .parse()
            .is_ok_and(|now| is_reachable(self.status, now, PaymentState::ALL, PaymentState::can_become));
        (!is_later).then(|| format!("the payment was acknowledged as {}, and is {}", self.status, row.state))
    }
}

impl AcknowledgedMovement {
    fn contradiction(&self, stored: &Stored) -> Option<String> {
        let is_stored = stored.keys.iter().any(|row| {
            row.key == self.idempotency_key && row.subject_id == self.product_id && row.body.is_some()
        });
        (!is_stored).then(|| format!("a stock movement of the product {} was lost", self.product_id))
    }
}

/// Whether a state is another one or can become it, over at most one state in between.
fn is_reachable<S: Copy + PartialEq>(then: S, now: S, all: &[S], can_become: fn(S, S) -> bool) -> bool {
    let over = |between: &S| can_become(then, *between) && can_become(*between, now);
    then == now || can_become(then, now) || all.iter().any(over)
}

/// The stored rows of a batch.
#[derive(Default)]
struct Stored {
    orders: BTreeMap<Uuid, order::Model>,
    items: BTreeMap<Uuid, Vec<order_item::Model>>,
    payments: BTreeMap<Uuid, payment::Model>,
    keys: Vec<idempotency::Model>,
}

impl Stored {
    async fn read<'a>(
        scope: &Scope,
        acknowledged: impl IntoIterator<Item = &'a Acknowledged>,
    ) -> Result<Self, StoreFailure> {
        let (mut orders, mut payments, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for acknowledged in acknowledged {
            match acknowledged {
                Acknowledged::Order(order) => orders.push(order.id),
                Acknowledged::Payment(payment) => payments.push(payment.id),
                Acknowledged::StockMovement(movement) => keys.push(movement.idempotency_key.as_str()),
            }
        }
        let items =
            scope.find::<order_item::Entity>().filter(order_item::Column::OrderId.is_in(orders.clone()));
        let orders = scope.find::<order::Entity>().filter(order::Column::Id.is_in(orders));
        let payments = scope.find::<payment::Entity>().filter(payment::Column::Id.is_in(payments));
        let keys = scope.find::<idempotency::Entity>().filter(idempotency::Column::Key.is_in(keys));
        Ok(Self {
            orders: scope.all_rows(orders).await?.into_iter().map(|row| (row.id, row)).collect(),
            items: by_order(scope.all_rows(items).await?),
            payments: scope.all_rows(payments).await?.into_iter().map(|row| (row.id, row)).collect(),
            keys: scope.all_rows(keys).await?,
        })
    }

    fn items_of(&self, order: Uuid) -> Vec<AcknowledgedItem> {
        let items = self.items.get(&order).into_iter().flatten().map(|item| AcknowledgedItem {
            product_id: item.product_id,
            quantity: item.quantity,
            unit_price_minor: item.unit_price_minor,
        });
        items.collect()
    }
}

fn by_order(items: Vec<order_item::Model>) -> BTreeMap<Uuid, Vec<order_item::Model>> {
    let mut orders: BTreeMap<Uuid, Vec<order_item::Model>> = BTreeMap::new();
    for item in items {
        orders.entry(item.order_id).or_default().push(item);
    }
    orders
}

/// Compares all acknowledgements with a snapshot.
pub(super) async fn compare(
    snapshot: &Snapshot<'_>,
    pool: &Pool,
    file: &mut Acknowledgements,
    outcomes: &mut Outcomes,
) -> Result<(), AuditError> {
    loop {
        let batch = file.batch()?;
        if batch.is_empty() {
            return Ok(());
        }
        for (slug, acknowledged) in batch {
            let stored = match snapshot.tenant_id(&slug).await? {
                None => Stored::default(),
                Some(tenant) => {
                    let scope = snapshot.scope(tenant).await?;
                    Stored::read(&scope, &acknowledged).await?
                }
            };
            for acknowledged in acknowledged {
                outcomes.of(acknowledged.check()).examined += 1;
                if acknowledged.contradiction(&stored).is_none() {
                    continue;
                }
                // It may have been acknowledged after the snapshot.
                let present = present(pool, &slug, &acknowledged).await?;
                if let Some(detail) = acknowledged.contradiction(&present) {
                    let subject = acknowledged.subject();
                    let finding = Finding { tenant: Some(slug.clone()), subject, detail };
                    outcomes.of(acknowledged.check()).find(finding);
                }
            }
        }
    }
}

/// The present rows of what was acknowledged.
async fn present(pool: &Pool, slug: &str, acknowledged: &Acknowledged) -> Result<Stored, StoreFailure> {
    let slug = Slug::stored(slug.to_owned());
    let scope = pool.begin("audit", Access::Read, TenantKey::Slug(&slug)).await?;
    let stored = Stored::read(&scope, [acknowledged]).await?;
    scope.commit().await?;
    Ok(stored)
}
