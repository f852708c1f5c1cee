//! A complete service with all signals: `cargo run --example shop`, then `curl -i 127.0.0.1:8080/shops/s-1/price`.
//! The variables in the crate's README say where the signals go.
#![allow(clippy::disallowed_macros, reason = "a service may write log records without `events!`")]
use std::collections::HashMap;
use std::env;
use std::time::Duration;

use actix_web::web::{Data, Path, get};
use actix_web::{App, Error, HttpResponse, HttpServer, error};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::metrics::{IntCounterVec, Registrar, StandardMetrics, StandardMetricsSettings};
use glasshouse_telemetry::profiles::{Format, record};
use glasshouse_telemetry::{Build, SpanField, Telemetry, TelemetrySettings, hub_per_request, propagation};

const BUILD: Build = Build { name: "shop", version: "1.0.0", commit: option_env!("GIT_COMMIT") };

glasshouse_telemetry::root_span! {
    /// The root span of a request, with the field of our own that handlers record.
    struct ShopSpan { shop.id }
}

/// Asks another service for the price. It continues the trace, as it gets the ids of our span.
async fn price(shop: Path<String>, quotes: Data<IntCounterVec<1>>) -> Result<String, Error> {
    tracing::Span::current().record("shop.id", &**shop);
    let Some(prices) = env::var_os("PRICES_URL") else { return Ok("10 EUR".to_owned()) };
    let mut context = HashMap::new();
    propagation::inject(&mut context);
    let request = reqwest::Client::new().get(prices.to_string_lossy().into_owned());
    let request = context.iter().fold(request, |request, (name, value)| request.header(name, value));
    let price = async { request.send().await?.text().await }.await.map_err(error::ErrorBadGateway)?;
    quotes.with(["remote"]).inc();
    tracing::info!(price, "price_quoted");
    Ok(price)
}

/// Fails: the log has the cause, and Sentry an error event with the log records that led to it.
async fn refund(shop: Path<String>) -> Result<HttpResponse, Error> {
    tracing::Span::current().record("shop.id", &**shop);
    tracing::info!("refund_requested");
    Err(error::ErrorInternalServerError("the till is broken"))
}

async fn metrics(metrics: Data<StandardMetrics>) -> Result<String, Error> {
    metrics.text().map_err(error::ErrorInternalServerError)
}

async fn flamegraph() -> Result<HttpResponse, Error> {
    let svg = record(Duration::from_secs(2), Format::Flamegraph, None).await;
    Ok(HttpResponse::Ok().content_type("image/svg+xml").body(svg.map_err(error::ErrorServiceUnavailable)?))
}

/// Exporters need a runtime with several threads. `pub(crate)`, so that a test can run it.
#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = TelemetrySettings::new("shop", BUILD);
    settings.span_fields.push(SpanField::new("shop.id", "shop_id"));
    settings.error_tags.push(SpanField::new("shop.id", "shop_id"));
    settings.read_environment(|name| env::var_os(name)?.into_string().ok())?;
    let telemetry = Telemetry::start(&settings)?;

    let mut own = Registrar::default();
    let quotes = own.int_counter_vec("price_quotes_total", "Prices quoted, by source.", ["source"])?;
    let standard = StandardMetricsSettings { build: Some(BUILD), ..Default::default() };
    let (all, quotes) = (Data::new(StandardMetrics::new(own, standard)?), Data::new(quotes));
    let server = HttpServer::new(move || {
        let (http, app) = (all.http.clone(), App::new().app_data(all.clone()).app_data(quotes.clone()));
        app.route("/shops/{id}/price", get().to(price))
            .route("/shops/{id}/refund", get().to(refund))
            .route("/metrics", get().to(metrics))
            .route("/debug/flamegraph", get().to(flamegraph))
            .wrap(Observe::new(http))
            .wrap(TracingLogger::<ShopSpan>::new())
            .wrap(hub_per_request())
    });
    let port = env::var_os("PORT").map_or(Ok(8080), |port| port.to_string_lossy().parse())?;
    let server = server.bind(("127.0.0.1", port))?;
    tracing::info!(addresses = ?server.addrs(), "application_started");
    server.run().await?;
    Ok(tokio::task::spawn_blocking(|| telemetry.shut_down()).await?)
}
