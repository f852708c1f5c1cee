//! Password hashing with Argon2id on blocking threads, so that it does not delay other requests.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash as PhcHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use glasshouse_domain::login::{HashingFailed, PasswordHasher};
use glasshouse_domain::values::{Password, PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use glasshouse_telemetry::profiles::Label;

/// The cost parameters of Argon2id, and the maximum concurrency.
#[derive(Clone, Copy, Debug)]
pub struct Argon2Settings {
    /// Memory in KiB. The default of the configuration, 19 MiB with 2 passes, is OWASP's recommendation.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// The maximum number of concurrent hashes. Each occupies a core and `memory_kib`.
    pub max_concurrent: usize,
}

/// The password of the decoy hash.
const DECOY_PASSWORD: &str = "a decoy password";

/// Hashes and verifies passwords.
#[derive(Clone, Debug)]
pub struct Argon2Hasher {
    argon2: Argon2<'static>,
    permits: Arc<Semaphore>,
    /// Verified instead of the hash of a user who does not exist, so that both cases take the same time.
    decoy: PasswordHash,
}

impl Argon2Hasher {
    /// A hasher with these cost parameters.
    ///
    /// # Errors
    /// When the parameters are out of Argon2's range.
    pub fn new(settings: Argon2Settings) -> Result<Self, HashingFailed> {
        let params = Params::new(settings.memory_kib, settings.passes, 1, None).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, DECOY_PASSWORD)?;
        Ok(Self { argon2, permits: Arc::new(Semaphore::new(settings.max_concurrent)), decoy })
    }

    /// Waits for a permit, and runs `work` on a blocking thread.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, HashingFailed> + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let permit = self.permits.clone().acquire_owned().await.map_err(failed)?;
        let argon2 = self.argon2.clone();
        let span = tracing::Span::current();
        let label = Label::current();
        let work = move || {
            let (_permit, _label) = (permit, label.map(Label::enter));
            // A panic on the blocking thread is reported in the span of its request.
            span.in_scope(|| work(&argon2))
        };
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }
}

impl PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: Password) -> Result<PasswordHash, HashingFailed> {
        self.run_blocking(move |argon2| hash(argon2, password.expose())).await
    }

    async fn verify(
        &self,
        password: SecretString,
        hash: Option<PasswordHash>,
    ) -> Result<bool, HashingFailed> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        self.run_blocking(move |argon2| {
            let hash = PhcHash::new(hash.expose()).map_err(failed)?;
            let matches = argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
            Ok(matches && exists)
        })
        .await
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<PasswordHash, HashingFailed> {
    let hash: PhcHash = argon2.hash_password(password.as_bytes()).map_err(failed)?;
    Ok(PasswordHash::new(hash.to_string()))
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HashingFailed {
    HashingFailed(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> Argon2Hasher {
        Argon2Hasher::new(Argon2Settings { memory_kib: 64, passes: 1, max_concurrent: 1 }).unwrap()
    }

    #[tokio::test]
    async fn a_hash_matches_only_its_password() {
        let hasher = hasher();
        let hash = hasher.hash(Password::parse("correct horse battery".into()).unwrap()).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(hasher.verify("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse battery".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn the_decoy_hash_never_matches() {
        assert!(!hasher().verify(DECOY_PASSWORD.into(), None).await.unwrap());
    }
}
