//! What the HTTP servers have in common: how they accept connections, and how they stop.

use std::fmt::Debug;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Extensions, Response, Server, fn_service};
use glasshouse_telemetry::metrics::HttpMetrics;
use tokio::net::TcpStream;

use crate::http::Connection;
use crate::http::public::middleware::Draining;

/// How long a client may take to close its side of a connection that the server has closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A server and the limits of its connections.
#[derive(Clone, Debug)]
pub(in crate::application) struct HttpServer {
    /// The number of threads that serve requests.
    pub(in crate::application) workers: usize,
    /// How long an idle connection stays open.
    pub(in crate::application) keep_alive: Duration,
    /// How long a client may take to send the first head.
    pub(in crate::application) header_timeout: Duration,
    /// How long a stop waits for connections.
    pub(in crate::application) shutdown_timeout: Duration,
    /// Whether the process is stopping.
    pub(in crate::application) draining: Draining,
    /// Where malformed requests are counted.
    pub(in crate::application) metrics: HttpMetrics,
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
        let builder =
            builder.workers(self.workers).disable_signals().shutdown_timeout(self.shutdown_timeout.as_secs());
        let builder = builder.listen(address.to_string(), listener, move || {
            let (server, stopping) = (self.clone(), stopping.clone());
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let http = HttpService::build()
                .keep_alive(server.keep_alive)
                .client_request_timeout(server.header_timeout)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(address)
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(move |connection: &Connection, data| {
                    data.insert(connection.unanswered().clone());
                    (server.on_connect)(connection.stream(), data);
                })
                .finish(map_config(app, |()| AppConfig::default()));
            let (draining, metrics) = (self.draining.clone(), self.metrics.clone());
            fn_service(move |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                let connection = Connection::new(stream, draining.clone(), metrics.clone());
                async move { Ok::<_, DispatchError>((connection, actix_http::Protocol::Http1, peer)) }
            })
            .and_then(http)
        })?;
        Ok(builder.run())
    }
}
