//! Repeats transactions that the database rolled back.

use std::error::Error;
use std::iter;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use glasshouse_telemetry::service::events::database::TransactionRepeated;
use sea_orm::DbErr;

use super::Pool;
use super::meaning::Meaning;

/// How often a transaction is repeated at most.
const REPETITIONS: usize = 2;

/// The pause before the first repetition; the second one is twice as long, and a random part is added. It lets the
/// transaction finish in favor of which this one was rolled back.
const PAUSE: Duration = Duration::from_millis(10);

impl Pool {
    /// Runs a whole transaction, from its beginning to its commit. Repeats it if it certainly has no effect and may
    /// succeed at once. A transaction that ended otherwise is left to the client, whose idempotency key makes that
    /// safe, or to the next attempt of the worker.
    pub(super) async fn repeated<T, E, F>(&self, transaction: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        let pauses =
            ExponentialBuilder::new().with_min_delay(PAUSE).with_max_times(REPETITIONS).with_jitter();
        transaction
            .retry(pauses)
            .when(|error| cause_of(error).is_some_and(|cause| Meaning::of(cause).is_repeatable()))
            .notify(|error, _pause| {
                if let Some(error) = cause_of(error) {
                    TransactionRepeated { error }.emit(&self.metrics);
                }
            })
            .await
    }
}

/// The error of the database that caused an error of a use case; `None` if it had another cause.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    iter::successors(Some(error), |&error| error.source()).find_map(|cause| cause.downcast_ref())
}
