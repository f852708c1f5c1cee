//! The acknowledged actions, in the format of `glasshouse audit`
//! (docs/reliability.md).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::books::{Finding, Kind};

/// The journal of a run.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
struct Entries {
    file: BufWriter<File>,
    acknowledged: Acknowledged,
    complaints: Vec<Finding>,
}

/// Sums over the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The number of orders.
    pub(crate) orders: i64,
    /// The units that were added to the stock of all products, less those that were removed.
    pub(crate) moved: i64,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let entries = Entries {
            file: BufWriter::new(file),
            acknowledged: Acknowledged::default(),
            complaints: Vec::new(),
        };
        Ok(Self { path: path.to_owned(), entries: Mutex::new(entries) })
    }

    /// Where the journal is, complete up to now.
    pub(crate) fn flush(&self) -> Result<&Path> {
        self.lock().file.flush()?;
        Ok(&self.path)
    }

    /// What was acknowledged up to now.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        self.lock().acknowledged
    }

    /// What customers observed that must not happen.
    pub(crate) fn take_complaints(&self) -> Vec<Finding> {
        std::mem::take(&mut self.lock().complaints)
    }

    /// A new order, as it was answered.
    pub(crate) fn new_order(&self, tenant: &str, order: &Value) {
        self.lock().acknowledged.orders += 1;
        self.changed_order(tenant, order);
    }

    /// A known order, as it was answered.
    pub(super) fn changed_order(&self, tenant: &str, order: &Value) {
        self.write(&json!({ "tenant": tenant, "order": order }));
    }

    /// An acknowledged refund, as it was answered.
    pub(super) fn payment(&self, tenant: &str, payment: &Value) {
        self.write(&json!({ "tenant": tenant, "payment": payment }));
    }

    /// An acknowledged movement of stock.
    pub(super) fn stock_movement(&self, tenant: &str, key: &str, product: &str, delta: i64) {
        self.lock().acknowledged.moved += delta;
        let movement = json!({ "idempotency_key": key, "product_id": product });
        self.write(&json!({ "tenant": tenant, "stock_movement": movement }));
    }

    /// Notes an action that never got a final answer.
    pub(super) fn stuck(&self, key: &str, path: &str) {
        self.complain(
            Kind::Stuck,
            "answers_are_final",
            format!("no final answer to POST {path} with the key {key}"),
        );
    }

    /// Records a response that reports a defect to customers, where a fault is only temporary.
    pub(super) fn internal_error(&self, path: &str, body: &Value) {
        let text = format!("POST {path} got 500: {body}");
        self.complain(Kind::Other, "faults_are_temporary", text);
    }

    /// Compares two answers to the same request.
    pub(super) fn compare(&self, key: &str, first: &Value, again: &Value) {
        for field in ["id", "total_minor", "amount_minor", "product_id"] {
            if first[field] != again[field] {
                return self.complain(
                    Kind::Other,
                    "answers_are_repeated",
                    format!("the key {key} got two answers: {first} and {again}"),
                );
            }
        }
    }

    fn write(&self, entry: &Value) {
        let mut entries = self.lock();
        if let Err(error) = writeln!(entries.file, "{entry}") {
            drop(entries);
            self.complain(Kind::Other, "journal", format!("the journal cannot be written: {error}"));
        }
    }

    fn complain(&self, kind: Kind, check: &str, text: String) {
        self.lock().complaints.push(Finding::new(kind, check, 1, text));
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
