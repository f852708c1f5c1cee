//! One struct for each concern, and where its variables come from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use glasshouse_infra::db::DatabaseSettings;
use glasshouse_infra::passwords::Argon2Settings;
use glasshouse_infra::payment_gateway::{CircuitBreakerSettings, GatewaySettings};
use glasshouse_infra::rate_limit::{Quota, Quotas};
use glasshouse_infra::redis::RedisSettings;
use glasshouse_infra::tokens::TokenSettings;
use secrecy::SecretString;
use url::Url;

use super::{Reader, Role};

/// The public HTTP server.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where it listens.
    pub http_addr: SocketAddr,
    /// How many threads serve requests.
    pub http_workers: usize,
    /// What it refuses.
    pub limits: Limits,
    /// Who may come in.
    pub auth: AuthConfig,
    /// How often tenants may come.
    pub quotas: Quotas,
}

impl ApiConfig {
    pub(super) fn read(role: Role, env: &mut Reader) -> Self {
        let cores = available_parallelism().map_or(2, usize::from);
        let workers = env.number("GLASSHOUSE_HTTP_WORKERS", cores as u64, 1..=256);
        Self {
            http_addr: env.or("GLASSHOUSE_HTTP_ADDR", SocketAddr::from(([127, 0, 0, 1], 8080))),
            http_workers: usize::try_from(workers).unwrap_or(cores),
            limits: Limits::read(env),
            auth: AuthConfig::read(role, env),
            quotas: Quotas {
                free: quota(env, "GLASSHOUSE_RATE_LIMIT_FREE", Quota { per_second: 20, burst: 40 }),
                pro: quota(env, "GLASSHOUSE_RATE_LIMIT_PRO", Quota { per_second: 200, burst: 400 }),
                enterprise: quota(
                    env,
                    "GLASSHOUSE_RATE_LIMIT_ENTERPRISE",
                    Quota { per_second: 2000, burst: 4000 },
                ),
            },
        }
    }
}

/// Reads a quota written as `PER_SECOND/BURST`.
fn quota(env: &mut Reader, name: &'static str, default: Quota) -> Quota {
    let Some(text) = env.text(name) else { return default };
    let part = |part: Option<&str>| part.and_then(|n| n.trim().parse::<u32>().ok()).filter(|n| *n > 0);
    let mut parts = text.split('/');
    match (part(parts.next()), part(parts.next()), parts.next()) {
        (Some(per_second), Some(burst), None) => Quota { per_second, burst },
        _ => {
            env.wrong(
                name,
                &format!("must be requests per second, a slash and the burst, such as 20/40, not {text:?}"),
            );
            default
        }
    }
}

/// What a single request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many requests may be served at once; more are refused.
    pub concurrent_requests: usize,
    /// Items on a page, unless the client says otherwise.
    pub default_page_size: u64,
    /// The most items on a page.
    pub max_page_size: u64,
    /// The most lines of an order.
    pub order_items: usize,
}

impl Limits {
    fn read(env: &mut Reader) -> Self {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let max_page_size = env.number("GLASSHOUSE_MAX_PAGE_SIZE", 100, 1..=1000);
        Self {
            body_bytes: size(env.number("GLASSHOUSE_MAX_BODY_BYTES", 65_536, 1024..=16_777_216)),
            header_timeout: env.milliseconds("GLASSHOUSE_HEADER_TIMEOUT_MS", 5_000),
            request_timeout: env.milliseconds("GLASSHOUSE_REQUEST_TIMEOUT_MS", 15_000),
            concurrent_requests: size(env.number("GLASSHOUSE_MAX_CONCURRENT_REQUESTS", 512, 1..=100_000)),
            default_page_size: max_page_size.min(20),
            max_page_size,
            order_items: size(env.number("GLASSHOUSE_MAX_ORDER_ITEMS", 50, 1..=500)),
        }
    }
}

/// Passwords and tokens.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// How tokens are signed.
    pub tokens: TokenSettings,
    /// What a password hash costs.
    pub argon2: Argon2Settings,
}

const MIN_SECRET_BYTES: usize = 32;

impl AuthConfig {
    fn read(role: Role, env: &mut Reader) -> Self {
        // The demo's tokens are good for a day of looking around, and end with its process.
        let (life, own_secret) = match role {
            Role::Demo => (86_400, Some(random_secret())),
            Role::Serve | Role::Worker | Role::Gateway => (900, None),
        };
        let check = |text: &str| {
            if text.len() < MIN_SECRET_BYTES {
                return Err(format!(
                    "must have at least {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` makes one"
                ));
            }
            Ok(SecretString::from(text))
        };
        let secret = match own_secret.filter(|_| env.text("JWT_SECRET").is_none()) {
            Some(secret) => secret,
            None => {
                let hint = "set it to a secret of your own; `openssl rand -hex 32` makes one";
                env.required("JWT_SECRET", hint, SecretString::default(), check)
            }
        };
        Self {
            tokens: TokenSettings { secret, life: env.seconds("GLASSHOUSE_TOKEN_SECONDS", life) },
            argon2: Self::read_argon2(env),
        }
    }

    /// Reads just what a password hash costs.
    pub fn read_argon2(env: &mut Reader) -> Argon2Settings {
        let memory_kib = env.number("GLASSHOUSE_ARGON2_MEMORY_KIB", 19_456, 64..=1_048_576);
        let passes = env.number("GLASSHOUSE_ARGON2_PASSES", 2, 1..=100);
        Argon2Settings {
            memory_kib: u32::try_from(memory_kib).unwrap_or(u32::MAX),
            passes: u32::try_from(passes).unwrap_or(u32::MAX),
            at_once: available_parallelism().map_or(2, usize::from),
        }
    }
}

fn random_secret() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    SecretString::from(bytes.map(|byte| format!("{byte:02x}")).concat())
}

/// The database, and Redis where this process uses it.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// The database that requests use.
    pub database: DatabaseSettings,
    /// The database as its owner reaches it, for migrations.
    pub migration_url: SecretString,
    /// Redis; `None` keeps the cache and the rate limiter in this process.
    pub redis: Option<RedisSettings>,
    /// The folder of the demo's own database, to be created.
    pub data_directory: Option<PathBuf>,
}

impl StorageConfig {
    pub(super) fn read(role: Role, env: &mut Reader) -> Self {
        let data_directory = (role == Role::Demo).then(|| data_directory(env)).flatten();
        let url = match &data_directory {
            Some(directory) => {
                SecretString::from(format!("sqlite://{}", directory.join("glasshouse.sqlite3").display()))
            }
            None => {
                let hint = "set it to postgres://USER:PASSWORD@HOST/DATABASE";
                env.required("DATABASE_URL", hint, SecretString::default(), database_url)
            }
        };
        let pool_size = env.number("DATABASE_POOL_SIZE", 10, 1..=1000);
        let pool_size = u32::try_from(pool_size).unwrap_or(10);
        Self {
            migration_url: migration_url(&url, env),
            database: DatabaseSettings {
                url,
                pool_size,
                acquire_timeout: env.milliseconds("DATABASE_ACQUIRE_TIMEOUT_MS", 3_000),
                statement_timeout: env.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS", 5_000),
                slow_query: env.milliseconds("GLASSHOUSE_SLOW_QUERY_MS", 1_000),
                reconcile_after: env.seconds("GLASSHOUSE_RECONCILE_AFTER_SECONDS", 30),
            },
            redis: redis(role, env),
            data_directory,
        }
    }

    /// Reads just what seeding needs: the service's way to the database.
    pub fn read_for_seed(env: &mut Reader) -> Self {
        Self::read(Role::Worker, env)
    }

    /// Reads just what migrations need: the owner's way to the database.
    pub fn read_migration_url(env: &mut Reader) -> SecretString {
        if env.text("DATABASE_MIGRATION_URL").is_some() {
            return migration_url(&SecretString::default(), env);
        }
        let hint = "set it, or DATABASE_MIGRATION_URL, to postgres://OWNER:PASSWORD@HOST/DATABASE";
        env.required("DATABASE_URL", hint, SecretString::default(), database_url)
    }
}

fn migration_url(fallback: &SecretString, env: &mut Reader) -> SecretString {
    match env.text("DATABASE_MIGRATION_URL") {
        None => fallback.clone(),
        Some(_) => env.required("DATABASE_MIGRATION_URL", "", SecretString::default(), database_url),
    }
}

/// Accepts the addresses of Postgres and SQLite. A wrong one is not repeated: it may hold a password.
fn database_url(text: &str) -> Result<SecretString, String> {
    match text.split_once(':') {
        Some(("sqlite", _)) => Ok(SecretString::from(text)),
        Some(("postgres" | "postgresql", _)) => valid_url(text),
        _ => Err("must begin with postgres:// (or sqlite:// for a trial on one machine)".to_owned()),
    }
}

/// The address unchanged, if it is a URL. What is wrong with it is told without repeating any of it.
fn valid_url(text: &str) -> Result<SecretString, String> {
    match Url::parse(text) {
        Ok(_) => Ok(SecretString::from(text)),
        Err(error) => Err(format!(
            "is no URL: {error} (in a password, write characters other than letters, digits, - and _ as %XX)"
        )),
    }
}

/// Where the demo keeps its database, unless it is told to use another one.
fn data_directory(env: &mut Reader) -> Option<PathBuf> {
    let directory = env.or("GLASSHOUSE_DATA_DIR", PathBuf::from("glasshouse-data"));
    env.text("DATABASE_URL").is_none().then_some(directory)
}

fn redis(role: Role, env: &mut Reader) -> Option<RedisSettings> {
    match role {
        Role::Serve => {}
        Role::Demo if env.text("REDIS_URL").is_some() => {}
        // The cache and the rate limiter belong to the API: a worker must not depend on them.
        Role::Demo | Role::Worker | Role::Gateway => return None,
    }
    let hint = "set it to redis://HOST:6379";
    let url = env.required("REDIS_URL", hint, SecretString::default(), |text| match text.split_once(':') {
        Some(("redis" | "rediss" | "redis+unix" | "unix", _)) => valid_url(text),
        _ => Err("must begin with redis://".to_owned()),
    });
    let pool_size = env.number("REDIS_POOL_SIZE", 16, 1..=1000);
    let timeout = env.milliseconds("REDIS_TIMEOUT_MS", 250);
    Some(RedisSettings { url, pool_size: usize::try_from(pool_size).unwrap_or(16), timeout })
}

/// The payment gateway, as its client sees it.
#[derive(Clone, Debug)]
pub struct PaymentGatewayConfig {
    /// Where it is; `None` is the simulator of this process.
    pub url: Option<Url>,
    /// How patient to be with it.
    pub settings: GatewaySettings,
}

impl PaymentGatewayConfig {
    pub(super) fn read(role: Role, env: &mut Reader) -> Self {
        let attempts = env.number("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", 3, 1..=10);
        let failures = env.number("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", 5, 1..=1000);
        let settings = GatewaySettings {
            attempt_timeout: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", 2_000),
            attempts: u32::try_from(attempts).unwrap_or(3),
            backoff: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_BACKOFF_MS", 100),
            circuit_breaker: CircuitBreakerSettings {
                failures: u32::try_from(failures).unwrap_or(5),
                pause: env.milliseconds("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS", 10_000),
            },
        };
        Self { url: gateway_url(role, env), settings }
    }
}

fn gateway_url(role: Role, env: &mut Reader) -> Option<Url> {
    if role == Role::Demo && env.text("GLASSHOUSE_PAYMENT_GATEWAY_URL").is_none() {
        return None;
    }
    let parse = |text: &str| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(url)),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("is no URL: {error}")),
    };
    let hint = "set it to the gateway's address, such as http://gateway:8090";
    env.required("GLASSHOUSE_PAYMENT_GATEWAY_URL", hint, None, parse)
}

/// The outbox relay and the payment reconciler.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// How often to look for undelivered messages.
    pub outbox_poll: Duration,
    /// How long a message belongs to the worker that took it.
    pub outbox_lease: Duration,
    /// How often to look for open payments.
    pub reconcile_poll: Duration,
    /// How long a payment belongs to the worker that took it.
    pub reconcile_lease: Duration,
    /// How many items to take at once.
    pub batch: u32,
    /// How long idempotency keys are remembered.
    pub idempotency_life: Duration,
}

impl WorkerConfig {
    pub(super) fn read(env: &mut Reader) -> Self {
        let batch = env.number("GLASSHOUSE_WORKER_BATCH", 50, 1..=1000);
        let hours = env.number("GLASSHOUSE_IDEMPOTENCY_HOURS", 24, 1..=720);
        Self {
            outbox_poll: env.milliseconds("GLASSHOUSE_OUTBOX_POLL_MS", 500),
            outbox_lease: env.seconds("GLASSHOUSE_OUTBOX_LEASE_SECONDS", 30),
            reconcile_poll: env.milliseconds("GLASSHOUSE_RECONCILE_POLL_MS", 2_000),
            reconcile_lease: env.seconds("GLASSHOUSE_RECONCILE_LEASE_SECONDS", 30),
            batch: u32::try_from(batch).unwrap_or(50),
            idempotency_life: Duration::from_secs(hours * 3600),
        }
    }
}

/// How to stop.
#[derive(Clone, Copy, Debug)]
pub struct ShutdownConfig {
    /// How long to go on serving after readiness turned 503, so that load balancers notice.
    pub drain: Duration,
    /// How long requests and background work may take to finish after that.
    pub grace: Duration,
}

impl ShutdownConfig {
    pub(super) fn read(env: &mut Reader) -> Self {
        let drain = env.number("GLASSHOUSE_SHUTDOWN_DRAIN_MS", 1_000, 0..=600_000);
        Self {
            drain: Duration::from_millis(drain),
            grace: env.seconds("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", 20),
        }
    }
}
