//! The third parties that the service calls: their settings, and their clients.

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use glasshouse_infra::outbound::{CircuitBreakerSettings, ClientSettings, OutboundClient};
use glasshouse_infra::payment_gateway::GatewayClient;
use glasshouse_telemetry::service::metrics::Metrics;
use url::Url;

use crate::environment::Reader;

/// The settings of the clients.
#[derive(Clone, Debug)]
pub struct ThirdPartySettings {
    /// The payment gateway; `None` is the simulator of this process, which only the demo has.
    pub payment_gateway_url: Option<Url>,
    /// How the client of the payment gateway handles failures.
    pub payment_gateway: ClientSettings,
}

/// The clients. Clones share their connections and circuit breakers.
#[derive(Clone, Debug)]
pub struct ThirdParties {
    /// The client of the payment gateway.
    pub payment_gateway: GatewayClient,
}

impl ThirdPartySettings {
    /// Reads the settings; the URLs are required.
    pub fn read(env: &mut Reader) -> Option<Self> {
        let payment_gateway_url = read_url(&PAYMENT_GATEWAY, env);
        let payment_gateway = read_client(&PAYMENT_GATEWAY, env);
        Some(Self { payment_gateway_url: Some(payment_gateway_url?), payment_gateway })
    }

    /// Reads the settings of the demo, which has a simulator of its own.
    pub fn read_for_demo(env: &mut Reader) -> Self {
        let is_set = env.text(PAYMENT_GATEWAY.url).is_some();
        let payment_gateway_url = is_set.then(|| read_url(&PAYMENT_GATEWAY, env)).flatten();
        Self { payment_gateway_url, payment_gateway: read_client(&PAYMENT_GATEWAY, env) }
    }
}

impl ThirdParties {
    /// The clients of all third parties. `simulator` is the URL of the payment-gateway simulator of this process.
    ///
    /// # Errors
    /// When a third party has no URL, or its client cannot be created.
    pub fn new(
        settings: ThirdPartySettings,
        simulator: Option<Url>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let url = settings.payment_gateway_url.or(simulator).context("the payment gateway has no URL")?;
        let client = OutboundClient::new(url, settings.payment_gateway, metrics.payment_gateway.clone())
            .context("cannot create the client of the payment gateway")?;
        Ok(Self { payment_gateway: GatewayClient::new(client) })
    }

    /// Registers each client as app data, for the handlers.
    pub fn register(&self, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.payment_gateway.clone()));
    }
}

/// The environment variables of one client.
struct Variables {
    url: &'static str,
    /// An example of the URL.
    example: &'static str,
    timeout: &'static str,
    attempts: &'static str,
    backoff: &'static str,
    circuit_failures: &'static str,
    circuit_pause: &'static str,
}

const PAYMENT_GATEWAY: Variables = Variables {
    url: "GLASSHOUSE_PAYMENT_GATEWAY_URL",
    example: "http://gateway:8090",
    timeout: "GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS",
    attempts: "GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS",
    backoff: "GLASSHOUSE_PAYMENT_GATEWAY_BACKOFF_MS",
    circuit_failures: "GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES",
    circuit_pause: "GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_PAUSE_MS",
};

/// Reads the URL of a third party, which is required.
fn read_url(variables: &Variables, env: &mut Reader) -> Option<Url> {
    let hint = format!("set it to an address such as {}", variables.example);
    env.required(variables.url, &hint, |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err("must begin with http:// or https://".to_owned()),
        Err(error) => Err(format!("is not a URL: {error}")),
    })
}

/// Reads timeouts, retries and circuit breaker of a client.
fn read_client(variables: &Variables, env: &mut Reader) -> ClientSettings {
    let attempts = env.number(variables.attempts, 3, 1..=10);
    let failures = env.number(variables.circuit_failures, 5, 1..=1000);
    ClientSettings {
        attempt_timeout: env.milliseconds(variables.timeout, 2_000),
        attempts: u32::try_from(attempts).unwrap_or(3),
        backoff: env.milliseconds(variables.backoff, 100),
        circuit_breaker: CircuitBreakerSettings {
            failures: u32::try_from(failures).unwrap_or(5),
            pause: env.milliseconds(variables.circuit_pause, 10_000),
        },
    }
}
