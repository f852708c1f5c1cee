//! Customers who place, cancel and refund orders, and move stock. They retry with the same idempotency key until an
//! answer is final.

mod customer;
mod journal;

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use journal::Journal;

use crate::system::Api;
use customer::Customer;

/// The customers' part of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    slug: String,
    /// The owner as a client of each address that customers use.
    apis: Vec<Api>,
    products: Vec<String>,
}

/// The numbers of a load.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests that were sent, retries included.
    pub(crate) requests: AtomicU64,
    /// Requests without a response, or with 5xx.
    pub(crate) failed: AtomicU64,
    /// Actions whose final answer was a success.
    pub(crate) acknowledged: AtomicU64,
    /// What the last request got that failed.
    last_failure: Mutex<String>,
}

/// A snapshot of [`Counters`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) acknowledged: u64,
}

impl Counters {
    /// Counts a request without a response, or with 5xx.
    fn count_failure(&self, what: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What the last request got that failed.
    pub(crate) fn last_failure(&self) -> String {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            requests: read(&self.requests),
            failed: read(&self.failed),
            acknowledged: read(&self.acknowledged),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.acknowledged += other.acknowledged;
    }
}

impl Counts {
    /// What was counted since an earlier snapshot.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            failed: self.failed - earlier.failed,
            acknowledged: self.acknowledged - earlier.acknowledged,
        }
    }
}

/// Few products, so that customers compete for their rows.
const PRODUCTS: u32 = 3;
/// The stock of each product when its shop opens.
const STOCK: u32 = 500_000;
const CUSTOMERS_PER_SHOP: u64 = 4;

impl Shop {
    /// Signs a tenant up, with products.
    pub(crate) async fn open(addresses: &[SocketAddr], slug: &str) -> Result<Self> {
        let owner = Api::sign_up(addresses[0], slug).await?;
        let mut products = Vec::new();
        for number in 1..=PRODUCTS {
            products.push(owner.add_product(&format!("P-{number}"), STOCK).await?);
        }
        Ok(Self {
            slug: slug.to_owned(),
            apis: addresses.iter().map(|address| owner.at(*address)).collect(),
            products,
        })
    }

    /// The same shop at another address alone.
    #[must_use]
    pub(crate) fn only_at(&self, address: SocketAddr) -> Self {
        let apis = self.apis.iter().take(1).map(|api| api.at(address)).collect();
        Self { apis, ..self.clone() }
    }

    /// The owner as a client of each API.
    pub(crate) fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// The slug of the tenant.
    pub(crate) fn slug(&self) -> &str {
        &self.slug
    }

    /// The stock of all its products when it opened.
    pub(crate) fn initial_stock(&self) -> i64 {
        self.products.iter().map(|_| i64::from(STOCK)).sum()
    }

    /// A product.
    pub(crate) fn product(&self) -> &str {
        &self.products[0]
    }
}

/// The customers of all shops, until they are asked to stop.
#[derive(Debug)]
pub(crate) struct Load {
    stop: CancellationToken,
    customers: JoinSet<()>,
}

impl Load {
    /// Starts the customers, whose actions follow from `seed`.
    pub(crate) fn start(shops: &[Shop], journal: &Arc<Journal>, counters: &Arc<Counters>, seed: u64) -> Self {
        let (stop, mut customers) = (CancellationToken::new(), JoinSet::new());
        let numbered = shops.iter().flat_map(|shop| (0..CUSTOMERS_PER_SHOP).map(move |_| shop));
        for (number, shop) in (0_u64..).zip(numbered) {
            let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
            let customer = Customer::new(shop.clone(), journal.clone(), counters.clone(), random);
            customers.spawn(customer.live(stop.clone()));
        }
        Self { stop, customers }
    }

    /// Asks all customers to stop, and waits until each has the final answer of its last action.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.customers.join_all().await;
    }
}
