//! The connection pool of Redis. Every call has a short timeout, and callers continue without Redis when a call
//! fails. While Redis is unavailable, a circuit breaker fails calls without an attempt, so that its absence costs
//! requests nothing.

mod connector;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_redis::Manager;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo, Pipeline, ScriptInvocation,
};
use glasshouse_telemetry::service::metrics::{CacheMetrics, CircuitBreakerMetrics};
use tracing::Instrument;

use self::connector::{Broken, Connector};
use crate::outbound::{CircuitBreaker, CircuitBreakerSettings};
use crate::pool::{Pool, Sizes};
use crate::tls::{self, CertificateError};

/// The address, pool size and timeout of Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The address.
    pub address: RedisAddress,
    /// The maximum number of connections of this process.
    pub pool_size: usize,
    /// The timeout of a call, including the wait for a connection.
    pub timeout: Duration,
}

/// The parsed URL of Redis, with `rediss://` for TLS. Parsed by the library that connects with it: a URL that is accepted
/// here can be used. Its `Debug` form contains no password.
#[derive(Clone)]
pub struct RedisAddress(Box<ConnectionInfo>);

/// A URL is not the address of Redis. The message repeats no part of the URL.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRedisAddress {
    /// Not a URL of Redis.
    #[error(
        "must be a URL such as redis://HOST:6379 or rediss://HOST:6379 (with TLS): {0} (in a password, write \
         characters other than letters, digits, - and _ as %XX)"
    )]
    Url(String),
    /// The server would not be verified.
    #[error("must not end in #insecure: to trust a certificate authority of your own, set SSL_CERT_FILE")]
    Insecure,
    /// The certificate authorities of the system cannot be used.
    #[error("cannot verify the server: {0}")]
    Certificate(#[from] CertificateError),
}

impl FromStr for RedisAddress {
    type Err = InvalidRedisAddress;

    fn from_str(text: &str) -> Result<Self, InvalidRedisAddress> {
        let info = text.into_connection_info().map_err(|error| InvalidRedisAddress::Url(problem(&error)))?;
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(InvalidRedisAddress::Insecure),
            ConnectionAddr::TcpTls { .. } => tls::check_system_certificates()?,
            _ => {}
        }
        Ok(Self(Box::new(info)))
    }
}

/// What is wrong with a URL, without the detail of the error, which is a part of the URL.
fn problem(error: &deadpool_redis::redis::RedisError) -> String {
    let message = error.to_string();
    let detail = error.detail().map(|detail| format!(": {detail}"));
    detail.and_then(|detail| message.strip_suffix(&detail).map(str::to_owned)).unwrap_or(message)
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_tls = matches!(self.0.addr(), ConnectionAddr::TcpTls { .. });
        write!(f, "RedisAddress({}{})", self.0.addr(), if is_tls { ", TLS" } else { "" })
    }
}

/// Why a call to Redis failed.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// No connection is available.
    #[error("cannot connect to Redis: {0}")]
    Connect(#[from] deadpool_redis::PoolError),
    /// The command failed.
    #[error("the Redis command failed: {0}")]
    Command(#[from] deadpool_redis::redis::RedisError),
    /// The timeout elapsed.
    #[error("Redis did not respond within {0:?}")]
    TimedOut(Duration),
    /// Redis was unavailable a moment ago, so the call was not attempted.
    #[error("Redis is unavailable: its circuit is open")]
    CircuitOpen,
}

impl RedisError {
    /// Whether the connection was closed, rather than that Redis is slow or cannot be reached.
    fn is_disconnect(&self) -> bool {
        matches!(self, Self::Command(error) if !error.is_timeout()) && self.is_outage()
    }

    /// Whether Redis is unavailable, rather than that it rejects a command.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Connect(_) | Self::TimedOut(_) | Self::CircuitOpen => true,
            Self::Command(error) => {
                error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
            }
        }
    }

    /// The span attribute `error.type`: the code of an error reply, such as `READONLY`, or why there is no reply.
    fn kind(&self) -> &str {
        match self {
            Self::TimedOut(_) => "timeout",
            Self::Connect(_) => "connection",
            Self::Command(error) if error.is_timeout() => "timeout",
            Self::Command(_) if self.is_outage() => "connection",
            Self::Command(error) => error.code().unwrap_or("_OTHER"),
            Self::CircuitOpen => "_OTHER",
        }
    }
}

/// One failure opens the circuit, because the next call would wait just as long. Once a second, a call in the background
/// finds out whether Redis responds again.
const CIRCUIT_BREAKER: CircuitBreakerSettings =
    CircuitBreakerSettings { failures: 1, pause: Duration::from_secs(1) };

/// What is sent in one call.
pub(crate) enum Request<'a> {
    Command(Cmd),
    /// Commands in one round trip.
    Commands(Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, deadpool_redis::redis::RedisError> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Commands(commands) => commands.query_async(connection).await,
            Self::Script(script) => script.invoke_async(connection).await,
        }
    }
}

/// A connection pool. Clones share it.
#[derive(Clone)]
pub struct Redis {
    pool: Pool<Connector>,
    broken: Broken,
    timeout: Duration,
    breaker: Arc<CircuitBreaker>,
}

impl Redis {
    /// A pool that opens its first connection on first use.
    ///
    /// # Errors
    /// When the client cannot use the address.
    pub fn new(settings: &RedisSettings, metrics: CircuitBreakerMetrics) -> Result<Self, RedisError> {
        let manager = Manager::new((*settings.address.0).clone())?;
        let broken = Broken::default();
        let pool = Pool::new(Connector::new(manager, broken.clone()), settings.pool_size);
        let breaker = Arc::new(CircuitBreaker::new(CIRCUIT_BREAKER, metrics));
        Ok(Self { pool, broken, timeout: settings.timeout, breaker })
    }

    /// Updates the pool's gauges.
    pub fn measure_pool(&self, metrics: &CacheMetrics) {
        let Sizes { open, idle, max } = self.pool.sizes();
        metrics.set_pool(open, idle, max);
    }

    /// Checks that Redis responds, also while the circuit is open. A response closes the circuit, and its absence opens it.
    ///
    /// # Errors
    /// When it does not respond within the timeout.
    pub async fn ping(&self) -> Result<(), RedisError> {
        let pong = self.attempt("PING", &Request::Command(deadpool_redis::redis::cmd("PING"))).await;
        match &pong {
            Ok(()) => self.breaker.succeeded(),
            Err(_) => self.breaker.failed(Instant::now()),
        }
        pong
    }

    /// Sends a request, within the timeout and in a client span named `operation`. If the connection turns
    /// out to be closed, it is sent once more on a new one, although it may have had its effect: what is in Redis is
    /// cached, or counted, and a count may be too high by one. Fails without an attempt while the circuit is open.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        operation: &'static str,
        request: Request<'_>,
    ) -> Result<T, RedisError> {
        if !self.breaker.is_closed() {
            self.try_in_background();
            return Err(RedisError::CircuitOpen);
        }
        let result = self.attempt(operation, &request).await;
        match &result {
            Err(error) if error.is_outage() => self.breaker.failed(Instant::now()),
            Ok(_) | Err(_) => self.breaker.succeeded(),
        }
        result
    }

    /// The bytes of a key; `None` if it is absent.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        self.call("GET", Request::Command(Cmd::get(key))).await
    }

    /// Makes the trial call of the circuit breaker when it is due. No request waits for it.
    fn try_in_background(&self) {
        if self.breaker.try_acquire(Instant::now()) {
            let redis = self.clone();
            // A failure keeps the circuit open.
            tokio::spawn(async move { redis.ping().await });
        }
    }

    async fn attempt<T: FromRedisValue>(
        &self,
        operation: &'static str,
        request: &Request<'_>,
    ) -> Result<T, RedisError> {
        match self.attempt_once(operation, request).await {
            Err(error) if error.is_disconnect() => self.attempt_once(operation, request).await,
            result => result,
        }
    }

    async fn attempt_once<T: FromRedisValue>(
        &self,
        operation: &'static str,
        request: &Request<'_>,
    ) -> Result<T, RedisError> {
        let call = async {
            let mut connection = self.pool.get().await?;
            let response = request.send(connection.connection()).await;
            connection.give_back();
            Ok(response?)
        };
        let span = tracing::info_span!(
            "redis",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = "redis",
            db.operation.name = operation,
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let result = tokio::time::timeout(self.timeout, call.instrument(span.clone())).await;
        let result = result.unwrap_or(Err(RedisError::TimedOut(self.timeout)));
        if let Err(error) = &result {
            span.record("error.type", error.kind());
            span.record("otel.status_code", "ERROR");
            if error.is_outage() {
                self.broken.outdate();
            }
        }
        result
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_by_the_client() {
        for url in ["redis://:secret@cache:6379/1", "redis://app:p%40ss@cache", "unix:///run/redis.sock?db=1"]
        {
            assert!(url.parse::<RedisAddress>().is_ok(), "{url}");
        }
    }

    #[test]
    fn the_type_of_an_error_says_whether_there_was_a_reply() {
        use deadpool_redis::redis::{ErrorKind, RedisError as ClientError, ServerErrorKind};

        let lost = ClientError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        let read_only = ClientError::from((ErrorKind::Server(ServerErrorKind::ReadOnly), "no writes"));
        assert_eq!(RedisError::Command(lost).kind(), "connection");
        assert_eq!(RedisError::Command(read_only).kind(), "READONLY");
        assert_eq!(RedisError::TimedOut(Duration::from_secs(1)).kind(), "timeout");
    }

    #[test]
    fn no_error_and_no_debug_form_repeats_the_password() {
        let address: RedisAddress = "redis://:hunter2@cache:6380".parse().unwrap();
        assert_eq!(format!("{address:?}"), "RedisAddress(cache:6380)");
        for url in [
            "redis://:hunter2@cache:port",
            "http://:hunter2@cache",
            "redis://:hunter2@0.0.0.0",
            "redis://:hunter2@cache/one",
            "rediss://:hunter2@cache#insecure",
            "redis://cache?protocol=resp3:hunter2",
            "hunter2",
        ] {
            let error = url.parse::<RedisAddress>().unwrap_err().to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
