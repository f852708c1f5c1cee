//! What the HTTP servers have in common: how they accept connections, and how they stop.

use std::fmt::Debug;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::{ConnectionType, HttpService, KeepAlive, Protocol};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, apply_fn_factory, map_config,
};
use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Extensions, Response, Server, ServerHandle};
use glasshouse_telemetry::metrics::HttpMetrics;
use glasshouse_telemetry::service::metrics::ConnectionMetrics;
use tokio::net::TcpStream;

use super::listener::Listener;
use crate::http::connections::{Activity, ConnectionTimeouts, OpenConnections, Pieces, ServerConnections};
use crate::http::{Connection, Draining};

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
    /// Whether the process is stopping.
    pub(in crate::application) draining: Draining,
    /// Where malformed requests are counted.
    pub(in crate::application) metrics: HttpMetrics,
    /// Where connections are counted.
    pub(in crate::application) connection_metrics: Option<ConnectionMetrics>,
    /// Adds connection data for the requests of a connection.
    pub(in crate::application) on_connect: fn(&TcpStream, &mut Extensions),
}

/// A server that serves while `server` is awaited.
pub(in crate::application) struct RunningServer {
    pub(in crate::application) server: Server,
    listener: Listener,
    connections: ServerConnections,
}

/// How to stop a server.
pub(in crate::application) struct ServerStop {
    handle: ServerHandle,
    listener: Listener,
    connections: ServerConnections,
}

impl RunningServer {
    /// The server, and how to stop it.
    pub(in crate::application) fn into_parts(self) -> (Server, ServerStop) {
        let Self { server, listener, connections } = self;
        let stop = ServerStop { handle: server.handle(), listener, connections };
        (server, stop)
    }
}

impl ServerStop {
    /// Refuses new connections, and waits until the requests of the others have their responses. The threads of the server
    /// go on.
    pub(in crate::application) async fn finish_requests(&self) {
        self.listener.close(&self.handle).await;
        self.connections.close().await;
    }

    /// The number of open connections.
    pub(in crate::application) fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Ends the threads of the server, which has no connection any more.
    pub(in crate::application) async fn end(&self) {
        self.handle.stop(true).await;
    }
}

impl HttpServer {
    /// Serves `app` on `listener`, as `actix_web::HttpServer` does, over a [`Connection`].
    pub(in crate::application) fn serve<I, S, B>(
        self,
        listener: TcpListener,
        app: impl Fn() -> I + Clone + Send + 'static,
    ) -> anyhow::Result<RunningServer>
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
        let (stop_listening, all_connections) = (Listener::of(&listener)?, ServerConnections::default());
        let of_thread = self.connections.div_ceil(self.workers);
        let builder = Server::build()
            .workers(self.workers)
            .max_concurrent_connections(of_thread + CLOSING)
            .disable_signals()
            .shutdown_timeout(0);
        let connections = all_connections.clone();
        let builder = builder.listen(address.to_string(), listener, move || {
            let server = self.clone();
            let draining = self.draining.clone();
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let app = apply_fn_factory(app, move |request: actix_http::Request, app: &_| {
                let activity = request.conn_data::<Activity>().cloned();
                activity.iter().for_each(Activity::begin_request);
                let answering = Service::call(app, request);
                let draining = draining.clone();
                async move {
                    let mut response = match answering.await.map(Into::into) {
                        Ok(response) => response.map_body(|_, body: B| Pieces::new(body)),
                        Err(error) => Response::from(error).map_body(|_, body: BoxBody| Pieces::new(body)),
                    };
                    if draining.is_on() {
                        response.head_mut().set_connection_type(ConnectionType::Close);
                    }
                    let closes = response.head().connection_type() == ConnectionType::Close;
                    activity.iter().for_each(|activity| activity.answered(closes));
                    Ok::<Response<Pieces>, HttpResponse>(response)
                }
            });
            // Connections have their own deadlines, which include those of actix-http.
            let http = HttpService::build()
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(address)
                .on_connect_ext(move |connection: &Connection, data| {
                    data.insert(connection.unanswered().clone());
                    data.insert(connection.activity().clone());
                    (server.on_connect)(connection.stream(), data);
                })
                .finish(map_config(app, |()| AppConfig::default()));
            let connections =
                OpenConnections::new(of_thread, self.connection_metrics.clone(), connections.clone());
            tokio::task::spawn_local(connections.clone().close_with_server());
            let (draining, metrics, timeouts) = (self.draining.clone(), self.metrics.clone(), self.timeouts);
            apply_fn_factory(http, move |stream: TcpStream, http| {
                let peer = stream.peer_addr().ok();
                // Responses are sent in pieces. With Nagle's algorithm the last one would wait until the client acknowledges
                // those before, which it delays. If it cannot be set, responses are slower.
                let _ = stream.set_nodelay(true);
                let open = connections.open(timeouts);
                let connection = Connection::new(open.watch(stream), draining.clone(), metrics.clone());
                let serving = Service::call(http, (connection, Protocol::Http1, peer));
                async move { open.serve(serving).await.unwrap_or(Ok(())) }
            })
        })?;
        Ok(RunningServer { server: builder.run(), listener: stop_listening, connections: all_connections })
    }
}
