//! Configuration: the variables of each process, their defaults, and the errors for invalid ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::Duration;

use glasshouse_api::config::{Config, ProcessKind, read_telemetry};
use glasshouse_api::environment::Reader;
use glasshouse_telemetry::SIGNALS;

use crate::support::{Ended, Process, Proxy, Settings, settings};

const SECRET: &str = "hunter2";
const KINDS: [ProcessKind; 4] =
    [ProcessKind::Serve, ProcessKind::Worker, ProcessKind::Gateway, ProcessKind::Demo];

/// An invalid value for each kind of setting.
fn wrong_settings() -> Settings {
    settings([
        ("DATABASE_URL", "mysql://app:hunter2@localhost/glasshouse"),
        ("DATABASE_MIGRATION_URL", "postgres://app:hunter2@localhost:port/glasshouse"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_ACQUIRE_TIMEOUT_MS", "-1"),
        ("REDIS_URL", "redis://:hunter2@localhost:port"),
        ("JWT_SECRET", SECRET),
        ("GLASSHOUSE_HTTP_ADDR", "nowhere"),
        ("GLASSHOUSE_MANAGEMENT_ADDR", "9000"),
        ("GLASSHOUSE_MAX_BODY_BYTES", "lots"),
        ("GLASSHOUSE_RATE_LIMIT_FREE", "20"),
        ("GLASSHOUSE_TRUSTED_PROXIES", "proxy.example"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "gateway:8090"),
        ("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", "0"),
        ("GLASSHOUSE_LOG_FORMAT", "xml"),
        ("RUST_LOG", "info,glasshouse=loud"),
        ("SENTRY_DSN", "https://hunter2:hunter2@sentry.example"),
        ("SENTRY_TRACES_SAMPLE_RATE", "2"),
    ])
}

/// All settings that some process requires.
fn valid_settings() -> Settings {
    settings([
        ("DATABASE_URL", "postgres://app:hunter2@localhost/glasshouse"),
        ("REDIS_URL", "redis://localhost"),
        ("JWT_SECRET", "a secret of at least thirty-two bytes"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://localhost:8090"),
    ])
}

#[track_caller]
pub(crate) fn assert_rejected(ended: &Ended, expected: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for text in expected {
        assert!(ended.stderr.contains(text), "{text} is not in {}", ended.stderr);
    }
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
}

#[tokio::test]
async fn all_invalid_values_are_reported_together_and_no_secret_is_repeated() {
    let wrong = wrong_settings();
    let names: Vec<&str> = wrong.keys().map(String::as_str).collect();
    for arguments in [&["serve"][..], &["check-config", "serve"]] {
        let ended = Process::run(arguments, &wrong).await;
        assert_rejected(&ended, &names);
        // The upper bound leaves room for a busy machine.
        assert!(ended.took < Duration::from_secs(5), "{ended:?}");
    }
}

#[tokio::test]
async fn all_missing_values_are_reported_together() {
    let ended = Process::run(&["serve"], &Settings::new()).await;
    let required = ["DATABASE_URL", "REDIS_URL", "JWT_SECRET", "GLASSHOUSE_PAYMENT_GATEWAY_URL"];
    assert_rejected(
        &ended,
        &required.map(|name| format!("{name}: is not set")).each_ref().map(String::as_str),
    );
    assert_rejected(&Process::run(&["migrate"], &Settings::new()).await, &["DATABASE_URL: is not set"]);
}

#[tokio::test]
async fn check_config_requires_what_each_process_needs_and_no_more() {
    let only = |names: &[&str]| -> Settings {
        valid_settings().into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect()
    };
    let gateway_client = "GLASSHOUSE_PAYMENT_GATEWAY_URL";
    for (command, needs) in [
        ("demo", vec![]),
        ("serve", vec!["DATABASE_URL", "REDIS_URL", "JWT_SECRET", gateway_client]),
        ("worker", vec!["DATABASE_URL", gateway_client]),
        ("gateway", vec![]),
    ] {
        let ended = Process::run(&["check-config", command], &only(&needs)).await;
        assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
        assert_eq!(ended.stdout, "the configuration is valid\n");
        for missing in &needs {
            let rest: Vec<_> = needs.iter().copied().filter(|name| name != missing).collect();
            assert_rejected(&Process::run(&["check-config", command], &only(&rest)).await, &[missing]);
        }
        let wrong = settings([("GLASSHOUSE_MANAGEMENT_ADDR", "9000")]);
        let ended = Process::run(&["check-config", command], &wrong).await;
        assert_rejected(&ended, &["GLASSHOUSE_MANAGEMENT_ADDR"]);
    }
}

#[tokio::test]
async fn a_short_jwt_secret_is_rejected_with_a_hint() {
    let short = Settings::from([("JWT_SECRET".to_owned(), SECRET.to_owned())]);
    let ended = Process::run(&["check-config", "demo"], &short).await;
    assert_rejected(&ended, &["JWT_SECRET: must have at least 32 bytes", "openssl rand -hex 32"]);
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_its_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for variable in ["GLASSHOUSE_GATEWAY_ADDR", "GLASSHOUSE_MANAGEMENT_ADDR"] {
        let mut settings = settings([
            ("GLASSHOUSE_GATEWAY_ADDR", "127.0.0.1:0"),
            ("GLASSHOUSE_MANAGEMENT_ADDR", "127.0.0.1:0"),
        ]);
        settings.insert(variable.to_owned(), taken.clone());
        let ended = Process::run(&["gateway"], &settings).await;
        assert_rejected(&ended, &[&taken, variable, "in use"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_database_fails_the_start() {
    let silent = Proxy::before("postgres://app:hunter2@127.0.0.1:1/glasshouse");
    silent.hang();
    let refusing = Proxy::before("postgres://app:hunter2@127.0.0.1:1/glasshouse");
    refusing.refuse().await;
    let started = [&silent, &refusing].map(|database| {
        let mut settings = valid_settings();
        settings.insert("DATABASE_URL".to_owned(), database.url().to_owned());
        ["serve", "worker", "migrate"].map(|command| Process::start(&[command], &settings))
    });
    for process in started.into_iter().flatten() {
        let ended = process.ends().await;
        assert_rejected(&ended, &["database_connection_failed"]);
        assert!(ended.took < Duration::from_secs(20), "{ended:?}");
    }
}

/// The variables of `.env.example`. A variable with a default is commented out.
pub(crate) fn example() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(".env.example")).unwrap();
    let variable = |line: &str| {
        let (name, value) = line.trim_start_matches('#').split_once('=')?;
        let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        (is_name && !name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(variable).collect()
}

/// The variables that docker-compose.yml references with a default: `${NAME:-default}`.
fn compose() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let variables = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')?.0.split_once(":-"));
    variables.map(|(name, default)| (name.to_owned(), default.to_owned())).collect()
}

fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The variables that the configuration reads, over all kinds of processes.
pub(crate) fn read_by_the_service() -> BTreeSet<String> {
    let mut env = Reader::new(|_: &str| None);
    for kind in KINDS {
        read_telemetry(Some(kind), &mut env, false);
        Config::read(kind, &mut env);
    }
    env.seen().map(str::to_owned).collect()
}

#[test]
fn the_example_names_every_variable_and_no_other() {
    let mut expected = read_by_the_service();
    expected.extend(compose().into_keys());
    assert_eq!(example().into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_defaults_in_the_example_are_the_real_ones() {
    let (example, required) = (example(), valid_settings());
    for kind in KINDS {
        let load = |example: &BTreeMap<String, String>| {
            let mut env = Reader::new(|name: &str| {
                let known = example.get(name).filter(|value| !value.is_empty()).cloned();
                // For the demo, the embedded database is the default to compare.
                let wanted = kind != ProcessKind::Demo || name == "JWT_SECRET";
                known.or_else(|| required.get(name).filter(|_| wanted).cloned())
            });
            let telemetry = read_telemetry(Some(kind), &mut env, false);
            let config = Config::read(kind, &mut env);
            format!("{telemetry:#?} {:#?}", env.finish(config).unwrap())
        };
        let mut stated = example.clone();
        if kind == ProcessKind::Demo {
            // The one default that is different for the demo, as the example says.
            assert_eq!(stated.remove("GLASSHOUSE_TOKEN_SECONDS").unwrap(), "900");
        }
        assert_eq!(load(&stated), load(&BTreeMap::new()), "{kind:?}");
    }
}

#[test]
fn the_default_service_names_are_in_the_example() {
    let text = std::fs::read_to_string(root().join(".env.example")).unwrap();
    let (before, _) = text.split_once("\nOTEL_SERVICE_NAME=").unwrap();
    let comment: Vec<&str> = before.lines().rev().take_while(|line| line.starts_with("# ")).collect();
    let comment: String = comment.iter().rev().map(|line| line[1..].to_owned()).collect();
    for (kind, named) in [
        (Some(ProcessKind::Serve), "glasshouse-api for serve,"),
        (Some(ProcessKind::Worker), "glasshouse-worker for worker,"),
        (Some(ProcessKind::Gateway), "glasshouse-gateway for gateway,"),
        (Some(ProcessKind::Demo), "glasshouse for the demo"),
        (None, "glasshouse for the demo and all other commands"),
    ] {
        let name = read_telemetry(kind, &mut Reader::new(|_: &str| None), false).service_name;
        assert!(named.starts_with(&format!("{name} ")) && comment.contains(named), "{named}: {comment}");
    }
}

#[test]
fn only_variables_without_one_fixed_default_have_none_in_the_example() {
    let is_address =
        |name: &str| name.ends_with("_URL") || SIGNALS.iter().any(|signal| signal.variable == name);
    let empty = example().into_iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| name);
    let expected = [
        "GLASSHOUSE_CONSOLE",
        "GLASSHOUSE_FAULTS_ENABLED",
        "GLASSHOUSE_HTTP_WORKERS",
        "GLASSHOUSE_MAIL_DIR",
        "GLASSHOUSE_MANAGEMENT_ALLOWED_HOSTS",
        "GLASSHOUSE_MEMORY_LIMIT_MIB",
        "GLASSHOUSE_PASSWORD_HASHES",
        "GLASSHOUSE_PASSWORD_HASH_QUEUE",
        "GLASSHOUSE_TRUSTED_PROXIES",
        "JWT_SECRET",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    ];
    assert_eq!(empty.filter(|name| !is_address(name)).collect::<Vec<_>>(), expected);
}

#[test]
fn the_defaults_of_the_compose_file_are_in_the_example() {
    let (example, read) = (example(), read_by_the_service());
    for (name, default) in compose().into_iter().filter(|(name, _)| !read.contains(name)) {
        assert_eq!(example.get(&name), Some(&default), "{name}");
    }
}
