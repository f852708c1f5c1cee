//! An OTLP receiver in the drill itself, in place of the OpenTelemetry Collector.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
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
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The timeout for open connections to close.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A running OTLP receiver. It stores only the time of the last span of each name, so its memory does not grow with the
/// load.
pub(super) struct Collector {
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// When the last span of each service and name was received.
#[derive(Clone, Debug, Default)]
pub(super) struct LastSpans(Arc<Mutex<HashMap<(String, String), Instant>>>);

impl Collector {
    /// Starts listening. Received spans are recorded in `last_spans`.
    pub(super) fn start(address: SocketAddr, last_spans: LastSpans) -> Result<Self> {
        let incoming = TcpIncoming::bind(address).with_context(|| format!("the collector: {address}"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let traces = TraceServiceServer::new(last_spans.clone()).accept_compressed(CompressionEncoding::Gzip);
        let logs = LogsServiceServer::new(last_spans).accept_compressed(CompressionEncoding::Gzip);
        let server = Server::builder().add_service(traces).add_service(logs);
        let server = tokio::spawn(server.serve_with_incoming_shutdown(incoming, async {
            // An error means that the sender was dropped, which also stops the server.
            let _ = stopped.await;
        }));
        Ok(Self { stop, server })
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        tokio::time::timeout(SHUTDOWN_TIMEOUT, self.server)
            .await
            .context("the connections of the collector do not close")???;
        Ok(())
    }
}

impl LastSpans {
    /// When the last span of this service and name was received; `None` if there was none.
    pub(super) fn last(&self, service: &str, span: &str) -> Option<Instant> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.get(&(service.to_owned(), span.to_owned())).copied()
    }
}

#[tonic::async_trait]
impl TraceService for LastSpans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let service = service_name(resource.resource.as_ref());
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.insert((service.clone(), span.name), Instant::now());
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for LastSpans {
    /// Accepts and discards log records, which are captured from the output of the processes instead.
    async fn export(
        &self,
        _request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn service_name(resource: Option<&Resource>) -> String {
    let attributes = resource.into_iter().flat_map(|resource| &resource.attributes);
    let mut names = attributes.filter(|attribute| attribute.key == "service.name");
    match names.next().and_then(|name| name.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) => name.clone(),
        _ => String::new(),
    }
}
