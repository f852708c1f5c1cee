//! An OTLP receiver in this program itself, in place of the OpenTelemetry Collector.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The timeout for open connections to close.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A running OTLP receiver.
pub struct Collector {
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// The received spans: how many there were of each kind, and when the last one came. Their memory does not grow with the load.
#[derive(Clone, Debug, Default)]
pub struct Spans(Arc<Mutex<HashMap<SpanKind, Received>>>);

/// What the spans of one operation with the same outcome have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpanKind {
    /// The name of the service.
    pub service: String,
    /// The name of the span.
    pub name: String,
    /// The attribute `db.system.name`.
    pub database: Option<String>,
    /// The attribute `error.type` of a span with the status `error`, or `_OTHER` if it has none.
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    count: u64,
    last: Instant,
}

impl Collector {
    /// Starts listening. Received spans are recorded in `spans`.
    ///
    /// # Errors
    /// The address is in use.
    pub fn start(address: SocketAddr, spans: Spans) -> Result<Self> {
        let incoming = TcpIncoming::bind(address).with_context(|| format!("the collector: {address}"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let traces = TraceServiceServer::new(spans.clone()).accept_compressed(CompressionEncoding::Gzip);
        let logs = LogsServiceServer::new(spans).accept_compressed(CompressionEncoding::Gzip);
        let server = Server::builder().add_service(traces).add_service(logs);
        let server = tokio::spawn(server.serve_with_incoming_shutdown(incoming, async {
            // An error means that the sender was dropped, which also stops the server.
            let _ = stopped.await;
        }));
        Ok(Self { stop, server })
    }

    /// Stops listening and closes all connections.
    ///
    /// # Errors
    /// A connection does not close.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        tokio::time::timeout(SHUTDOWN_TIMEOUT, self.server)
            .await
            .context("the connections of the collector do not close")???;
        Ok(())
    }
}

impl Spans {
    /// When the last span of this service and name was received; `None` if there was none.
    pub(super) fn last(&self, service: &str, span: &str) -> Option<Instant> {
        let spans = self.lock();
        let ours = spans.iter().filter(|(kind, _)| kind.service == service && kind.name == span);
        ours.map(|(_, received)| received.last).max()
    }

    /// The number of spans of each kind.
    pub fn counts(&self) -> HashMap<SpanKind, u64> {
        self.lock().iter().map(|(kind, received)| (kind.clone(), received.count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SpanKind, Received>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanKind {
    fn new(service: &str, span: Span) -> Self {
        let is_error = span.status.is_some_and(|status| status.code() == StatusCode::Error);
        let error =
            is_error.then(|| text(&span.attributes, "error.type").unwrap_or_else(|| "_OTHER".to_owned()));
        let database = text(&span.attributes, "db.system.name");
        Self { service: service.to_owned(), name: span.name, database, error }
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.lock();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let service = text(&attributes, "service.name").unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let now = Instant::now();
                let received =
                    spans.entry(SpanKind::new(&service, span)).or_insert(Received { count: 0, last: now });
                *received = Received { count: received.count + 1, last: now };
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Spans {
    /// Accepts and discards log records, which are captured from the output of the processes instead.
    async fn export(
        &self,
        _request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// The text of an attribute.
fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
