//! Processes the items of a lease, several at a time.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use glasshouse_domain::failure::StoreFailure;
use glasshouse_infra::db::Leased;
use glasshouse_telemetry::in_own_hub;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How the items of a lease are processed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The maximum number of items that are processed at the same time.
    pub(super) concurrency: usize,
    /// When the lease expires, by the monotonic clock: another worker may process the item from then on.
    pub(super) expiry: Instant,
}

/// Processes each item, with its own hub for error events. Begins no item after `stop`, after the expiry of the lease, or
/// after the failure of another one: the leases of the remaining items expire. Items that have begun are finished.
///
/// # Errors
/// The first failure.
pub(super) async fn process_each<T, F: Future<Output = Result<(), StoreFailure>>>(
    items: Vec<Leased<T>>,
    terms: Terms,
    stop: &CancellationToken,
    process: impl Fn(Leased<T>) -> F,
) -> Result<(), StoreFailure> {
    let (mut items, mut in_progress, mut result) = (items.into_iter(), FuturesUnordered::new(), Ok(()));
    loop {
        while in_progress.len() < terms.concurrency
            && result.is_ok()
            && !stop.is_cancelled()
            && Instant::now() < terms.expiry
        {
            let Some(item) = items.next() else { break };
            in_progress.push(in_own_hub(process(item)));
        }
        let Some(processed) = in_progress.next().await else { return result };
        result = result.and(processed);
    }
}
