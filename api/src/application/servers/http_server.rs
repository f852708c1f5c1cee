//! What the HTTP servers have in common: how they accept connections, and how they stop.

use std::fmt::Debug;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::{ConnectionType, HttpService, KeepAlive, Protocol};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, apply_fn_factory, map_config,
};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Extensions, Response, Server};
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::service::metrics::ConnectionMetrics;
use tokio::net::TcpStream;

use crate::http::Connection;
use crate::http::connections::{Activity, ConnectionTimeouts, OpenConnections, Pieces};
use crate::http::public::middleware::Draining;

/// How long a client may take to close its side of a connection that the server has closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections of each thread that may be closing while it has as many as it may have.
const CLOSING: usize = 64;

/// A server and the limits of its connections.
#[derive(Clone, Debug)]
pub(in crate::application) struct HttpServer {
    /// The number of threads that serve requests.
    pub(in crate::application) workers: usize,
    /// The maximum number of connections.
    pub(in crate::application) connections: usize,
    /// Deadlines of each connection.
    pub(in crate::application) timeouts: ConnectionTimeouts,
    /// How long a stop waits for connections.
    pub(in crate::application) shutdown_timeout: Duration,
    /// Whether the process is stopping.
    pub(in crate::application) draining: Draining,
    /// Where malformed requests are counted.
    pub(in crate::application) metrics: HttpMetrics,
    /// Where connections are counted.
    pub(in crate::application) connection_metrics: Option<ConnectionMetrics>,
    /// Adds connection data for the requests of a connection.
    pub(in crate::application) on_connect: fn(&TcpStream, &mut Extensions),
}

impl HttpServer {
    /// Serves `app` on `listener`, as `actix_web::HttpServer` does, over a [`Connection`].
    pub(in crate::application) fn serve<I, S, B>(
        self,
        listener: TcpListener,
        app: impl Fn() -> I + Clone + Send + 'static,
    ) -> anyhow::Result<Server>
    where
        I: IntoServiceFactory<S, actix_http::Request>,
        S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: Debug,
        S::Response: Into<Response<B>> + 'static,
        S::Service: 'static,
        <S::Service as Service<actix_http::Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let address = listener.local_addr()?;
        let builder = Server::build();
        let stopping = builder.graceful_shutdown_signal();
        let of_thread = self.connections.div_ceil(self.workers);
        let builder = builder
            .workers(self.workers)
            .max_concurrent_connections(of_thread + CLOSING)
            .disable_signals()
            .shutdown_timeout(self.shutdown_timeout.as_secs());
        let builder = builder.listen(address.to_string(), listener, move || {
            let (server, stopping) = (self.clone(), stopping.clone());
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let app = apply_fn_factory(app, |request: actix_http::Request, app: &_| {
                let activity = request.conn_data::<Activity>().cloned();
                activity.iter().for_each(Activity::begin_request);
                let answering = Service::call(app, request);
                async move {
                    let response = answering.await.map(Into::into);
                    let closes = response.as_ref().is_ok_and(|response: &Response<B>| {
                        response.head().connection_type() == ConnectionType::Close
                    });
                    activity.iter().for_each(|activity| activity.answered(closes));
                    response.map(|response| response.map_body(|_, body| Pieces::new(body)))
                }
            });
            // Connections have their own deadlines, which include those of actix-http.
            let http = HttpService::build()
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(address)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(move |connection: &Connection, data| {
                    data.insert(connection.unanswered().clone());
                    data.insert(connection.activity().clone());
                    (server.on_connect)(connection.stream(), data);
                })
                .finish(map_config(app, |()| AppConfig::default()));
            let connections = OpenConnections::new(of_thread, self.connection_metrics.clone());
            let (draining, metrics, timeouts) = (self.draining.clone(), self.metrics.clone(), self.timeouts);
            apply_fn_factory(http, move |stream: TcpStream, http| {
                let peer = stream.peer_addr().ok();
                let open = connections.open(timeouts);
                let connection = Connection::new(open.watch(stream), draining.clone(), metrics.clone());
                let serving = Service::call(http, (connection, Protocol::Http1, peer));
                async move { open.serve(serving).await.unwrap_or(Ok(())) }
            })
        })?;
        Ok(builder.run())
    }
}
