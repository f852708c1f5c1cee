//! Builds a process part by part: connections, servers and background work.

use std::fmt::Display;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::db::ConnectionHolder;
use glasshouse_infra::faults::Faults;
use glasshouse_infra::passwords::HashingQueue;
use glasshouse_infra::redis::{Redis, RedisSettings};
use glasshouse_telemetry::service::events::process::ConnectionLimitSet;
use glasshouse_telemetry::service::metrics::Metrics;
use serde_json::json;
use url::Url;

use super::api_parts::{AdmissionParts, ApiParts, EdgeParts, HandlerParts};
use super::connections::{Connections, bind, connect, http_url};
use super::servers::{HttpServer, RunningServer, gateway_simulator_server, management_server, public_server};
use super::{Addresses, Application};
use crate::config::{AuthSettings, HttpSettings, Limits, ProcessSettings, StorageSettings, WorkerSettings};
use crate::console::Console;
use crate::console::what_if::Affected;
use crate::demo::{Demo, DemoSettings};
use crate::gateway_simulator::Simulator;
use crate::http::body::{Bodies, BodyMemory};
use crate::http::connections::{ConnectionTimeouts, connections_within, raise_descriptor_limit};
use crate::http::health::Dependencies;
use crate::http::management::console::{ConsoleParts, Files};
use crate::http::management::faults::FaultPanel;
use crate::http::management::metrics::Gauges;
use crate::http::public::concurrency::{Concurrency, ConcurrencyBounds};
use crate::http::{AllowedHosts, Draining};
use crate::third_parties::{ThirdParties, ThirdPartySettings};
use crate::worker::Worker;

/// The maximum number of connections to the management interface.
const OPERATOR_CONNECTIONS: usize = 64;

/// The maximum number of connections to the gateway simulator: more than the API has requests in flight.
const SIMULATOR_CONNECTIONS: usize = 1024;

/// How long these connections may be idle, and their heads may take.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection to the API stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The parts of a process so far.
pub(super) struct Builder {
    settings: ProcessSettings,
    metrics: Metrics,
    faults: Faults,
    draining: Draining,
    api: Option<RunningServer>,
    /// The servers that stop after the API.
    servers: Vec<RunningServer>,
    addresses: Addresses,
    connections: Option<Connections>,
    active_users: Option<ActiveUsers>,
    /// The maximum number of connections to the database.
    database_connections: usize,
    /// Connections in pools, which need descriptors as well.
    pooled_connections: u64,
    worker: Option<Worker>,
    simulator: Option<Simulator>,
    /// The socket of the management interface, if it was bound early.
    management: Option<TcpListener>,
    /// The address of the console, if `/` of the API leads to it.
    console_url: Option<Url>,
    demo: Option<Demo>,
}

impl Builder {
    /// Starts with what every process has.
    pub(super) fn new(settings: ProcessSettings) -> anyhow::Result<Self> {
        let metrics = Metrics::new(settings.metrics)?;
        metrics.standard.runtime.watch("main");
        let faults = match settings.faults_are_enabled {
            true => Faults::enabled(metrics.faults.clone()),
            false => Faults::disabled(),
        };
        Ok(Self {
            settings,
            metrics,
            faults,
            draining: Draining::default(),
            api: None,
            servers: Vec::new(),
            addresses: Addresses::default(),
            connections: None,
            active_users: None,
            database_connections: 0,
            pooled_connections: 0,
            worker: None,
            simulator: None,
            management: None,
            console_url: None,
            demo: None,
        })
    }

    /// A pool of connections to Redis, which opens its first connection on first use.
    pub(super) fn redis(&self, settings: &RedisSettings) -> anyhow::Result<Redis> {
        Ok(Redis::new(settings, self.metrics.redis_breaker.clone())?)
    }

    /// Connects to the database, and to Redis if there is one.
    pub(super) async fn connect(
        &mut self,
        storage: &StorageSettings,
        redis: Option<&RedisSettings>,
    ) -> anyhow::Result<Connections> {
        let of_redis = redis.map_or(0, |redis| redis.pool_size as u64);
        self.database_connections = storage.database.pool_size as usize;
        self.pooled_connections = u64::from(storage.database.pool_size) + of_redis;
        let connections = connect(&storage.database, redis, &self.faults, &self.metrics).await?;
        self.connections = Some(connections.clone());
        Ok(connections)
    }

    /// The clients of the third parties. The payment gateway may be the simulator that was added before.
    pub(super) fn third_parties(&self, settings: ThirdPartySettings) -> anyhow::Result<ThirdParties> {
        let simulator = self.addresses.gateway.map(http_url).transpose()?;
        ThirdParties::new(settings, simulator, &self.metrics)
    }

    /// Adds the payment-gateway simulator.
    pub(super) fn add_gateway_simulator(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let (listener, bound) = bind(&address.to_string(), "GLASSHOUSE_GATEWAY_ADDR")?;
        self.addresses.gateway = Some(bound);
        let server = HttpServer { connections: SIMULATOR_CONNECTIONS, ..self.http_server() };
        let hosts = self.allowed_hosts(bound);
        let (simulator, runtime) = (Simulator::default(), self.metrics.standard.runtime.clone());
        self.simulator = Some(simulator.clone());
        self.servers.push(gateway_simulator_server(server, listener, hosts, simulator, runtime)?);
        Ok(())
    }

    /// Binds the socket of the management interface, unless it is bound already.
    fn management_listener(&mut self) -> anyhow::Result<TcpListener> {
        if let Some(listener) = self.management.take() {
            return Ok(listener);
        }
        let (listener, bound) =
            bind(self.settings.management_address.as_str(), "GLASSHOUSE_MANAGEMENT_ADDR")?;
        self.addresses.management = Some(bound);
        Ok(listener)
    }

    /// Makes `/` of the API lead to the console, if only this machine can reach both. Call it before `add_api`.
    pub(super) fn lead_to_console(&mut self, http: &HttpSettings) -> anyhow::Result<()> {
        self.management = Some(self.management_listener()?);
        let management = self.addresses.management.filter(|address| address.ip().is_loopback());
        let leads = self.settings.console.is_some() && http.address.ip().is_loopback();
        self.console_url = management.filter(|_| leads).map(http_url).transpose()?;
        Ok(())
    }

    /// Adds the public HTTP server.
    pub(super) fn add_api(
        &mut self,
        http: HttpSettings,
        auth: &AuthSettings,
        connections: &Connections,
        third_parties: ThirdParties,
    ) -> anyhow::Result<()> {
        let (listener, bound) = bind(&http.address.to_string(), "GLASSHOUSE_HTTP_ADDR")?;
        self.addresses.http = Some(bound);
        let (faults, metrics, limits) = (&self.faults, &self.metrics, http.limits);
        let hashing = HashingQueue::new(auth.hashing, metrics.admission.clone())?;
        let edge = EdgeParts {
            dependencies: connections.dependencies.clone(),
            draining: self.draining.clone(),
            concurrency: self.concurrency(connections, hashing.clone(), limits),
            bodies: Bodies {
                limits: limits.body,
                memory: BodyMemory::for_requests(limits.concurrent_requests, limits.body),
                metrics: Some(metrics.admission.clone()),
            },
            faults: faults.clone(),
            http_metrics: metrics.standard.http.clone(),
            admission_metrics: metrics.admission.clone(),
        };
        let admission = AdmissionParts::new(auth, http.quotas, connections, faults, metrics);
        let handlers = HandlerParts::new(connections, hashing, third_parties, metrics);
        self.active_users = Some(admission.active_users());
        let (parts, runtime) = (ApiParts { edge, admission, handlers }, metrics.standard.runtime.clone());
        let server = HttpServer {
            workers: http.workers,
            connections: self.max_connections(http.connections),
            timeouts: ConnectionTimeouts { head: limits.header_timeout, keep_alive: KEEP_ALIVE },
            connection_metrics: Some(metrics.connections.clone()),
            ..self.http_server()
        };
        self.api = Some(public_server(server, listener, http, parts, self.console_url.clone(), runtime)?);
        Ok(())
    }

    /// The limit of in-flight requests. The lowest one lets as many requests wait for the database as it has connections.
    fn concurrency(&self, connections: &Connections, hashing: HashingQueue, limits: Limits) -> Concurrency {
        let bounds = ConcurrencyBounds {
            min: 2 * self.database_connections,
            max: limits.concurrent_requests,
            queue_target: limits.queue_target,
        };
        let metrics = self.metrics.admission.clone();
        Concurrency::new(bounds, connections.database.queue_delay(), hashing, metrics)
    }

    /// A server of operators or of the simulator, with one thread.
    fn http_server(&self) -> HttpServer {
        HttpServer {
            workers: 1,
            connections: OPERATOR_CONNECTIONS,
            timeouts: ConnectionTimeouts { head: OPERATOR_TIMEOUT, keep_alive: OPERATOR_TIMEOUT },
            connection_metrics: None,
            draining: self.draining.clone(),
            metrics: self.metrics.standard.http.clone(),
            on_connect: |_, _| {},
        }
    }

    /// The maximum number of connections to the API, if `wanted` are configured.
    fn max_connections(&self, wanted: usize) -> usize {
        let descriptors = raise_descriptor_limit();
        let connections = connections_within(descriptors, self.pooled_connections, wanted);
        self.metrics.connections.set_max(connections);
        ConnectionLimitSet {
            connections: connections as u64,
            configured: wanted as u64,
            descriptors: descriptors.as_ref().map(|limit| limit as &dyn Display),
        }
        .emit();
        connections
    }

    fn allowed_hosts(&self, address: SocketAddr) -> AllowedHosts {
        AllowedHosts::new(address, self.settings.management_hosts.clone())
    }

    /// Adds background work.
    pub(super) fn add_worker(
        &mut self,
        settings: WorkerSettings,
        connections: &Connections,
        third_parties: ThirdParties,
    ) {
        let (database, outbox) = (&connections.database, self.metrics.outbox.clone());
        let worker = Worker::new(database, third_parties, settings, self.faults.clone(), outbox);
        connections.dependencies.add_worker(worker.progress());
        self.worker = Some(worker);
    }

    /// Adds the traffic of the demo, and what its console offers to try. The API was added before.
    pub(super) fn add_demo(&mut self, settings: DemoSettings) -> anyhow::Result<()> {
        let api = self.addresses.http.map(http_url).transpose()?.context("the demo has no API")?;
        self.demo = Some(Demo::new(&api, settings)?);
        Ok(())
    }

    /// The console, if it is switched on.
    fn console(&self, is_postgres: bool) -> anyhow::Result<Option<ConsoleParts>> {
        let Some(settings) = self.settings.console.clone() else { return Ok(None) };
        let url = |address: Option<SocketAddr>| address.map(|address| format!("http://{address}"));
        Ok(Some(ConsoleParts {
            console: Console::new(settings, &self.metrics, self.demo.clone())?,
            files: Files::default(),
            simulator: self.simulator.clone(),
            affected: Affected {
                api: self.addresses.http.is_some(),
                worker: self.worker.is_some(),
                gateway: self.simulator.is_some(),
                pool: self.database_connections,
                postgres: is_postgres,
            },
            links: json!({ "api": url(self.addresses.http) }),
        }))
    }

    /// Adds the management interface, which reports on all other parts and is therefore the last one.
    pub(super) fn finish(mut self) -> anyhow::Result<Application> {
        let listener = self.management_listener()?;
        let (server, hosts) = (self.http_server(), self.allowed_hosts(listener.local_addr()?));
        let (database, dependencies) = match self.connections.take() {
            Some(connections) => (Some(connections.database), connections.dependencies),
            None => (None, Dependencies::default()),
        };
        let holder = database.as_ref().map(|database| database.connection_holder());
        let console = self.console(holder.as_ref().is_some_and(ConnectionHolder::is_postgres))?;
        let gauges = Gauges::new(self.metrics, dependencies, self.active_users);
        let panel = FaultPanel {
            faults: self.faults,
            connections: holder,
            has_api: self.addresses.http.is_some(),
            has_worker: self.worker.is_some(),
        };
        let draining = self.draining.clone();
        let shown = console.as_ref().map(|parts| parts.console.clone());
        self.servers.push(management_server(server, listener, hosts, gauges, panel, console, draining)?);
        Ok(Application {
            api: self.api,
            servers: self.servers,
            addresses: self.addresses,
            worker: self.worker,
            console: shown,
            demo: self.demo,
            database,
            draining: self.draining,
            shutdown: self.settings.shutdown,
        })
    }
}
