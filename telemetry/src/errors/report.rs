//! Log lines and spans in Sentry's terms. Everything in them was redacted when it was recorded.

use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId};
use sentry::protocol::{
    Breadcrumb, Context, Event, Exception, Map, Mechanism, Span, SpanStatus, TraceContext, Transaction, User,
    Value,
};
use tracing::Level;

use super::Origin;
use crate::fields::Fields;
use crate::logs::LogRecord;

/// The fields in which a line says what went wrong.
const CAUSES: [&str; 3] = ["panic", "cause", "error"];

impl LogRecord {
    /// One of the lines before an error.
    pub(super) fn breadcrumb(&self) -> Breadcrumb {
        Breadcrumb {
            timestamp: self.time.into(),
            ty: "default".to_owned(),
            category: Some(self.target.to_owned()),
            level: level(self.level),
            message: Some(self.message().to_owned()),
            data: self.fields.without_message().map(owned).collect(),
        }
    }

    /// This line as a report about the unit of work `unit`.
    pub(super) fn report(
        &self,
        origin: &Origin,
        unit: Option<String>,
        before: Vec<Breadcrumb>,
        is_panic: bool,
    ) -> Event<'static> {
        let cause = CAUSES.iter().find_map(|name| self.fields.get(name)?.as_str());
        let exception = Exception {
            ty: self.message().to_owned(),
            value: cause.map(str::to_owned),
            module: Some(self.target.to_owned()),
            mechanism: Some(Mechanism {
                ty: if is_panic { "panic" } else { "log" }.to_owned(),
                handled: Some(!is_panic),
                ..Mechanism::default()
            }),
            ..Exception::default()
        };
        let mut report = Event {
            level: if is_panic { sentry::Level::Fatal } else { level(self.level) },
            timestamp: self.time.into(),
            logger: Some(self.target.to_owned()),
            transaction: unit,
            exception: vec![exception].into(),
            breadcrumbs: before.into(),
            tags: origin.tags(),
            extra: self.all_fields().map(owned).collect(),
            ..Event::default()
        };
        for tag in ["request_id", "tenant_id", "job"] {
            if let Some(value) = report.extra.remove(tag) {
                report.tags.insert(tag.to_owned(), text(&value));
            }
        }
        report.user = report.extra.remove("user_id").map(|id| user(&id));
        if self.trace.is_valid() {
            let (trace_id, span_id) = ids(&self.trace);
            let trace = TraceContext { trace_id, span_id, ..TraceContext::default() };
            report.contexts.insert("trace".to_owned(), Context::Trace(Box::new(trace)));
        }
        report
    }
}

/// A span that has ended.
pub(super) fn span(
    fields: &Fields,
    title: String,
    begun: SystemTime,
    context: &SpanContext,
    parent: Option<SpanId>,
) -> Span {
    let (trace_id, span_id) = ids(context);
    let known = |name| fields.get(name).and_then(Value::as_str);
    let op = match (known("otel.kind"), known("db.system.name")) {
        (_, Some(_)) => "db",
        (Some("server"), _) => "http.server",
        (Some("client"), _) => "http.client",
        (Some("consumer"), _) => "queue.process",
        _ => "function",
    };
    let failed = known("otel.status_code") == Some("ERROR");
    Span {
        span_id,
        trace_id,
        parent_span_id: parent.map(|parent| parent.to_bytes().into()),
        op: Some(op.to_owned()),
        description: Some(title),
        start_timestamp: begun,
        timestamp: Some(SystemTime::now()),
        status: Some(if failed { SpanStatus::InternalError } else { SpanStatus::Ok }),
        data: fields.without_message().map(owned).collect(),
        ..Span::default()
    }
}

/// The span of a unit of work, and the spans below it.
pub(super) fn transaction(origin: &Origin, unit: Span, below: Vec<Span>) -> Transaction<'static> {
    let mut data = unit.data;
    let mut tags = origin.tags();
    for (field, tag) in [("request_id", "request_id"), ("tenant.id", "tenant_id"), ("job", "job")] {
        if let Some(value) = data.remove(field) {
            tags.insert(tag.to_owned(), text(&value));
        }
    }
    let trace = TraceContext {
        trace_id: unit.trace_id,
        span_id: unit.span_id,
        parent_span_id: unit.parent_span_id,
        op: unit.op,
        status: unit.status,
        ..TraceContext::default()
    };
    Transaction {
        name: unit.description,
        release: Some(origin.build.release().into()),
        environment: origin.environment.clone().map(Into::into),
        user: data.remove("user.id").map(|id| user(&id)),
        tags,
        extra: data,
        start_timestamp: unit.start_timestamp,
        timestamp: unit.timestamp,
        spans: below,
        contexts: Map::from([("trace".to_owned(), Context::Trace(Box::new(trace)))]),
        ..Transaction::default()
    }
}

impl Origin {
    fn tags(&self) -> Map<String, String> {
        Map::from([("service".to_owned(), self.service.clone())])
    }
}

fn ids(context: &SpanContext) -> (sentry::protocol::TraceId, sentry::protocol::SpanId) {
    (context.trace_id().to_bytes().into(), context.span_id().to_bytes().into())
}

/// The id alone; nothing else about a user leaves.
fn user(id: &Value) -> User {
    User { id: Some(text(id)), ..User::default() }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn owned((name, value): (&'static str, &Value)) -> (String, Value) {
    (name.to_owned(), value.clone())
}

const fn level(level: Level) -> sentry::Level {
    match level {
        Level::ERROR => sentry::Level::Error,
        Level::WARN => sentry::Level::Warning,
        Level::INFO => sentry::Level::Info,
        Level::DEBUG | Level::TRACE => sentry::Level::Debug,
    }
}
