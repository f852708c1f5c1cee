//! The whole process, composed in one place: connections, servers and background work, and how they stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use anyhow::{Context, bail};
use futures_util::future::join_all;
use glasshouse_domain::failure::with_causes;
use glasshouse_infra::cache::Cache;
use glasshouse_infra::db::Database;
use glasshouse_infra::passwords::Argon2Hasher;
use glasshouse_infra::payment_gateway::GatewayClient;
use glasshouse_infra::principals::Principals;
use glasshouse_infra::rate_limit::{InProcessLimiter, RateLimiter, RedisLimiter};
use glasshouse_infra::redis::{Redis, RedisError, RedisSettings};
use glasshouse_infra::tokens::Tokens;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use crate::config::{ApiConfig, Config, PaymentGatewayConfig, ShutdownConfig, StorageConfig};
use crate::gateway::{self, Simulator};
use crate::http::health::{self, Dependencies};
use crate::http::middleware::{Draining, InFlight, observe, shed_load, time_out};
use crate::http::{docs, problem, v1};
use crate::worker::Worker;

/// A process that is built and bound to its ports, and not serving yet.
pub struct Application {
    servers: Vec<Server>,
    addresses: Addresses,
    worker: Option<Worker>,
    database: Option<Database>,
    draining: Draining,
    in_flight: InFlight,
    shutdown: ShutdownConfig,
}

/// Where the process listens. With port 0 in the configuration, these are the ports that it got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Addresses {
    /// The public interface.
    pub http: Option<SocketAddr>,
    /// The management interface.
    pub management: Option<SocketAddr>,
    /// The payment-gateway simulator.
    pub gateway: Option<SocketAddr>,
}

/// Connections that live longer than this are closed once they are idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long closing the connections to the database may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

impl Application {
    /// Connects to everything the configuration names, checks that it answers, and binds the ports.
    ///
    /// # Errors
    /// When something cannot be reached or bound: the process must not start half.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "application_starting");
        let (draining, mut addresses, mut servers) = (Draining::default(), Addresses::default(), Vec::new());
        let dependencies = match &config.storage {
            Some(storage) => connect(storage).await?,
            None => Dependencies::default(),
        };
        if let Some(address) = config.gateway_addr {
            let (listener, bound) = bind(address, "GLASSHOUSE_GATEWAY_ADDR")?;
            addresses.gateway = Some(bound);
            servers.push(gateway_server(listener, config.shutdown)?);
        }
        let payment_gateway = match &config.payment_gateway {
            Some(settings) => Some(gateway_client(settings, addresses.gateway)?),
            None => None,
        };
        let in_flight = InFlight::new(config.api.as_ref().map_or(0, |api| api.limits.concurrent_requests));
        if let (Some(api), Some(gateway)) = (config.api, &payment_gateway) {
            let (listener, bound) = bind(api.http_addr, "GLASSHOUSE_HTTP_ADDR")?;
            addresses.http = Some(bound);
            let parts = ApiParts::new(api, &dependencies, gateway, &draining, &in_flight)?;
            servers.push(parts.server(listener, config.shutdown)?);
        }
        let (listener, bound) = bind(config.management_addr, "GLASSHOUSE_MANAGEMENT_ADDR")?;
        addresses.management = Some(bound);
        servers.push(management_server(listener, dependencies.clone(), draining.clone())?);
        let database = dependencies.database;
        let worker = match (config.worker, &database, payment_gateway) {
            (Some(worker), Some(database), Some(gateway)) => {
                Some(Worker::new(database.clone(), gateway, worker))
            }
            _ => None,
        };
        Ok(Self { servers, addresses, worker, database, draining, in_flight, shutdown: config.shutdown })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The port of the public interface, or 0 if this process has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addresses.http.map_or(0, |address| address.port())
    }

    /// Serves until `stop`, and then stops in order: readiness turns 503, requests and background work finish,
    /// connections close.
    ///
    /// # Errors
    /// When a server fails, or the work does not finish in time.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handles: Vec<ServerHandle> = self.servers.iter().map(Server::handle).collect();
        let mut serving: JoinSet<io::Result<()>> = self.servers.into_iter().collect();
        let stop_working = CancellationToken::new();
        let mut working = JoinSet::new();
        if let Some(worker) = self.worker {
            let stop = stop_working.clone();
            working.spawn(async move { worker.run(&stop).await });
        }
        let Addresses { http, management, gateway } = self.addresses;
        tracing::info!(
            http_addr = http.map(display),
            management_addr = management.map(display),
            gateway_addr = gateway.map(display),
            "application_started"
        );
        tokio::select! {
            () = stop => {}
            Some(ended) = serving.join_next() => bail!("a server stopped by itself: {ended:?}"),
        }

        tracing::info!("application_stopping");
        self.draining.start();
        stop_working.cancel();
        tokio::time::sleep(self.shutdown.drain).await;
        let finish = async {
            working.join_all().await;
            finish_requests(&self.in_flight).await;
            join_all(handles.iter().map(|handle| handle.stop(true))).await;
            serving.join_all().await;
        };
        let in_time = tokio::time::timeout(self.shutdown.grace, finish).await;
        if let Some(database) = self.database {
            // Closing waits for connections in use, and a request that is stuck never gives its own back.
            let _ = tokio::time::timeout(CLOSE_PATIENCE, database.close()).await;
        }
        in_time.context("requests or background work did not finish in time")?;
        tracing::info!("application_stopped");
        Ok(())
    }
}

/// Waits for the requests that are being served. Each server thread has connections to the database that
/// others use too, so no thread may end before the last request has.
async fn finish_requests(in_flight: &InFlight) {
    while in_flight.count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Opens the connections and makes sure that each of them works.
async fn connect(storage: &StorageConfig) -> anyhow::Result<Dependencies> {
    let database = Database::connect(&storage.database)
        .await
        .inspect_err(|error| tracing::error!(error = with_causes(error), "database_connection_failed"))
        .context("database_connection_failed")?;
    database.check_isolation().await.context("database_check_failed")?;
    tracing::info!("database_connection_ok");
    let redis = match &storage.redis {
        Some(settings) => {
            let redis = connect_redis(settings)
                .await
                .inspect_err(|error| tracing::error!(error = with_causes(error), "redis_connection_failed"))
                .context("redis_connection_failed")?;
            tracing::info!("redis_connection_ok");
            Some(redis)
        }
        None => None,
    };
    Ok(Dependencies { database: Some(database), redis })
}

async fn connect_redis(settings: &RedisSettings) -> Result<Redis, RedisError> {
    let redis = Redis::new(settings)?;
    redis.ping().await?;
    Ok(redis)
}

fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}: set {variable} to a free address"))?;
    let bound = listener.local_addr().context("cannot tell the address that was bound")?;
    Ok((listener, bound))
}

fn gateway_client(
    config: &PaymentGatewayConfig,
    simulator: Option<SocketAddr>,
) -> anyhow::Result<GatewayClient> {
    let url = match (&config.url, simulator) {
        (Some(url), _) => url.clone(),
        (None, Some(address)) => Url::parse(&format!("http://{address}"))?,
        (None, None) => bail!("GLASSHOUSE_PAYMENT_GATEWAY_URL: is not set"),
    };
    GatewayClient::new(url, config.settings).context("cannot make a client of the payment gateway")
}

/// What the handlers of the public interface need, each on its own: a handler names what it uses.
#[derive(Clone)]
struct ApiParts {
    config: ApiConfig,
    database: Database,
    dependencies: Dependencies,
    principals: Principals,
    limiter: web::Data<RateLimiter>,
    tokens: Tokens,
    hasher: Argon2Hasher,
    gateway: GatewayClient,
    draining: Draining,
    in_flight: InFlight,
}

impl ApiParts {
    fn new(
        config: ApiConfig,
        dependencies: &Dependencies,
        gateway: &GatewayClient,
        draining: &Draining,
        in_flight: &InFlight,
    ) -> anyhow::Result<Self> {
        let database = dependencies.database.clone().context("the API needs a database")?;
        let (cache, limiter) = match &dependencies.redis {
            Some(redis) => {
                let limiter = RedisLimiter::new(redis.clone(), config.quotas);
                (Cache::Redis(redis.clone()), RateLimiter::Redis(limiter))
            }
            None => {
                let limiter = InProcessLimiter::new(&config.quotas);
                (Cache::in_process(10_000), RateLimiter::InProcess(limiter))
            }
        };
        Ok(Self {
            principals: Principals::new(database.clone(), cache),
            limiter: web::Data::new(limiter),
            tokens: Tokens::new(&config.auth.tokens),
            hasher: Argon2Hasher::new(config.auth.argon2)?,
            gateway: gateway.clone(),
            dependencies: dependencies.clone(),
            draining: draining.clone(),
            in_flight: in_flight.clone(),
            database,
            config,
        })
    }

    fn server(self, listener: TcpListener, shutdown: ShutdownConfig) -> anyhow::Result<Server> {
        let ApiConfig { http_workers, limits, .. } = self.config.clone();
        let server = HttpServer::new(move || {
            let parts = self.clone();
            let (json, query, path) = problem::extractor_configs(&limits);
            let (app, openapi) = App::new().into_utoipa_app().configure(v1::routes).split_for_parts();
            drop(openapi);
            app.app_data(json)
                .app_data(query)
                .app_data(path)
                .app_data(web::Data::new(limits))
                .app_data(web::Data::new(parts.database))
                .app_data(web::Data::new(parts.dependencies))
                .app_data(web::Data::new(parts.principals))
                .app_data(parts.limiter)
                .app_data(web::Data::new(parts.tokens))
                .app_data(web::Data::new(parts.hasher))
                .app_data(web::Data::new(parts.gateway))
                .app_data(web::Data::new(parts.draining))
                .app_data(web::Data::new(parts.in_flight))
                .configure(health::routes)
                .service(web::redirect("/docs", "/docs/"))
                .service(SwaggerUi::new("/docs/{_:.*}").url(docs::OPENAPI_PATH, docs::openapi()))
                .default_service(web::to(problem::unknown_route))
                .wrap(from_fn(time_out))
                .wrap(from_fn(shed_load))
                .wrap(Compress::default())
                .wrap(from_fn(observe))
        });
        let server = server
            .workers(http_workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(limits.header_timeout)
            .shutdown_timeout(shutdown.grace.as_secs())
            .disable_signals()
            .listen(listener)?;
        Ok(server.run())
    }
}

/// Health checks now; metrics, profiles and faults are to follow. Nothing of it is public.
fn management_server(
    listener: TcpListener,
    dependencies: Dependencies,
    draining: Draining,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(dependencies.clone()))
            .app_data(web::Data::new(draining.clone()))
            .configure(health::routes)
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

fn gateway_server(listener: TcpListener, shutdown: ShutdownConfig) -> anyhow::Result<Server> {
    let simulator = Simulator::default();
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(simulator.clone())).configure(gateway::routes)
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(shutdown.grace.as_secs()).listen(listener)?.run())
}
