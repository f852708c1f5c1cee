//! The payments and the ledger of the gateway agree.
//!
//! Both are read in the order of the payments' ids and merged, so neither has to fit into memory. The ledger is read after
//! the snapshot was taken: what has changed at the gateway since then is compared with the present state of the payment.

use std::collections::VecDeque;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::payment::PaymentState;
use sea_orm::QueryResult;
use uuid::Uuid;

use super::AuditError;
use super::check::Check;
use super::report::{Finding, Outcomes};
use super::snapshot::Snapshot;
use crate::db::Pool;
use crate::db::pool::{DialectSql, get};
use crate::payment_gateway::ledger::Ledger;
use crate::payment_gateway::wire::{Charge, ChargeStatus};

pub(super) const CHECKS: [Check; 5] = [PAYMENTS_EXIST, CHARGED_ONCE, CHARGED_AMOUNTS, SUCCEEDED, REFUNDED];

const PAYMENTS_EXIST: Check =
    Check { name: "charges_have_payments", proves: "There is no charge at the gateway without a payment." };
const CHARGED_ONCE: Check =
    Check { name: "charged_once", proves: "There is no second charge for a payment at the gateway." };
const CHARGED_AMOUNTS: Check = Check {
    name: "charged_amounts",
    proves: "The amount and the currency of every charge are those of its payment.",
};
const SUCCEEDED: Check = Check {
    name: "succeeded_is_charged",
    proves: "Every payment that succeeded is charged at the gateway, and none that was declined.",
};
const REFUNDED: Check = Check {
    name: "refunded_is_refunded",
    proves: "Every refunded payment is refunded at the gateway, and no other, except for those whose refund is requested.",
};

/// What the comparison needs of a payment.
#[derive(Clone, Debug)]
struct Payment {
    id: Uuid,
    tenant: Uuid,
    amount_minor: i64,
    currency: String,
    state: PaymentState,
    is_refund_requested: bool,
}

/// The columns of [`Payment`].
macro_rules! payments {
    ($condition:literal) => {
        concat!(
            "SELECT id, tenant_id, amount_minor, currency, state, refund_requested_at IS NOT NULL AS is_refund_requested \
             FROM payments WHERE ",
            $condition
        )
    };
}

/// The owner sees the payments of all tenants: see `m0002_tenant_isolation`.
const PAYMENTS: &str = payments!("id > $1 ORDER BY id LIMIT $2");
const PAYMENT: DialectSql = DialectSql { sqlite: payments!("id = $1"), postgres: payments!("id = $1") };

/// The number of payments that are read at once.
const PAGE: i64 = 1000;

impl Payment {
    fn read(row: &QueryResult) -> Result<Self, StoreFailure> {
        Ok(Self {
            id: get(row, "id")?,
            tenant: get(row, "tenant_id")?,
            amount_minor: get(row, "amount_minor")?,
            currency: get(row, "currency")?,
            state: get::<String>(row, "state")?.parse()?,
            is_refund_requested: get(row, "is_refund_requested")?,
        })
    }

    /// The present state of a payment; `None` if there is none with this key.
    async fn present(pool: &Pool, key: &str) -> Result<Option<Self>, StoreFailure> {
        let Ok(id) = key.parse::<Uuid>() else { return Ok(None) };
        pool.query(PAYMENT, |_| [id.into()]).await?.first().map(Self::read).transpose()
    }

    /// How the payment and its charge contradict each other. A pending payment may or may not be charged.
    fn contradictions(&self, charge: Option<&Charge>) -> Vec<(Check, String)> {
        let mut found = Vec::new();
        let status = charge.map(|charge| charge.status);
        let at_gateway = match status {
            None => "missing",
            Some(ChargeStatus::Succeeded) => "succeeded",
            Some(ChargeStatus::Declined) => "declined",
            Some(ChargeStatus::Refunded) => "refunded",
        };
        let check = match (self.state, status) {
            (PaymentState::Pending, None | Some(ChargeStatus::Succeeded | ChargeStatus::Declined))
            | (PaymentState::Succeeded, Some(ChargeStatus::Succeeded))
            | (PaymentState::Declined, None | Some(ChargeStatus::Declined))
            | (PaymentState::Refunded, Some(ChargeStatus::Refunded)) => None,
            (PaymentState::Succeeded, Some(ChargeStatus::Refunded)) if self.is_refund_requested => None,
            (PaymentState::Succeeded, None | Some(ChargeStatus::Declined))
            | (PaymentState::Declined, Some(ChargeStatus::Succeeded)) => Some(SUCCEEDED),
            (_, Some(ChargeStatus::Refunded)) | (PaymentState::Refunded, _) => Some(REFUNDED),
        };
        if let Some(check) = check {
            let detail = format!("the payment is {}, the charge {at_gateway}", self.state.as_str());
            found.push((check, detail));
        }
        if let Some(charge) = charge.filter(|charge| charge.status != ChargeStatus::Declined)
            && (charge.amount_minor != self.amount_minor || charge.currency != self.currency)
        {
            let (here, there) = (self.amount_minor, charge.amount_minor);
            let detail =
                format!("the payment has {here} {}, the charge {there} {}", self.currency, charge.currency);
            found.push((CHARGED_AMOUNTS, detail));
        }
        found
    }
}

/// Compares all payments of a snapshot with the ledger.
pub(super) async fn compare(
    snapshot: &Snapshot<'_>,
    pool: &Pool,
    ledger: &mut Ledger,
    outcomes: &mut Outcomes,
) -> Result<(), AuditError> {
    let mut payments = Payments { snapshot, page: VecDeque::new(), after: Some(Uuid::nil()) };
    let mut payment = payments.next().await?;
    let mut charge = ledger.next().await?;
    loop {
        let order = match (&payment, &charge) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(payment), Some(charge)) => payment.id.to_string().cmp(&charge.key),
        };
        let comparison = Comparison { snapshot, pool };
        match order {
            std::cmp::Ordering::Less => {
                comparison.payment(payment.as_ref(), None, outcomes).await?;
                payment = payments.next().await?;
            }
            std::cmp::Ordering::Greater => {
                comparison.payment(None, charge.as_ref(), outcomes).await?;
                charge = ledger.next().await?;
            }
            std::cmp::Ordering::Equal => {
                comparison.payment(payment.as_ref(), charge.as_ref(), outcomes).await?;
                let key = charge.map(|charge| charge.key);
                charge = ledger.next().await?;
                while charge.as_ref().is_some_and(|next| Some(&next.key) == key.as_ref()) {
                    comparison.second_charge(payment.as_ref(), outcomes).await?;
                    charge = ledger.next().await?;
                }
                payment = payments.next().await?;
            }
        }
    }
}

/// The payments of a snapshot, in the order of their ids.
struct Payments<'a> {
    snapshot: &'a Snapshot<'a>,
    page: VecDeque<Payment>,
    /// The last id of the page; `None` after the last page.
    after: Option<Uuid>,
}

impl Payments<'_> {
    async fn next(&mut self) -> Result<Option<Payment>, StoreFailure> {
        if self.page.is_empty()
            && let Some(after) = self.after
        {
            let rows = self.snapshot.query(PAYMENTS, [after.into(), PAGE.into()]).await?;
            self.page = rows.iter().map(Payment::read).collect::<Result<_, _>>()?;
            self.after = self.page.back().map(|payment| payment.id);
        }
        Ok(self.page.pop_front())
    }
}

struct Comparison<'a> {
    snapshot: &'a Snapshot<'a>,
    pool: &'a Pool,
}

impl Comparison<'_> {
    /// Compares a payment with its charge; one of them may be missing.
    async fn payment(
        &self,
        payment: Option<&Payment>,
        charge: Option<&Charge>,
        outcomes: &mut Outcomes,
    ) -> Result<(), StoreFailure> {
        if payment.is_some() {
            for check in [SUCCEEDED, REFUNDED] {
                outcomes.of(check).examined += 1;
            }
        }
        if charge.is_some() {
            for check in [PAYMENTS_EXIST, CHARGED_ONCE, CHARGED_AMOUNTS] {
                outcomes.of(check).examined += 1;
            }
        }
        let agrees = payment.is_some_and(|payment| payment.contradictions(charge).is_empty());
        if agrees {
            return Ok(());
        }
        // The ledger is newer than the snapshot, and the present state of the payment newer than both.
        let key = charge.map(|charge| charge.key.clone());
        let key = key.or_else(|| payment.map(|payment| payment.id.to_string())).unwrap_or_default();
        let Some(present) = Payment::present(self.pool, &key).await?.or_else(|| payment.cloned()) else {
            let charged = charge.map(|charge| format!("{} {}", charge.amount_minor, charge.currency));
            let detail = format!("{} is charged without a payment", charged.unwrap_or_default());
            outcomes.of(PAYMENTS_EXIST).find(Finding { tenant: None, subject: key, detail });
            return Ok(());
        };
        let mut contradictions = present.contradictions(charge);
        if payment.is_none() {
            // It is newer than the snapshot, and may have changed since the ledger was read. Its amount never changes.
            contradictions.retain(|(check, _)| *check == CHARGED_AMOUNTS);
        }
        for (check, detail) in contradictions {
            let finding = self.finding(&present, detail).await?;
            outcomes.of(check).find(finding);
        }
        Ok(())
    }

    async fn second_charge(
        &self,
        payment: Option<&Payment>,
        outcomes: &mut Outcomes,
    ) -> Result<(), StoreFailure> {
        for check in [PAYMENTS_EXIST, CHARGED_ONCE] {
            outcomes.of(check).examined += 1;
        }
        let Some(payment) = payment else { return Ok(()) };
        let finding =
            self.finding(payment, "the ledger has another charge for this payment".to_owned()).await?;
        outcomes.of(CHARGED_ONCE).find(finding);
        Ok(())
    }

    async fn finding(&self, payment: &Payment, detail: String) -> Result<Finding, StoreFailure> {
        let tenant = self.snapshot.slug(payment.tenant).await?;
        Ok(Finding { tenant, subject: payment.id.to_string(), detail })
    }
}
