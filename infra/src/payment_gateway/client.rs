//! The HTTP client: sends requests to the gateway, and records a span and metrics for each attempt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use glasshouse_domain::id::PaymentId;
use glasshouse_domain::payment::{ChargeOutcome, GatewayFailure, PaymentGateway};
use glasshouse_domain::values::Money;
use opentelemetry::propagation::Injector;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use tracing::Instrument;
use url::Url;

use super::circuit_breaker::{CircuitBreaker, CircuitBreakerSettings};
use super::wire::{self, ChargeRequest, ChargeStatus, IDEMPOTENCY_KEY};
use glasshouse_telemetry::propagation;
use glasshouse_telemetry::service::events::payment_gateway::PaymentGatewayTimeout;
use glasshouse_telemetry::service::metrics::GatewayMetrics;

/// Timeouts, retries, and the circuit breaker of the client.
#[derive(Clone, Copy, Debug)]
pub struct GatewaySettings {
    /// The timeout of one attempt.
    pub attempt_timeout: Duration,
    /// The maximum number of attempts of a call; at least 1.
    pub attempts: u32,
    /// The delay before the second attempt. It doubles with each further attempt. Random jitter is added, so that
    /// clients that failed together do not retry together.
    pub backoff: Duration,
    /// When the circuit breaker opens.
    pub circuit_breaker: CircuitBreakerSettings,
}

/// The client. Clones share the connections and the circuit breaker.
#[derive(Clone, Debug)]
pub struct GatewayClient {
    http: Client,
    url: Url,
    settings: GatewaySettings,
    breaker: Arc<CircuitBreaker>,
    metrics: GatewayMetrics,
}

impl GatewayClient {
    /// A client of the gateway at `url`, such as `http://gateway:8090`.
    ///
    /// # Errors
    /// When the HTTP client cannot be created.
    pub fn new(url: Url, settings: GatewaySettings, metrics: GatewayMetrics) -> Result<Self, reqwest::Error> {
        let http = Client::builder().timeout(settings.attempt_timeout).build()?;
        let breaker = Arc::new(CircuitBreaker::new(settings.circuit_breaker, metrics.clone()));
        Ok(Self { http, url, settings, breaker, metrics })
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v1", "charges"]).extend(path);
        }
        self.http.request(method, url)
    }

    /// Sends a request about a payment, and retries it while attempts are left. `Ok(None)` stands for a 404.
    async fn send(
        &self,
        payment: PaymentId,
        request: RequestBuilder,
    ) -> Result<Option<wire::Charge>, GatewayFailure> {
        if !self.breaker.try_acquire(Instant::now()) {
            return Err(GatewayFailure::CircuitOpen);
        }
        let attempt = || async {
            // The body is in memory, so the request can always be cloned.
            let copy =
                request.try_clone().and_then(|copy| copy.build().ok()).ok_or(AttemptError::NotCloneable)?;
            self.execute(copy).await
        };
        let retries = self.settings.attempts.saturating_sub(1);
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.settings.backoff)
            .with_max_times(usize::try_from(retries).unwrap_or(usize::MAX))
            .with_jitter();
        let result = attempt.retry(backoff).when(AttemptError::is_retryable).await;
        match &result {
            Err(failure) if failure.is_retryable() => self.breaker.failed(Instant::now()),
            _ => self.breaker.succeeded(),
        }
        let result = result.map_err(GatewayFailure::from);
        if let Err(GatewayFailure::TimedOut) = result {
            PaymentGatewayTimeout { payment_id: &payment }.emit();
        }
        result
    }
}

impl GatewayClient {
    /// Sends a request once, in a client span whose context the gateway continues.
    async fn execute(&self, mut request: reqwest::Request) -> Result<Option<wire::Charge>, AttemptError> {
        let operation = wire::operation(request.method(), request.url().path());
        let span = tracing::info_span!(
            "payment_gateway",
            otel.name = format!("{} {}", request.method(), wire::route(request.url().path())),
            otel.kind = "client",
            http.request.method = %request.method(),
            http.response.status_code = tracing::field::Empty,
            server.address = request.url().host_str(),
            server.port = request.url().port_or_known_default(),
            url.template = wire::route(request.url().path()),
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let send = async {
            propagation::inject(&mut HeaderInjector(request.headers_mut()));
            let response = self.http.execute(request).await?;
            tracing::Span::current().record("http.response.status_code", response.status().as_u16());
            parse(response).await
        };
        let started = Instant::now();
        let result = send.instrument(span.clone()).await;
        let outcome = result.as_ref().map_or_else(AttemptError::outcome, |_| "ok");
        self.metrics.attempted(operation, outcome, started.elapsed());
        if let Err(failure) = &result {
            span.record("error.type", failure.kind());
            span.record("otel.status_code", "ERROR");
        }
        result
    }
}

/// Injects trace context into the headers of a request.
struct HeaderInjector<'a>(&'a mut HeaderMap);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), value.parse()) {
            self.0.insert(name, value);
        }
    }
}

/// Parses a response of the gateway. `None` stands for a 404.
async fn parse(response: reqwest::Response) -> Result<Option<wire::Charge>, AttemptError> {
    match response.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => Ok(Some(response.json().await?)),
        status => Err(AttemptError::Status(status)),
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the payment gateway returned {0}")]
    Status(StatusCode),
    #[error("the request cannot be cloned for a retry")]
    NotCloneable,
    #[error("the payment gateway has no such charge")]
    UnknownCharge,
}

impl AttemptError {
    /// Whether another attempt may succeed, because the gateway or the connection failed. A rejected request is final.
    /// A retry is always safe: every request has the payment's id as its idempotency key.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => !error.is_builder(),
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::NotCloneable | Self::UnknownCharge => false,
        }
    }

    /// The metric label `outcome`.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Http(error) if error.is_timeout() => "timeout",
            _ => "error",
        }
    }

    /// The span attribute `error.type`.
    fn kind(&self) -> String {
        match self {
            Self::Http(error) if error.is_timeout() => "timeout".to_owned(),
            Self::Http(error) if error.is_connect() => "connection".to_owned(),
            Self::Http(_) => "protocol".to_owned(),
            Self::Status(status) => status.as_u16().to_string(),
            Self::NotCloneable | Self::UnknownCharge => "internal".to_owned(),
        }
    }
}

impl From<AttemptError> for GatewayFailure {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Http(error) if error.is_timeout() => Self::TimedOut,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl PaymentGateway for GatewayClient {
    async fn charge(&self, payment: PaymentId, amount: Money) -> Result<ChargeOutcome, GatewayFailure> {
        let body =
            ChargeRequest { amount_minor: amount.minor(), currency: amount.currency().code().to_owned() };
        let request = self.request(Method::POST, &[]).json(&body);
        let request = request.header(IDEMPOTENCY_KEY, payment.to_string());
        outcome_of_existing(self.send(payment, request).await?)
    }

    async fn find_charge(&self, payment: PaymentId) -> Result<Option<ChargeOutcome>, GatewayFailure> {
        let charge = self.send(payment, self.request(Method::GET, &[&payment.to_string()])).await?;
        Ok(charge.map(outcome))
    }

    async fn void_charge(&self, payment: PaymentId) -> Result<ChargeOutcome, GatewayFailure> {
        outcome_of_existing(
            self.send(payment, self.request(Method::POST, &[&payment.to_string(), "void"])).await?,
        )
    }

    async fn refund(&self, payment: PaymentId) -> Result<(), GatewayFailure> {
        outcome_of_existing(
            self.send(payment, self.request(Method::POST, &[&payment.to_string(), "refund"])).await?,
        )?;
        Ok(())
    }
}

/// The outcome of a charge that must exist.
fn outcome_of_existing(charge: Option<wire::Charge>) -> Result<ChargeOutcome, GatewayFailure> {
    charge.map(outcome).ok_or_else(|| AttemptError::UnknownCharge.into())
}

fn outcome(charge: wire::Charge) -> ChargeOutcome {
    match charge.status {
        ChargeStatus::Succeeded | ChargeStatus::Refunded => ChargeOutcome::Succeeded,
        ChargeStatus::Declined => {
            ChargeOutcome::Declined { reason: charge.decline_reason.unwrap_or_else(|| "unknown".to_owned()) }
        }
    }
}
