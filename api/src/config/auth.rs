//! Settings of authentication: how access tokens are signed, what a password hash costs, and how many there may be.

use std::thread::available_parallelism;

use glasshouse_infra::attempts::AttemptQuotas;
use glasshouse_infra::passwords::HashingSettings;
use glasshouse_infra::tokens::TokenSettings;
use secrecy::SecretString;

use super::attempts;
use crate::environment::Reader;

/// Access tokens and password hashes.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// How access tokens are signed, and how long they are valid.
    pub tokens: TokenSettings,
    /// The cost of a password hash, and the queue for one.
    pub hashing: HashingSettings,
    /// The limits of logins and sign-ups.
    pub attempts: AttemptQuotas,
}

const MIN_SECRET_BYTES: usize = 32;
const TOKEN_SECONDS: u64 = 900;
/// A day, so that the token in the demo's `curl` command does not expire while someone looks around.
const DEMO_TOKEN_SECONDS: u64 = 86_400;

impl AuthSettings {
    /// Reads the settings; `JWT_SECRET` is required.
    pub(super) fn read(env: &mut Reader) -> Option<Self> {
        let secret = secret(env);
        Self::with_secret(secret, TOKEN_SECONDS, env)
    }

    /// Reads the settings of the demo. Without a `JWT_SECRET` it uses a random one, so its tokens become
    /// invalid with the end of the process.
    pub(super) fn read_for_demo(env: &mut Reader) -> Option<Self> {
        let secret = match env.text("JWT_SECRET") {
            Some(_) => secret(env),
            None => Some(random_secret()),
        };
        Self::with_secret(secret, DEMO_TOKEN_SECONDS, env)
    }

    fn with_secret(secret: Option<SecretString>, token_seconds: u64, env: &mut Reader) -> Option<Self> {
        let lifetime = env.seconds("GLASSHOUSE_TOKEN_SECONDS", token_seconds);
        let (hashing, attempts) = (read_hashing(env), attempts::read(env));
        Some(Self { tokens: TokenSettings { secret: secret?, lifetime }, hashing, attempts })
    }
}

/// At the default cost, a second of waiting.
const WAITING_PER_HASH: u64 = 32;

/// Reads the cost of a password hash, and the limits of the queue for one.
pub fn read_hashing(env: &mut Reader) -> HashingSettings {
    let memory_kib = env.number("GLASSHOUSE_ARGON2_MEMORY_KIB", 19_456, 64..=1_048_576);
    let passes = env.number("GLASSHOUSE_ARGON2_PASSES", 2, 1..=100);
    // One core is left for all other requests.
    let cores = available_parallelism().map_or(2, usize::from) as u64;
    let concurrent = env.number("GLASSHOUSE_PASSWORD_HASHES", cores.saturating_sub(1).max(1), 1..=256);
    let waiting = env.number("GLASSHOUSE_PASSWORD_HASH_QUEUE", WAITING_PER_HASH * concurrent, 0..=100_000);
    HashingSettings {
        memory_kib: u32::try_from(memory_kib).unwrap_or(u32::MAX),
        passes: u32::try_from(passes).unwrap_or(u32::MAX),
        max_concurrent: usize::try_from(concurrent).unwrap_or(1),
        max_waiting: usize::try_from(waiting).unwrap_or(0),
    }
}

fn secret(env: &mut Reader) -> Option<SecretString> {
    let hint = "set it to a secret of your own; `openssl rand -hex 32` makes one";
    env.required("JWT_SECRET", hint, |text| {
        if text.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "must have at least {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` makes one"
            ));
        }
        Ok(SecretString::from(text))
    })
}

fn random_secret() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    SecretString::from(bytes.map(|byte| format!("{byte:02x}")).concat())
}
