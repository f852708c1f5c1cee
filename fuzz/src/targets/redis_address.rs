//! URLs of Redis. The input is what follows the password.

use glasshouse_infra::redis::RedisAddress;

use crate::Target;
use crate::check::{says_what_to_do, spells, text};

pub(super) const TARGET: Target = Target {
    name: "redis_address",
    seeds: &[
        "@cache:6379/1",
        "@cache",
        "@cache/one",
        "@[::1]:6379?protocol=resp3",
        "@0.0.0.0",
        "@cache:port",
    ],
    dictionary: &["@", ":", "/", "?", "#insecure", "protocol=", "resp3", "%2F", "[", "]"],
    run,
};

const PASSWORD: &str = "hunter2";

fn run(input: &[u8]) {
    let Some(rest) = text(input) else { return };
    if spells(rest, PASSWORD) {
        return;
    }
    let url = format!("redis://:{PASSWORD}{rest}");
    match url.parse::<RedisAddress>() {
        // Without the at sign it is the host.
        Ok(address) => {
            assert!(!rest.starts_with('@') || !format!("{address:?}").contains(PASSWORD), "{address:?}")
        }
        Err(error) => {
            assert!(!error.to_string().contains(PASSWORD), "{error}");
            says_what_to_do(&error);
        }
    }
    if let Err(error) = format!("{rest}:{PASSWORD}").parse::<RedisAddress>() {
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
}
