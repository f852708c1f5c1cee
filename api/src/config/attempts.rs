//! Settings of the limits of logins, sign-ups and password resets.

use std::time::Duration;

use glasshouse_infra::attempts::{AttemptQuota, AttemptQuotas};

use crate::environment::Reader;

/// Reads the limits of logins, sign-ups and password resets.
pub(super) fn read(env: &mut Reader) -> AttemptQuotas {
    AttemptQuotas {
        login_account_and_address: quota(env, "GLASSHOUSE_LOGIN_LIMIT", 10, 300),
        login_account: quota(env, "GLASSHOUSE_LOGIN_LIMIT_ACCOUNT", 100, 3_600),
        login_address: quota(env, "GLASSHOUSE_LOGIN_LIMIT_ADDRESS", 100, 300),
        sign_up_address: quota(env, "GLASSHOUSE_SIGN_UP_LIMIT", 20, 3_600),
        password_reset_account: quota(env, "GLASSHOUSE_PASSWORD_RESET_LIMIT_ACCOUNT", 3, 1_800),
        password_reset_address: quota(env, "GLASSHOUSE_PASSWORD_RESET_LIMIT_ADDRESS", 20, 3_600),
    }
}

const MAX_ATTEMPTS: u32 = 1_000_000;
const MAX_SECONDS: u64 = 86_400;

/// Reads a quota written as `ATTEMPTS/SECONDS`.
fn quota(env: &mut Reader, name: &'static str, attempts: u32, seconds: u64) -> AttemptQuota {
    let default = AttemptQuota { attempts, per: Duration::from_secs(seconds) };
    let Some(text) = env.text(name) else { return default };
    let parsed = text.split_once('/').and_then(|(attempts, seconds)| {
        let attempts = attempts.trim().parse().ok().filter(|n| (1..=MAX_ATTEMPTS).contains(n))?;
        let seconds = seconds.trim().parse().ok().filter(|n| (1..=MAX_SECONDS).contains(n))?;
        Some(AttemptQuota { attempts, per: Duration::from_secs(seconds) })
    });
    parsed.unwrap_or_else(|| {
        let form = format!(
            "must be a number of attempts up to {MAX_ATTEMPTS}, a slash, and a number of seconds up to {MAX_SECONDS}, \
             such as 10/300, not {text:?}"
        );
        env.wrong(name, &form);
        default
    })
}
