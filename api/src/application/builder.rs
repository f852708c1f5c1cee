//! Builds a process part by part: connections, servers and background work.

use std::net::SocketAddr;

use actix_web::dev::Server;
use glasshouse_infra::active_users::ActiveUsers;
use glasshouse_infra::faults::Faults;
use glasshouse_infra::redis::RedisSettings;
use glasshouse_telemetry::service::metrics::Metrics;

use super::api_parts::{AdmissionParts, ApiParts, EdgeParts, HandlerParts};
use super::connections::{Connections, bind, connect, http_url};
use super::servers::{gateway_simulator_server, management_server, public_server};
use super::{Addresses, Application};
use crate::config::{AuthSettings, HttpSettings, ProcessSettings, StorageSettings, WorkerSettings};
use crate::http::body::{Bodies, BodyMemory};
use crate::http::management::faults::FaultPanel;
use crate::http::management::metrics::Gauges;
use crate::http::public::middleware::{Draining, InFlight};
use crate::third_parties::{ThirdParties, ThirdPartySettings};
use crate::worker::Worker;

/// The parts of a process so far.
pub(super) struct Builder {
    settings: ProcessSettings,
    metrics: Metrics,
    faults: Faults,
    draining: Draining,
    servers: Vec<Server>,
    addresses: Addresses,
    connections: Option<Connections>,
    active_users: Option<ActiveUsers>,
    in_flight: Option<InFlight>,
    body_memory: Option<BodyMemory>,
    worker: Option<Worker>,
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
            servers: Vec::new(),
            addresses: Addresses::default(),
            connections: None,
            active_users: None,
            in_flight: None,
            body_memory: None,
            worker: None,
        })
    }

    /// Connects to the database, and to Redis if there is one.
    pub(super) async fn connect(
        &mut self,
        storage: &StorageSettings,
        redis: Option<&RedisSettings>,
    ) -> anyhow::Result<Connections> {
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
        let (listener, bound) = bind(address, "GLASSHOUSE_GATEWAY_ADDR")?;
        self.addresses.gateway = Some(bound);
        let (shutdown, runtime) = (self.settings.shutdown, self.metrics.standard.runtime.clone());
        self.servers.push(gateway_simulator_server(listener, shutdown, runtime)?);
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
        let (listener, bound) = bind(http.address, "GLASSHOUSE_HTTP_ADDR")?;
        self.addresses.http = Some(bound);
        let (faults, metrics, limits) = (&self.faults, &self.metrics, http.limits);
        let edge = EdgeParts {
            dependencies: connections.dependencies(),
            draining: self.draining.clone(),
            in_flight: InFlight::new(limits.concurrent_requests),
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
        let handlers = HandlerParts::new(auth, connections, third_parties, metrics)?;
        self.active_users = Some(admission.active_users());
        self.in_flight = Some(edge.in_flight.clone());
        self.body_memory = Some(edge.bodies.memory.clone());
        let (parts, shutdown) = (ApiParts { edge, admission, handlers }, self.settings.shutdown);
        self.servers.push(public_server(listener, http, shutdown, parts, metrics.standard.runtime.clone())?);
        Ok(())
    }

    /// Adds background work.
    pub(super) fn add_worker(
        &mut self,
        settings: WorkerSettings,
        connections: &Connections,
        third_parties: ThirdParties,
    ) {
        let (database, outbox) = (&connections.database, self.metrics.outbox.clone());
        self.worker = Some(Worker::new(database, third_parties, settings, self.faults.clone(), outbox));
    }

    /// Adds the management interface, which reports on all other parts and is therefore the last one.
    pub(super) fn finish(mut self) -> anyhow::Result<Application> {
        let (listener, bound) = bind(self.settings.management_address, "GLASSHOUSE_MANAGEMENT_ADDR")?;
        self.addresses.management = Some(bound);
        let database = self.connections.as_ref().map(|connections| connections.database.clone());
        let dependencies = self.connections.as_ref().map(Connections::dependencies).unwrap_or_default();
        let gauges = Gauges::new(self.metrics, dependencies, self.active_users);
        let panel = FaultPanel {
            faults: self.faults,
            connections: database.as_ref().map(|database| database.connection_holder()),
            has_api: self.addresses.http.is_some(),
            has_worker: self.worker.is_some(),
        };
        self.servers.push(management_server(listener, gauges, panel, self.draining.clone())?);
        Ok(Application {
            servers: self.servers,
            addresses: self.addresses,
            worker: self.worker,
            database,
            draining: self.draining,
            in_flight: self.in_flight,
            body_memory: self.body_memory,
            shutdown: self.settings.shutdown,
        })
    }
}
