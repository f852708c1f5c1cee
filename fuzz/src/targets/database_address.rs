//! URLs of databases. The input is what follows the password.

use glasshouse_infra::db::DatabaseAddress;

use crate::Target;
use crate::check::{spells, text};

pub(super) const TARGET: Target = Target {
    name: "database_address",
    seeds: &[
        "@db:5432/shop?sslmode=require",
        "@db/shop?application_name=x&statement-cache-capacity=0",
        "@/shop?host=/run/postgresql&options[search_path]=public",
        "@db/shop?sslmod=verify-full",
        "@db:port/shop",
        "@[::1]:5432/%2Fshop?password=hunter3",
    ],
    dictionary: &[
        "@",
        ":",
        "/",
        "?",
        "&",
        "#",
        "%2F",
        "[",
        "]",
        "sslmode=",
        "require",
        "disable",
        "host=",
        "port=",
        "password=",
        "options=",
        "user=",
    ],
    run,
};

const PASSWORD: &str = "hunter2";

fn run(input: &[u8]) {
    let Some(rest) = text(input) else { return };
    // Files and the certificates of the machine are no part of the input.
    if [PASSWORD, "cert", "sslkey", "ssl-", "verify"].iter().any(|part| spells(rest, part)) {
        return;
    }
    for scheme in ["postgres", "postgresql"] {
        let url = format!("{scheme}://app:{PASSWORD}{rest}");
        match url.parse::<DatabaseAddress>() {
            Ok(address) => {
                assert_eq!(address.url(), url);
                assert!(address.role().is_some() && address.file().is_none());
                assert!(!format!("{address:?}").contains(PASSWORD) || !rest.starts_with('@'), "{address:?}");
            }
            Err(error) => {
                assert!(!error.to_string().contains(PASSWORD), "{error}");
                assert!(!format!("{error:?}").contains(PASSWORD), "{error:?}");
            }
        }
    }
    let url = format!("sqlite:{rest}");
    if let Ok(address) = url.parse::<DatabaseAddress>() {
        assert!(!url.contains(":memory:") && address.role().is_none());
        assert!(address.file().is_some());
    }
}
