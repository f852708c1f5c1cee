//! Transactions: units of work and the spans below them, with the ids and the redacted fields that OpenTelemetry and
//! the log have.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use sentry::protocol::{SpanStatus, Value};
use sentry::{Hub, TransactionContext, TransactionOrSpan};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::event::{ids, text, user};
use super::unit::{Unit, title};
use crate::fields::Fields;
use crate::logs::SpanField;

/// Starts a transaction, or a span below one, when a span is entered for the first time: OpenTelemetry assigns ids then.
pub(super) fn start<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, sample_rate: f64) {
    if span.extensions().get::<TransactionOrSpan>().is_some() {
        return;
    }
    let context = OtelContext::current().span().span_context().clone();
    let (trace_id, span_id) = ids(&context);
    let parent = span.parent().and_then(|parent| parent.extensions().get::<TransactionOrSpan>().cloned());
    let hub = span.extensions().get::<Unit>().map(|unit| unit.hub.clone());
    let started: TransactionOrSpan = match (parent, hub) {
        (Some(parent), _) => {
            parent.start_child_with_details("", span.name(), span_id, SystemTime::now()).into()
        }
        (None, Some(hub)) if is_sampled(&context, sample_rate) => {
            let context = TransactionContext::builder(span.name(), "").with_trace_id(trace_id);
            hub.start_transaction(context.with_span_id(span_id).finish()).into()
        }
        (None, _) => return,
    };
    span.extensions_mut().insert(started);
}

/// Finishes what was started for a span, with all fields that were recorded on it; `tags` become tags of a transaction.
pub(super) fn finish<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, tags: &[SpanField]) {
    let Some(started) = span.extensions_mut().remove::<TransactionOrSpan>() else { return };
    started.set_name(&title(span));
    let extensions = span.extensions();
    let Some(fields) = extensions.get::<Fields>() else { return };
    describe(&started, fields, tags);
    let Some(unit) = extensions.get::<Unit>() else { return started.finish() };
    // A transaction gets the user of the hub in which it is finished.
    let hub = Hub::new_from_top(&unit.hub);
    hub.configure_scope(|scope| scope.set_user(fields.get("user.id").map(user)));
    Hub::run(Arc::new(hub), || started.finish());
}

/// Whether the transactions of a trace are sent. It depends on the id of the trace alone, so that all services decide
/// the same.
fn is_sampled(context: &SpanContext, rate: f64) -> bool {
    let [.., a, b, c, d] = context.trace_id().to_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX) <= rate
}

fn describe(span: &TransactionOrSpan, fields: &Fields, tags: &[SpanField]) {
    let known = |name| fields.get(name).and_then(Value::as_str);
    span.set_op(match (known("otel.kind"), known("db.system.name")) {
        (_, Some(_)) => "db",
        (Some("server"), _) => "http.server",
        (Some("client"), _) => "http.client",
        (Some("consumer"), _) => "queue.process",
        _ => "function",
    });
    let failed = known("otel.status_code") == Some("ERROR");
    span.set_status(if failed { SpanStatus::InternalError } else { SpanStatus::Ok });
    fields.without_message().for_each(|(name, value)| span.set_data(name, value.clone()));
    if let TransactionOrSpan::Transaction(transaction) = span {
        for tag in tags {
            if let Some(value) = fields.get(tag.span) {
                transaction.set_tag(tag.record, text(value));
            }
        }
    }
}
