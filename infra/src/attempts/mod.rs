//! Limits of attempts that need no tenant's quota: logins, sign-ups, password resets, and the tokens of inactive users.
//!
//! # Logins
//!
//! Failed logins take from three buckets, and a login is rejected while one of them is empty:
//!
//! | bucket | bounds |
//! | --- | --- |
//! | one account from one address | guesses of a password |
//! | one address | guesses of a popular password in many accounts |
//! | one account | guesses from many addresses |
//!
//! A bucket refills at a constant rate and is never emptier than empty, so that a limit delays a login and never locks an
//! account for good. An address from which a user has logged in during the last 30 days is limited by the first bucket
//! alone: an attacker elsewhere, or on another account at the same address, cannot keep this user out. Unknown accounts
//! have the same limits, so that they do not show which accounts exist. Successful logins take nothing; the queue of
//! password hashes bounds how many guesses run concurrently before the first one has failed. A wrong token of a password
//! reset is a failed login of no account.
//!
//! # Password resets
//!
//! A request to reset a password takes from a bucket of the client's address and from one of the account, whether or not
//! there is such an account. Whoever empties the bucket of an account keeps no user out: each of these requests has sent the
//! user a token, and by default the bucket has another attempt before the last of these tokens expires.

mod buckets;
mod inactive_users;
mod key;
mod reports;
mod store;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glasshouse_domain::id::UserId;
use glasshouse_domain::values::{Email, Slug};

pub use self::buckets::AttemptQuota;
pub use self::inactive_users::InactiveUsers;
use self::key::Key;
use self::reports::Reports;
use self::store::{Bucket, Store};
use crate::redis::Redis;

/// The quota of each limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptQuotas {
    /// Failed logins of one account from one address.
    pub login_account_and_address: AttemptQuota,
    /// Failed logins of one account.
    pub login_account: AttemptQuota,
    /// Failed logins from one address.
    pub login_address: AttemptQuota,
    /// Sign-ups from one address.
    pub sign_up_address: AttemptQuota,
    /// Requests to reset the password of one account.
    pub password_reset_account: AttemptQuota,
    /// Requests to reset a password from one address.
    pub password_reset_address: AttemptQuota,
}

/// Limits logins, sign-ups and password resets. Clones share the buckets.
#[derive(Clone, Debug)]
pub struct AttemptLimiter {
    quotas: AttemptQuotas,
    store: Arc<Store>,
    reports: Arc<Reports>,
}

/// An attempt above a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// The limit, such as `login_address`.
    pub limit: &'static str,
    /// The time until the limit allows another attempt.
    pub retry_after: Duration,
    /// The number of attempts above this limit since they were last reported, if it is time to report them again: at most
    /// once a second, so that a flood of attempts is not a flood of log records.
    pub unreported: Option<u64>,
}

impl AttemptLimiter {
    /// A limiter with buckets in this process, for the demo.
    #[must_use]
    pub fn in_process(quotas: AttemptQuotas) -> Self {
        Self { quotas, store: Arc::new(Store::new(None)), reports: Arc::default() }
    }

    /// A limiter with buckets in Redis, shared by all processes. While Redis is unavailable, each process has its own.
    #[must_use]
    pub fn in_redis(redis: Redis, quotas: AttemptQuotas) -> Self {
        Self { quotas, store: Arc::new(Store::new(Some(redis))), reports: Arc::default() }
    }

    /// Begins a login of an account from a client's address. The account is `None` if its slug or its e-mail address is
    /// invalid.
    ///
    /// # Errors
    /// When too many logins have failed.
    pub async fn begin_login(
        &self,
        account: Option<&(Slug, Email)>,
        address: &(dyn Display + Sync),
    ) -> Result<LoginAttempt, Throttled> {
        let AttemptQuotas { login_account_and_address, login_account, login_address, .. } = self.quotas;
        let address = address.to_string();
        let bucket = |limit, parts: &[&str], quota| Bucket { limit, key: Key::of(limit, parts), quota };
        let of_address = bucket("login_address", &[&address], login_address);
        let (marker, mut buckets) = match account {
            None => (None, vec![of_address]),
            Some((slug, email)) => {
                let (slug, email) = (slug.as_str(), email.as_str());
                let pair = [slug, email, &address];
                let buckets = vec![
                    bucket("login_account_and_address", &pair, login_account_and_address),
                    bucket("login_account", &[slug, email], login_account),
                    of_address,
                ];
                (Some(Key::of("known_address", &pair)), buckets)
            }
        };
        let (is_known, waits) = self.store.inspect(marker, &buckets).await;
        if is_known {
            buckets.truncate(1);
        }
        let longest = buckets.iter().zip(waits).filter_map(|(bucket, wait)| Some((bucket.limit, wait?)));
        match longest.max_by_key(|(_, wait)| *wait) {
            Some((limit, retry_after)) => Err(self.throttled(limit, retry_after)),
            None => Ok(LoginAttempt { store: self.store.clone(), marker, buckets }),
        }
    }

    /// Begins a change of a password, for which the user must know the current one: whoever has a token of theirs must not
    /// guess it.
    ///
    /// # Errors
    /// When too many changes of this user have failed.
    pub async fn begin_password_change(&self, user: UserId) -> Result<LoginAttempt, Throttled> {
        const LIMIT: &str = "password_change";
        let (key, quota) = (Key::of(LIMIT, &[&user.to_string()]), self.quotas.login_account_and_address);
        let buckets = vec![Bucket { limit: LIMIT, key, quota }];
        let (_, waits) = self.store.inspect(None, &buckets).await;
        match waits.into_iter().flatten().next() {
            Some(retry_after) => Err(self.throttled(LIMIT, retry_after)),
            None => Ok(LoginAttempt { store: self.store.clone(), marker: None, buckets }),
        }
    }

    /// Counts a sign-up from a client's address.
    ///
    /// # Errors
    /// When there were too many.
    pub async fn count_sign_up(&self, address: &(dyn Display + Sync)) -> Result<(), Throttled> {
        self.count("sign_up_address", &[&address.to_string()], self.quotas.sign_up_address).await
    }

    /// Counts a request to reset the password of an account from a client's address. The account is `None` if its slug or its
    /// e-mail address is invalid.
    ///
    /// # Errors
    /// When there were too many.
    pub async fn count_password_reset(
        &self,
        account: Option<&(Slug, Email)>,
        address: &(dyn Display + Sync),
    ) -> Result<(), Throttled> {
        let AttemptQuotas { password_reset_account, password_reset_address, .. } = self.quotas;
        self.count("password_reset_address", &[&address.to_string()], password_reset_address).await?;
        let Some((slug, email)) = account else { return Ok(()) };
        self.count("password_reset_account", &[slug.as_str(), email.as_str()], password_reset_account).await
    }

    async fn count(&self, limit: &'static str, parts: &[&str], quota: AttemptQuota) -> Result<(), Throttled> {
        let bucket = Bucket { limit, key: Key::of(limit, parts), quota };
        self.store.take(&bucket).await.map_err(|retry_after| self.throttled(limit, retry_after))
    }

    fn throttled(&self, limit: &'static str, retry_after: Duration) -> Throttled {
        Throttled { limit, retry_after, unreported: self.reports.count(limit, Instant::now()) }
    }
}

/// A login whose result is not known yet. It takes nothing from the limits if its result is never reported: if the
/// password could not be checked, say.
#[derive(Debug)]
#[must_use]
pub struct LoginAttempt {
    store: Arc<Store>,
    marker: Option<Key>,
    buckets: Vec<Bucket>,
}

impl LoginAttempt {
    /// Reports that the credentials were wrong.
    pub async fn failed(self) {
        for bucket in &self.buckets {
            // Concurrent failures may have emptied the bucket. It does not become emptier.
            let _ = self.store.take(bucket).await;
        }
    }

    /// Reports that the user has logged in.
    pub async fn succeeded(self) {
        if let Some(marker) = self.marker {
            self.store.remember(marker).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(attempts: u32) -> AttemptQuota {
        AttemptQuota { attempts, per: Duration::from_secs(3600) }
    }

    fn limiter() -> AttemptLimiter {
        AttemptLimiter::in_process(AttemptQuotas {
            login_account_and_address: quota(3),
            login_account: quota(5),
            login_address: quota(7),
            sign_up_address: quota(2),
            password_reset_account: quota(2),
            password_reset_address: quota(5),
        })
    }

    fn account(name: &str) -> (Slug, Email) {
        (Slug::parse("acme").unwrap(), Email::parse(&format!("{name}@acme.example")).unwrap())
    }

    /// Fails logins until one is throttled. Returns how many failed, and the limit.
    async fn fail(limiter: &AttemptLimiter, name: &str, address: &str) -> (u32, &'static str) {
        for failed in 0..100 {
            match limiter.begin_login(Some(&account(name)), &address).await {
                Ok(attempt) => attempt.failed().await,
                Err(throttled) => return (failed, throttled.limit),
            }
        }
        panic!("no login was throttled");
    }

    #[tokio::test]
    async fn guesses_are_limited_by_account_and_address_by_account_and_by_address() {
        let limiter = limiter();
        assert_eq!(fail(&limiter, "ada", "192.0.2.1").await, (3, "login_account_and_address"));
        assert_eq!(fail(&limiter, "ada", "192.0.2.2").await, (2, "login_account"), "5 in all");
        assert_eq!(fail(&limiter, "grace", "192.0.2.1").await, (3, "login_account_and_address"));
        assert_eq!(fail(&limiter, "linus", "192.0.2.1").await, (1, "login_address"), "7 in all");
        assert_eq!(fail(&limiter, "linus", "192.0.2.3").await, (3, "login_account_and_address"));
    }

    #[tokio::test]
    async fn an_invalid_account_counts_for_the_address() {
        let limiter = limiter();
        for _ in 0..7 {
            limiter.begin_login(None, &"192.0.2.1").await.unwrap().failed().await;
        }
        assert_eq!(limiter.begin_login(None, &"192.0.2.1").await.unwrap_err().limit, "login_address");
        assert_eq!(fail(&limiter, "ada", "192.0.2.1").await, (0, "login_address"));
    }

    #[tokio::test]
    async fn successful_and_unchecked_logins_take_nothing() {
        let limiter = limiter();
        for n in 0..20 {
            let attempt = limiter.begin_login(Some(&account("ada")), &"192.0.2.1").await.unwrap();
            if n % 2 == 0 {
                attempt.succeeded().await;
            }
        }
    }

    #[tokio::test]
    async fn a_user_is_let_in_from_a_known_address_whatever_others_do() {
        let limiter = limiter();
        limiter.begin_login(Some(&account("ada")), &"192.0.2.1").await.unwrap().succeeded().await;
        for n in 2..5 {
            fail(&limiter, "ada", &format!("192.0.2.{n}")).await;
        }
        assert_eq!(fail(&limiter, "ada", "192.0.2.9").await, (0, "login_account"));
        for name in ["grace", "linus", "alan"] {
            fail(&limiter, name, "192.0.2.1").await;
        }
        assert_eq!(fail(&limiter, "alan", "192.0.2.1").await, (0, "login_address"));
        let attempt = limiter.begin_login(Some(&account("ada")), &"192.0.2.1").await.unwrap();
        attempt.succeeded().await;
        assert_eq!(fail(&limiter, "ada", "192.0.2.1").await, (3, "login_account_and_address"));
    }

    #[tokio::test]
    async fn concurrent_failures_do_not_delay_a_login_for_longer() {
        let limiter = limiter();
        let mut attempts = Vec::new();
        for _ in 0..50 {
            attempts.push(limiter.begin_login(Some(&account("ada")), &"192.0.2.1").await.unwrap());
        }
        for attempt in attempts {
            attempt.failed().await;
        }
        let throttled = limiter.begin_login(Some(&account("ada")), &"192.0.2.1").await.unwrap_err();
        assert!(throttled.retry_after <= Duration::from_secs(3600 / 3), "{throttled:?}");
    }

    #[tokio::test]
    async fn sign_ups_are_limited_by_address_and_reported_once_a_second() {
        let limiter = limiter();
        for _ in 0..2 {
            limiter.count_sign_up(&"192.0.2.1").await.unwrap();
        }
        let throttled = limiter.count_sign_up(&"192.0.2.1").await.unwrap_err();
        assert_eq!((throttled.limit, throttled.unreported), ("sign_up_address", Some(1)));
        assert_eq!(limiter.count_sign_up(&"192.0.2.1").await.unwrap_err().unreported, None);
        limiter.count_sign_up(&"192.0.2.2").await.unwrap();
    }

    #[tokio::test]
    async fn password_resets_are_limited_by_account_and_by_address() {
        let limiter = limiter();
        let (ada, grace) = (account("ada"), account("grace"));
        let count = async |account, address: &str| {
            limiter.count_password_reset(account, &address).await.err().map(|throttled| throttled.limit)
        };
        for n in 0..2 {
            assert_eq!(count(Some(&ada), &format!("192.0.2.{n}")).await, None);
        }
        assert_eq!(count(Some(&ada), "192.0.2.9").await, Some("password_reset_account"));
        assert_eq!(count(Some(&grace), "192.0.2.9").await, None);
        for _ in 0..3 {
            assert_eq!(count(None, "192.0.2.9").await, None);
        }
        assert_eq!(count(Some(&grace), "192.0.2.9").await, Some("password_reset_address"), "5 in all");
        assert_eq!(count(Some(&grace), "192.0.2.8").await, None);
    }
}
