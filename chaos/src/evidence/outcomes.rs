//! What the metrics counted, against the rows of the database: nothing may be counted that did not happen.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::query::number;
use crate::system::{Scrape, System};

/// A counter, and the number of rows that it counts.
struct Counter {
    name: &'static str,
    label: (&'static str, &'static str),
    rows: &'static str,
}

const COUNTERS: [Counter; 5] = [
    Counter { name: "orders_total", label: ("status", "pending"), rows: "SELECT count(*) AS n FROM orders" },
    Counter {
        name: "orders_total",
        label: ("status", "cancelled"),
        rows: "SELECT count(*) AS n FROM orders WHERE state = 'cancelled'",
    },
    Counter {
        name: "payments_total",
        label: ("outcome", "succeeded"),
        rows: "SELECT count(*) AS n FROM payments WHERE state IN ('succeeded', 'refunded')",
    },
    Counter {
        name: "payments_total",
        label: ("outcome", "refunded"),
        rows: "SELECT count(*) AS n FROM payments WHERE state = 'refunded'",
    },
    Counter {
        name: "outbox_deliveries_total",
        label: ("result", "delivered"),
        rows: "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL",
    },
];

/// The value of each counter in each process, and the number of its rows.
#[derive(Clone, Debug)]
pub(super) struct Outcomes(Vec<(BTreeMap<String, f64>, i64)>);

impl Outcomes {
    /// Reads both while the system is at rest.
    ///
    /// # Errors
    /// A process does not respond, or Postgres fails.
    pub(super) async fn read(system: &System) -> Result<Self> {
        let (scrapes, superuser) = (Scrape::all(system).await?, system.postgres.superuser().await?);
        let mut outcomes = Vec::new();
        for Counter { name, label, rows } in COUNTERS {
            let counted =
                scrapes.iter().filter_map(|scrape| Some((scrape.of.clone(), scrape.sum(name, &[label])?)));
            outcomes.push((counted.collect(), number(&superuser, rows, []).await?));
        }
        superuser.close().await?;
        Ok(Self(outcomes))
    }

    /// The counters that did not grow as their rows did. If the fault may lose counts, because processes ended or did not
    /// learn that a commit took effect, a counter may grow less.
    pub(super) fn wrong(&self, before: &Self, may_lose: bool) -> Vec<String> {
        let pairs = COUNTERS.iter().zip(&self.0).zip(&before.0);
        let wrong = pairs.filter_map(|((counter, (counted, rows)), (counted_before, rows_before))| {
            let grown = |(process, value): (&String, &f64)| {
                let before = counted_before.get(process).copied().unwrap_or(0.0);
                // A process that was started again counts from zero.
                if *value < before { *value } else { value - before }
            };
            let counted = counted.iter().map(grown).sum::<f64>();
            let rows = rows - rows_before;
            #[allow(clippy::cast_precision_loss, reason = "a run has fewer rows than 2^52")]
            let difference = counted - rows as f64;
            let is_wrong = difference > 0.5 || (!may_lose && difference < -0.5);
            let Counter { name, label: (label, value), .. } = counter;
            is_wrong
                .then(|| format!("{name}{{{label}=\"{value}\"}} grew by {counted}, and its rows by {rows}"))
        });
        wrong.collect()
    }
}
