//! The values of environment variables: what surrounds them, and every kind of URL for every setting that is one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use glasshouse_api::config::{Config, ProcessKind, read_telemetry};
use glasshouse_api::environment::Reader;
use secrecy::ExposeSecret;

use crate::command_line::{common, with};
use crate::configuration::{assert_rejected, example, read_by_the_service};
use crate::support::{Authority, Process, Settings, settings};

/// A value of each setting of the service: its default, or an example if it has none.
fn values(ca: &str) -> Settings {
    let without_default = settings([
        ("DATABASE_URL", "postgres://app:hunter2@localhost/glasshouse"),
        ("DATABASE_MIGRATION_URL", "postgres://owner:hunter2@localhost/glasshouse"),
        ("GLASSHOUSE_CONSOLE", "true"),
        ("GLASSHOUSE_FAULTS_ENABLED", "true"),
        ("GLASSHOUSE_HTTP_WORKERS", "3"),
        ("GLASSHOUSE_MAIL_DIR", "/var/spool/glasshouse"),
        ("GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS", "api"),
        ("GLASSHOUSE_MEMORY_LIMIT_MIB", "256"),
        ("GLASSHOUSE_PASSWORD_HASHES", "2"),
        ("GLASSHOUSE_PASSWORD_HASH_QUEUE", "8"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://localhost:8090"),
        ("GLASSHOUSE_PROMETHEUS_URL", "http://localhost:9090"),
        ("GLASSHOUSE_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("JWT_SECRET", "a secret of at least thirty-two bytes"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_SERVICE_NAME", "shop"),
        ("PYROSCOPE_SERVER_ADDRESS", "http://localhost:4040"),
        ("REDIS_URL", "redis://localhost"),
        ("SENTRY_DSN", "https://key@sentry.example/1"),
        ("SSL_CERT_DIR", "/"),
        ("SSL_CERT_FILE", ca),
    ]);
    let read = read_by_the_service();
    let defaults = example().into_iter().filter(|(name, value)| read.contains(name) && !value.is_empty());
    defaults.chain(without_default).collect()
}

/// The configuration of `serve` and `worker` with these variables, in their `Debug` form and with the secret.
fn loaded(variables: &Settings) -> Result<String, String> {
    [ProcessKind::Serve, ProcessKind::Worker].into_iter().try_fold(String::new(), |all, kind| {
        let mut env = Reader::new(|name: &str| variables.get(name).cloned());
        let telemetry = read_telemetry(Some(kind), &mut env, false);
        let config = Config::read(kind, &mut env);
        let config = env.finish(config).map_err(|error| error.to_string())?;
        let secret = match &config {
            Config::Serve(config) => config.auth.tokens.secret.expose_secret().to_owned(),
            _ => String::new(),
        };
        Ok(format!("{all} {telemetry:?} {config:?} {secret}"))
    })
}

/// Editors, shells and `.env` files of other systems leave these around a value.
#[test]
fn white_space_around_a_value_changes_no_setting_unless_it_is_refused_with_the_reason() {
    let authority = Authority::new();
    let values = values(authority.file().to_str().unwrap());
    let clean = loaded(&values).unwrap();
    assert_eq!(values.keys().cloned().collect::<BTreeSet<_>>(), read_by_the_service());
    for (name, value) in &values {
        for (before, after) in [
            ("", "\r"),
            ("", "\r\n"),
            ("", " "),
            ("\t", "\t"),
            ("\u{feff}", ""),
            ("", "\u{feff}"),
            ("", "\u{a0}"),
        ] {
            let mut changed = values.clone();
            changed.insert(name.clone(), format!("{before}{value}{after}"));
            let result = loaded(&changed);
            if ["SSL_CERT_FILE", "SSL_CERT_DIR"].contains(&name.as_str()) {
                let error = result.expect_err(name);
                assert!(error.contains(&format!("{name}: has white space around it")), "{error}");
            } else {
                assert_eq!(result.as_ref(), Ok(&clean), "{name}={before:?}{value}{after:?}");
            }
        }
        // Nothing but white space is no value.
        let (mut blank, mut unset) = (values.clone(), values.clone());
        blank.insert(name.clone(), " \r\n".to_owned());
        unset.remove(name);
        assert_eq!(loaded(&blank), loaded(&unset), "{name}");
    }
}

#[tokio::test]
async fn a_value_that_is_not_utf8_is_refused_rather_than_ignored() {
    for name in ["GLASSHOUSE_LOG_FORMAT", "OTEL_SERVICE_NAME", "GLASSHOUSE_MAX_PAGE_SIZE"] {
        let assignment = [name.as_bytes(), b"=json\xff"].concat();
        let mut command = Command::new("/usr/bin/env");
        command.arg(OsStr::from_bytes(&assignment)).args([
            env!("CARGO_BIN_EXE_glasshouse"),
            "check-config",
            "demo",
        ]);
        let ended = Process::spawn(&mut command, &Settings::new()).ends().await;
        assert_rejected(&ended, &[&format!("{name}: is not valid UTF-8")]);
    }
}

/// Every scheme for every URL: what `check-config` calls valid can start, and what it refuses cannot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_config_and_the_start_agree_on_every_url() {
    let urls = [
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "HTTP://127.0.0.1:1",
        "http://",
        "grpc://127.0.0.1:1",
        "postgres://127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?sslmode=verify-full",
        "postgres://127.0.0.1:1/db?sslmode=yes",
        "sqlite::memory:",
        "sqlite:///no/such/folder/db.sqlite3",
        "redis://127.0.0.1:1",
        "rediss://127.0.0.1:1",
        "rediss://127.0.0.1:1#insecure",
        "redis+unix:///no/redis.sock",
        "unix:///no/redis.sock",
        "https://key@127.0.0.1:1/42",
        "127.0.0.1:1",
    ];
    let authority = Authority::new();
    let ca = authority.file();
    let base = with(
        &common(),
        [
            ("DATABASE_URL", "postgres://127.0.0.1:1/db"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("JWT_SECRET", "a secret of at least thirty-two bytes"),
            ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://127.0.0.1:1"),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "50"),
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
        ],
    );
    let mut verdicts = BTreeMap::new();
    for variable in [
        "DATABASE_URL",
        "DATABASE_MIGRATION_URL",
        "REDIS_URL",
        "GLASSHOUSE_PAYMENT_GATEWAY_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "PYROSCOPE_SERVER_ADDRESS",
        "SENTRY_DSN",
    ] {
        let commands = urls.map(|url| (url, with(&base, [(variable, url)])));
        let check =
            commands.each_ref().map(|(_, settings)| Process::start(&["check-config", "serve"], settings));
        let mut checked = Vec::new();
        for process in check {
            checked.push(process.ends().await);
        }
        let serve = commands.each_ref().map(|(_, settings)| Process::start(&["serve"], settings));
        for (((url, _), checked), serve) in commands.iter().zip(checked).zip(serve) {
            let ended = serve.ends().await;
            // With a valid configuration it gets as far as the connection to the database, which is not there.
            let gets_to_connect = ended.stderr.contains("database_connection_failed");
            assert_eq!(checked.code == Some(0), gets_to_connect, "{variable}={url}: {checked:?} {ended:?}");
            verdicts.insert((variable, *url), gets_to_connect);
        }
    }
    let accepted = |variable: &str| -> Vec<&str> {
        urls.into_iter().filter(|url| verdicts[&(variable, *url)]).collect()
    };
    let http =
        ["http://127.0.0.1:1", "https://127.0.0.1:1", "HTTP://127.0.0.1:1", "https://key@127.0.0.1:1/42"];
    for variable in
        ["GLASSHOUSE_PAYMENT_GATEWAY_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "PYROSCOPE_SERVER_ADDRESS"]
    {
        assert_eq!(accepted(variable), http, "{variable}");
    }
    let redis = [
        "redis://127.0.0.1:1",
        "rediss://127.0.0.1:1",
        "redis+unix:///no/redis.sock",
        "unix:///no/redis.sock",
    ];
    assert_eq!(accepted("REDIS_URL"), redis);
    let postgres = [
        "postgres://127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?sslmode=verify-full",
        "sqlite:///no/such/folder/db.sqlite3",
    ];
    for variable in ["DATABASE_URL", "DATABASE_MIGRATION_URL"] {
        assert_eq!(accepted(variable), postgres, "{variable}");
    }
    assert_eq!(accepted("SENTRY_DSN"), ["https://key@127.0.0.1:1/42"]);
}
