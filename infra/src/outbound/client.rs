//! The HTTP client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use glasshouse_telemetry::propagation;
use glasshouse_telemetry::service::metrics::{Attempt, OutboundMetrics};
use opentelemetry::propagation::Injector;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Method, Request, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use tracing::Instrument;
use url::Url;

use super::circuit_breaker::{CircuitBreaker, CircuitBreakerSettings};
use super::retry_budget::RetryBudget;

/// How the client of a third party handles failures.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
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

/// The client of one third party. Clones share the connections, the circuit breaker and the budget of retries.
#[derive(Clone, Debug)]
pub struct OutboundClient {
    http: Client,
    url: Url,
    settings: ClientSettings,
    breaker: Arc<CircuitBreaker>,
    retry_budget: Arc<RetryBudget>,
    metrics: OutboundMetrics,
}

/// One call of a third party. It must be idempotent, as it may be sent several times.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The metric label `operation`, such as `void`.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: &'a Method,
    /// The span attribute `url.template`, such as `/v1/charges/{key}/void`. Each `{parameter}` is the next one of
    /// [`parameters`](Self::parameters), percent-encoded.
    pub template: &'static str,
    /// The parameters of the path.
    pub parameters: &'a [&'a str],
}

/// A call that has no known outcome. The third party may or may not have acted.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// The last attempt timed out.
    #[error("the call timed out")]
    TimedOut,
    /// The circuit breaker is open after repeated failures, so no request was sent.
    #[error("the circuit breaker is open")]
    CircuitOpen,
    /// The third party was unreachable, returned an error, or sent a response that is not in its protocol.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl OutboundClient {
    /// A client of the third party at `url`, such as `http://gateway:8090`.
    ///
    /// # Errors
    /// When the HTTP client cannot be created.
    pub fn new(url: Url, settings: ClientSettings, metrics: OutboundMetrics) -> Result<Self, reqwest::Error> {
        let http = Client::builder().timeout(settings.attempt_timeout).build()?;
        let breaker = Arc::new(CircuitBreaker::new(settings.circuit_breaker, metrics.breaker.clone()));
        let retry_budget = Arc::new(RetryBudget::new(Instant::now()));
        Ok(Self { http, url, settings, breaker, retry_budget, metrics })
    }

    /// Sends a call, to which `complete` adds headers and a body in memory, and retries it while attempts and
    /// the budget of retries are left.
    /// Returns the JSON body of the response; `None` stands for a 404.
    ///
    /// # Errors
    /// When no attempt had a successful response.
    pub async fn send<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        complete: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Option<T>, CallFailure> {
        if !self.breaker.try_acquire(Instant::now()) {
            return Err(CallFailure::CircuitOpen);
        }
        let request = complete(self.http.request(call.method.clone(), call.url(&self.url)));
        let attempt = || async {
            let copy =
                request.try_clone().and_then(|copy| copy.build().ok()).ok_or(AttemptError::NotCloneable)?;
            self.execute(call, copy).await
        };
        let result = self.with_retries(attempt).await;
        match &result {
            Err(failure) if failure.is_retryable() => self.breaker.failed(Instant::now()),
            _ => self.breaker.succeeded(),
        }
        result.map_err(CallFailure::from)
    }

    /// Repeats an attempt that fails in a way that may pass, as often as the settings and the budget permit.
    async fn with_retries<T, F: Future<Output = Result<T, AttemptError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, AttemptError> {
        let retries = self.settings.attempts.saturating_sub(1);
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(self.settings.backoff)
            .with_max_times(usize::try_from(retries).unwrap_or(usize::MAX))
            .with_jitter()
            .build();
        self.retry_budget.add_call(Instant::now());
        loop {
            let result = attempt().await;
            if !result.as_ref().is_err_and(AttemptError::is_retryable) {
                return result;
            }
            let Some(delay) = delays.next() else { return result };
            if !self.retry_budget.take(Instant::now()) {
                self.metrics.retry_over_budget();
                return result;
            }
            self.metrics.retried();
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends a request once, in a client span whose context the third party continues.
    async fn execute<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        mut request: Request,
    ) -> Result<Option<T>, AttemptError> {
        let span = tracing::info_span!(
            "outbound_call",
            otel.name = format!("{} {}", call.method, call.template),
            otel.kind = "client",
            http.request.method = %call.method,
            http.response.status_code = tracing::field::Empty,
            server.address = request.url().host_str(),
            server.port = request.url().port_or_known_default(),
            url.template = call.template,
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let mut status = None;
        let send = async {
            propagation::inject(&mut HeaderInjector(request.headers_mut()));
            let response = self.http.execute(request).await?;
            status = Some(response.status().as_u16());
            span.record("http.response.status_code", status);
            parse(response).await
        };
        let started = Instant::now();
        let result = send.instrument(span.clone()).await;
        let error = result.as_ref().err().map(AttemptError::kind);
        let attempt = Attempt {
            operation: call.operation,
            outcome: result.as_ref().map_or_else(AttemptError::outcome, |_| "ok"),
            method: call.method.as_str(),
            address: self.url.host_str().unwrap_or_default(),
            port: self.url.port_or_known_default(),
            status,
            error: error.as_deref(),
        };
        self.metrics.attempted(&attempt, started.elapsed());
        if let Some(error) = error {
            span.record("error.type", error);
            span.record("otel.status_code", "ERROR");
        }
        result
    }
}

impl Call<'_> {
    /// The URL of the call at a third party.
    fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        let mut parameters = self.parameters.iter();
        if let Ok(mut segments) = url.path_segments_mut() {
            let template = self.template.trim_start_matches('/').split('/');
            segments.pop_if_empty().extend(template.map(|segment| {
                let parameter = if segment.starts_with('{') { parameters.next() } else { None };
                parameter.copied().unwrap_or(segment)
            }));
        }
        url
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

/// Parses a response. `None` stands for a 404.
async fn parse<T: DeserializeOwned>(response: reqwest::Response) -> Result<Option<T>, AttemptError> {
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
    #[error("the third party returned {0}")]
    Status(StatusCode),
    #[error("the request cannot be cloned for a retry")]
    NotCloneable,
}

impl AttemptError {
    /// Whether another attempt may succeed, because the third party or the connection failed. A rejected request is
    /// final.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => !error.is_builder(),
            // A server that closes an unused connection may respond 408 to a request that it has not read (RFC 9110, section
            // 15.5.9).
            Self::Status(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => true,
            Self::Status(status) => status.is_server_error(),
            Self::NotCloneable => false,
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
            Self::NotCloneable => "internal".to_owned(),
        }
    }
}

impl From<AttemptError> for CallFailure {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Http(error) if error.is_timeout() => Self::TimedOut,
            other => Self::Failed(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, template: &'static str, parameters: &[&str]) -> String {
        let call = Call { operation: "test", method: &Method::GET, template, parameters };
        call.url(&base.parse().unwrap()).into()
    }

    #[test]
    fn a_status_that_may_pass_is_retried() {
        let is_retried = |status| AttemptError::Status(StatusCode::from_u16(status).unwrap()).is_retryable();
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_retried(status), "{status}");
        }
        for status in [400, 401, 403, 409, 410, 413, 422] {
            assert!(!is_retried(status), "{status}");
        }
    }

    #[test]
    fn a_path_is_its_template_with_encoded_parameters() {
        assert_eq!(url("http://gateway", "/v1/charges", &[]), "http://gateway/v1/charges");
        let template = "/v1/charges/{key}/void";
        assert_eq!(url("http://gateway/pay/", template, &["a"]), "http://gateway/pay/v1/charges/a/void");
        assert_eq!(
            url("http://gateway", template, &["a/../b?"]),
            "http://gateway/v1/charges/a%2F..%2Fb%3F/void"
        );
    }
}
