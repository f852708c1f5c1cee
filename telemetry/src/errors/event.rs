//! Log records in Sentry's terms, and the last redaction before anything is queued.

use sentry::protocol::{
    Breadcrumb, Context, Event, Exception, Mechanism, SpanId, TraceContext, TraceId, User, Value,
};
use tracing::Level;

use super::stack;
use crate::logs::{LogRecord, SpanField};
use crate::redaction::{Redactor, redact_text};

/// The fields in which a log record holds the cause of an error.
const CAUSES: [&str; 3] = ["panic", "cause", "error"];

impl LogRecord {
    pub(super) fn breadcrumb(&self) -> Breadcrumb {
        Breadcrumb {
            timestamp: self.time.into(),
            ty: "default".to_owned(),
            category: Some(self.target.to_string()),
            level: level(self.level),
            message: Some(self.message().to_owned()),
            data: self.fields.without_message().map(owned).collect(),
        }
    }

    /// An event about the unit of work `unit`, such as `POST /v1/orders`; the fields `tags` become tags. Only a panic
    /// has a stack: elsewhere the stack is that of the code that logs.
    pub(super) fn error_event(
        &self,
        unit: Option<String>,
        is_panic: bool,
        tags: &[SpanField],
    ) -> Event<'static> {
        let cause = CAUSES.iter().find_map(|name| self.fields.get(name)?.as_str());
        let exception = Exception {
            ty: self.message().to_owned(),
            value: cause.map(str::to_owned),
            module: Some(self.target.to_string()),
            stacktrace: if is_panic { stack::unresolved() } else { None },
            mechanism: Some(Mechanism {
                ty: if is_panic { "panic" } else { "log" }.to_owned(),
                handled: Some(!is_panic),
                ..Mechanism::default()
            }),
            ..Exception::default()
        };
        let mut event = Event {
            level: if is_panic { sentry::Level::Fatal } else { level(self.level) },
            timestamp: self.time.into(),
            logger: Some(self.target.to_string()),
            transaction: unit,
            exception: vec![exception].into(),
            extra: self.all_fields().map(owned).collect(),
            ..Event::default()
        };
        for tag in tags {
            if let Some(value) = event.extra.remove(tag.record) {
                event.tags.insert(tag.record.to_owned(), text(&value));
            }
        }
        event.user = event.extra.remove("user_id").map(|id| user(&id));
        if self.trace.is_valid() {
            let (trace_id, span_id) = ids(&self.trace);
            let trace = TraceContext { trace_id, span_id, ..TraceContext::default() };
            event.contexts.insert("trace".to_owned(), Context::Trace(Box::new(trace)));
        }
        event
    }
}

/// Redacts what other code than the log adds.
pub(super) fn before_breadcrumb(redactor: &Redactor, mut breadcrumb: Breadcrumb) -> Option<Breadcrumb> {
    breadcrumb.message.as_mut().map(redact_text);
    breadcrumb.data.iter_mut().for_each(|(name, value)| redactor.redact(name, value));
    Some(breadcrumb)
}

/// Removes what sentry-actix adds about the request (URL, headers), and redacts what other code than the log captures.
pub(super) fn before_send(redactor: &Redactor, mut event: Event<'static>) -> Option<Event<'static>> {
    event.request = None;
    event.user = event.user.map(|User { id, .. }| User { id, ..User::default() });
    event.message.as_mut().map(redact_text);
    event.exception.iter_mut().filter_map(|exception| exception.value.as_mut()).for_each(redact_text);
    event.extra.iter_mut().for_each(|(name, value)| redactor.redact(name, value));
    event.tags.values_mut().for_each(redact_text);
    Some(event)
}

/// Trace and span as OpenTelemetry identifies them.
pub(super) fn ids(context: &opentelemetry::trace::SpanContext) -> (TraceId, SpanId) {
    (context.trace_id().to_bytes().into(), context.span_id().to_bytes().into())
}

/// A user by id alone; nothing else about a user leaves the process.
pub(super) fn user(id: &Value) -> User {
    User { id: Some(text(id)), ..User::default() }
}

pub(super) fn text(value: &Value) -> String {
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
