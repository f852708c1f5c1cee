//! The configuration of each kind of process, as lines `NAME=value` of environment variables.

use std::collections::HashMap;

use glasshouse_api::config::{Config, ProcessKind, read_telemetry};
use glasshouse_api::environment::Reader;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "config",
    seeds: &[
        "JWT_SECRET=0123456789abcdef0123456789abcdef\nDATABASE_URL=postgres://app:p@db/shop\nREDIS_URL=redis://cache\n\
         GLASSHOUSE_PAYMENT_GATEWAY_URL=http://gateway:8090",
        "GLASSHOUSE_HTTP_ADDR=0.0.0.0:80\nGLASSHOUSE_TRUSTED_PROXIES=10.0.0.0/8,::1\nGLASSHOUSE_RATE_LIMIT_FREE=1/2",
        "GLASSHOUSE_MANAGEMENT_ADDR=localhost:9000\nGLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS=api,OPS.example.",
        "GLASSHOUSE_MAX_BODY_BYTES=0\nDATABASE_POOL_SIZE=-1\nGLASSHOUSE_TOKEN_SECONDS=18446744073709551616",
        "GLASSHOUSE_LOGIN_LIMIT=5/60\nGLASSHOUSE_SIGN_UP_LIMIT=x\nGLASSHOUSE_LOG_FORMAT=pretty",
        "JWT_SECRET=short\nDATABASE_URL=\u{feff} \nGLASSHOUSE_FAULTS_ENABLED=yes\nREDIS_URL=\u{fffd}",
    ],
    dictionary: &[
        "\n",
        "=",
        "JWT_SECRET=",
        "DATABASE_URL=",
        "DATABASE_MIGRATION_URL=",
        "DATABASE_POOL_SIZE=",
        "REDIS_URL=",
        "GLASSHOUSE_HTTP_ADDR=",
        "GLASSHOUSE_HTTP_WORKERS=",
        "GLASSHOUSE_GATEWAY_ADDR=",
        "GLASSHOUSE_MANAGEMENT_ADDR=",
        "GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS=",
        "GLASSHOUSE_TRUSTED_PROXIES=",
        "GLASSHOUSE_RATE_LIMIT_PRO=",
        "GLASSHOUSE_RATE_LIMIT_PROCESSES=",
        "GLASSHOUSE_LOGIN_LIMIT=",
        "GLASSHOUSE_LOGIN_LIMIT_ACCOUNT=",
        "GLASSHOUSE_SIGN_UP_LIMIT=",
        "GLASSHOUSE_MAX_PAGE_SIZE=",
        "GLASSHOUSE_PAYMENT_GATEWAY_URL=",
        "GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS=",
        "GLASSHOUSE_SHUTDOWN_DRAIN_MS=",
        "GLASSHOUSE_MEMORY_LIMIT_MIB=",
        "GLASSHOUSE_LOG_FORMAT=",
        "GLASSHOUSE_FAULTS_ENABLED=",
        "GLASSHOUSE_ENVIRONMENT=",
        "0",
        "18446744073709551615",
    ],
    run,
};

/// Stands in front of the secret, so that it is found wherever it appears.
const MARK: &str = "hunter2-";

const KINDS: [ProcessKind; 4] =
    [ProcessKind::Demo, ProcessKind::Serve, ProcessKind::Worker, ProcessKind::Gateway];

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    // Files and the certificates of the machine are no part of the input, and only the secret has the mark.
    if ["cert", "sslkey", "ssl-", "verify", "rediss", MARK].iter().any(|part| text.contains(part)) {
        return;
    }
    let variables: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let lookup = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_CERTIFICATE" => None,
        "JWT_SECRET" => variables.get(name).map(|secret| format!("{MARK}{secret}")),
        _ => variables.get(name).map(|value| (*value).to_owned()),
    };
    for kind in KINDS {
        match Config::load(kind, lookup) {
            Ok(config) => assert!(!format!("{config:?}").contains(MARK), "a secret leaks"),
            Err(errors) => check(&errors.to_string()),
        }
        let mut reader = Reader::new(lookup);
        let telemetry = read_telemetry(Some(kind), &mut reader, false);
        assert!(!telemetry.service_name.trim().is_empty());
        if let Err(errors) = reader.finish(Some(())) {
            check(&errors.to_string());
        }
    }
}

/// Each line names a variable and its problem.
fn check(errors: &str) {
    assert!(!errors.contains(MARK), "a secret leaks: {errors}");
    let mut lines = errors.lines();
    assert_eq!(lines.next(), Some("the configuration is not valid:"));
    let first = lines.next().unwrap_or_default();
    let (name, problem) = first.trim_start().split_once(": ").unwrap_or_default();
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
    assert!(is_name && !problem.is_empty(), "{errors}");
}
