//! Receivers of telemetry that accept everything, and keep its volume alone. Their threads give way to those of the service: they have
//! machines of their own elsewhere.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use actix_web::{App, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::process::Settings;
use crate::runtime::block_on;

/// What was received over OTLP so far: a number, and its size in bytes, before compression.
pub(crate) struct Received {
    number: AtomicU64,
    bytes: AtomicU64,
}

pub(crate) static SPANS: Received = Received::none();
pub(crate) static LOG_RECORDS: Received = Received::none();

impl Received {
    const fn none() -> Self {
        Self { number: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn add(&self, number: usize, message: &impl Message) {
        self.number.fetch_add(number as u64, Ordering::Relaxed);
        self.bytes.fetch_add(message.encoded_len() as u64, Ordering::Relaxed);
    }

    /// The number and the bytes.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.number.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The addresses of running receivers.
pub(crate) struct Receivers {
    /// Receives spans and log records over OTLP.
    collector: String,
    /// Stands for Sentry and Pyroscope.
    http: String,
}

impl Receivers {
    /// Starts them. They run until the process ends.
    pub(crate) fn start() -> Self {
        let (started, addresses) = mpsc::channel();
        thread::spawn(move || {
            rustix::process::nice(19).unwrap();
            block_on(serve(started));
        });
        addresses.recv().unwrap()
    }

    /// Exports log records, and this ratio of traces.
    pub(crate) fn otlp(&self, ratio: &str) -> Settings {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.collector)),
            ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()),
            ("OTEL_TRACES_SAMPLER_ARG", ratio.to_owned()),
        ]
    }

    /// Sends error events.
    pub(crate) fn sentry(&self) -> Settings {
        vec![("SENTRY_DSN", format!("http://key@{}/1", self.http))]
    }

    /// Sends CPU profiles.
    pub(crate) fn pyroscope(&self) -> Settings {
        vec![("PYROSCOPE_SERVER_ADDRESS", format!("http://{}", self.http))]
    }

    /// Sends everything, with this ratio of traces.
    pub(crate) fn everything(&self, ratio: &str) -> Settings {
        [self.otlp(ratio), self.sentry(), self.pyroscope()].concat()
    }
}

async fn serve(started: mpsc::Sender<Receivers>) {
    let collector = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = Receivers {
        collector: collector.local_addr().unwrap().to_string(),
        http: http.local_addr().unwrap().to_string(),
    };
    started.send(addresses).unwrap();
    let accept = async || HttpResponse::Ok().json(json!({}));
    let app = move || App::new().default_service(web::to(accept));
    let http = HttpServer::new(app).workers(1).disable_signals().listen(http).unwrap().run();
    let traces = TraceServiceServer::new(Discard).accept_compressed(CompressionEncoding::Gzip);
    let logs = LogsServiceServer::new(Discard).accept_compressed(CompressionEncoding::Gzip);
    let collector = Server::builder().add_service(traces).add_service(logs).serve_with_incoming(collector);
    let (collector, http) = futures_util::future::join(collector, http).await;
    collector.unwrap();
    http.unwrap();
}

/// Accepts spans and log records.
struct Discard;

#[tonic::async_trait]
impl TraceService for Discard {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        SPANS.add(scopes.map(|scope| scope.spans.len()).sum(), &request);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Discard {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let request = request.into_inner();
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        LOG_RECORDS.add(scopes.map(|scope| scope.log_records.len()).sum(), &request);
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
