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

/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A receiver of OTLP in the place of the OpenTelemetry Collector. It keeps nothing but when it last saw
/// each span, so its memory does not grow with the load.
pub(super) struct Collector {
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// When a span of this service and name last came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<(String, String), Instant>>>);

impl Collector {
    /// Listens on this address; what it sees is added to `seen`.
    pub(super) fn start(address: SocketAddr, seen: Seen) -> Result<Self> {
        let incoming = TcpIncoming::bind(address).with_context(|| format!("the collector: {address}"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let traces = TraceServiceServer::new(seen.clone()).accept_compressed(CompressionEncoding::Gzip);
        let logs = LogsServiceServer::new(seen).accept_compressed(CompressionEncoding::Gzip);
        let server = Server::builder().add_service(traces).add_service(logs);
        let server = tokio::spawn(server.serve_with_incoming_shutdown(incoming, async {
            // An error means that the other end was dropped, which is a reason to stop as well.
            let _ = stopped.await;
        }));
        Ok(Self { stop, server })
    }

    /// Stops listening and closes all connections.
    pub(super) async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        tokio::time::timeout(GRACE, self.server)
            .await
            .context("the collector's connections do not end")???;
        Ok(())
    }
}

impl Seen {
    /// When it last saw a span of this service and name.
    pub(super) fn last(&self, service: &str, span: &str) -> Option<Instant> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(service.to_owned(), span.to_owned())).copied()
    }
}

#[tonic::async_trait]
impl TraceService for Seen {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let service = service_name(resource.resource.as_ref());
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                seen.insert((service.clone(), span.name), Instant::now());
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Seen {
    /// Log lines are read from the processes themselves; here they only must be taken.
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
