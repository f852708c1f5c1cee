//! Settings of authentication: how access tokens are signed, and what a password hash costs.

use std::thread::available_parallelism;

use glasshouse_infra::passwords::Argon2Settings;
use glasshouse_infra::tokens::TokenSettings;
use secrecy::SecretString;

use crate::environment::Reader;

/// Access tokens and password hashes.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// How access tokens are signed, and how long they are valid.
    pub tokens: TokenSettings,
    /// The cost of a password hash.
    pub argon2: Argon2Settings,
}

const MIN_SECRET_BYTES: usize = 32;
const TOKEN_SECONDS: u64 = 900;
/// A day, so that the token in the demo's `curl` command does not expire while someone looks around.
const DEMO_TOKEN_SECONDS: u64 = 86_400;

impl AuthSettings {
    /// Reads the settings; `JWT_SECRET` is required.
    pub(super) fn read(env: &mut Reader) -> Option<Self> {
        let secret = secret(env);
        let (lifetime, argon2) = (env.seconds("GLASSHOUSE_TOKEN_SECONDS", TOKEN_SECONDS), read_argon2(env));
        Some(Self { tokens: TokenSettings { secret: secret?, lifetime }, argon2 })
    }

    /// Reads the settings of the demo. Without a `JWT_SECRET` it uses a random one, so its tokens become
    /// invalid with the end of the process.
    pub(super) fn read_for_demo(env: &mut Reader) -> Option<Self> {
        let secret = match env.text("JWT_SECRET") {
            Some(_) => secret(env),
            None => Some(random_secret()),
        };
        let (lifetime, argon2) =
            (env.seconds("GLASSHOUSE_TOKEN_SECONDS", DEMO_TOKEN_SECONDS), read_argon2(env));
        Some(Self { tokens: TokenSettings { secret: secret?, lifetime }, argon2 })
    }
}

/// Reads the cost of a password hash.
pub fn read_argon2(env: &mut Reader) -> Argon2Settings {
    let memory_kib = env.number("GLASSHOUSE_ARGON2_MEMORY_KIB", 19_456, 64..=1_048_576);
    let passes = env.number("GLASSHOUSE_ARGON2_PASSES", 2, 1..=100);
    Argon2Settings {
        memory_kib: u32::try_from(memory_kib).unwrap_or(u32::MAX),
        passes: u32::try_from(passes).unwrap_or(u32::MAX),
        max_concurrent: available_parallelism().map_or(2, usize::from),
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
