//! Rate limits of many keys in the memory of this process, by the generic cell rate algorithm (GCRA): a bucket is one
//! instant, the time at which it will be full again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A limit of attempts: `attempts` at once, and after that as many in each `per`, evenly spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptQuota {
    /// The size of the largest burst; at least 1.
    pub attempts: u32,
    /// The time in which an empty bucket becomes full.
    pub per: Duration,
}

impl AttemptQuota {
    /// The time in which one attempt becomes available; at least a millisecond.
    pub(super) fn interval(&self) -> Duration {
        (self.per / self.attempts.max(1)).max(Duration::from_millis(1))
    }
}

/// The maximum number of buckets. One has fewer than 100 bytes.
const CAPACITY: usize = 100_000;

/// The buckets of one limit. A key without a bucket has a full one.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    /// When each bucket will be full.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { full_at: Mutex::default() }
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes an attempt from a bucket, or returns the time until it has one.
    pub(super) fn take(&self, key: K, quota: AttemptQuota, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(&key).map_or(now, |full_at| now.max(*full_at)) + quota.interval();
        let wait = full_at.saturating_duration_since(now).saturating_sub(quota.per);
        if !wait.is_zero() {
            return Err(wait);
        }
        if buckets.len() >= CAPACITY && !buckets.contains_key(&key) {
            make_room(&mut buckets, now);
        }
        buckets.insert(key, full_at);
        Ok(())
    }

    /// The time until an empty bucket has an attempt; `None` if it has one.
    pub(super) fn wait(&self, key: &K, quota: AttemptQuota, now: Instant) -> Option<Duration> {
        let buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = buckets.get(key)?.saturating_duration_since(now) + quota.interval();
        Some(missing.saturating_sub(quota.per)).filter(|wait| !wait.is_zero())
    }
}

/// Removes the full buckets. If that is not enough, removes all: a bounded memory is worth more than the limits of that
/// many keys.
fn make_room<K: Eq + Hash>(buckets: &mut HashMap<K, Instant>, now: Instant) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() >= CAPACITY {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: AttemptQuota = AttemptQuota { attempts: 3, per: Duration::from_secs(30) };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_passes_and_then_one_attempt_per_interval() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.wait(&"a", QUOTA, start), None);
            assert_eq!(buckets.take("a", QUOTA, start), Ok(()));
        }
        assert_eq!(buckets.wait(&"a", QUOTA, start), Some(Duration::from_secs(10)));
        assert_eq!(buckets.take("a", QUOTA, after(start, 4)), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take("b", QUOTA, start), Ok(()), "another key");
        assert_eq!(buckets.take("a", QUOTA, after(start, 10)), Ok(()));
        assert_eq!(buckets.take("a", QUOTA, after(start, 10)), Err(Duration::from_secs(10)));
        for _ in 0..3 {
            assert_eq!(buckets.take("a", QUOTA, after(start, 90)), Ok(()), "full again");
        }
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let len = || buckets.full_at.lock().unwrap().len();
        (0..CAPACITY).for_each(|key| buckets.take(key, QUOTA, start).unwrap());
        assert_eq!(len(), CAPACITY);
        buckets.take(CAPACITY, QUOTA, start).unwrap();
        assert_eq!(len(), 1, "all were in use");
        buckets.take(CAPACITY + 1, QUOTA, after(start, 5)).unwrap();
        (2..CAPACITY).for_each(|key| buckets.take(CAPACITY + key, QUOTA, start).unwrap());
        buckets.take(0, QUOTA, after(start, 12)).unwrap();
        assert_eq!(len(), 2, "the one that is not full, and the new one");
    }
}
