//! What reaches the transport, from log records and spans to envelopes.

use std::panic;
use std::sync::Mutex;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use sentry::protocol::{EnvelopeItem, Event, Transaction};
use sentry::{Envelope, Transport};
use tokio::join;
use tracing::{Instrument, Span, error, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::logs::{self, LogFormat, LogSchema, Sinks};
use crate::trusted::TrustedModules;

#[derive(Default)]
struct Captured(Mutex<Vec<Envelope>>);

impl Transport for Captured {
    fn send_envelope(&self, envelope: Envelope) {
        self.0.lock().unwrap().push(envelope);
    }
}

/// What is sent to Sentry while `work` runs, which is given the hub from which others are made.
fn sent(
    traces_sample_rate: f64,
    work: impl FnOnce(&Arc<Hub>),
) -> (Vec<Event<'static>>, Vec<Transaction<'static>>) {
    let captured = Arc::new(Captured::default());
    let origin = Origin {
        service: "glasshouse-api".to_owned(),
        environment: Some("test".to_owned()),
        build: Build { name: "glasshouse", version: "1.2.3", commit: None },
        in_app: Vec::new(),
        tags: [crate::ERROR_TAGS.as_slice(), &[SpanField::new("tenant.id", "tenant_id")]].concat(),
    };
    let fields = [
        SpanField::new("request_id", "request_id"),
        SpanField::new("tenant.id", "tenant_id"),
        SpanField::new("user.id", "user_id"),
    ];
    let schema = LogSchema::new(&fields, Redactor::default(), TrustedModules::new(origin.build, &[]));
    let options = options(&"https://key@sentry.invalid/1".parse().unwrap(), &origin, Redactor::default());
    let hub = Arc::new(hub(options.transport(captured.clone()), &origin));
    let (errors, capture) = parts(&hub, &origin.tags.into(), traces_sample_rate);
    let sinks = Sinks { errors: Some(capture), ..Sinks::default() };
    let (lines, _guard) = logs::layer(schema, LogFormat::Json, sinks).unwrap();
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let layers = spans.and_then(lines).and_then(errors);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || work(&hub));
    let (mut events, mut transactions) = (Vec::new(), Vec::new());
    let envelopes = std::mem::take(&mut *captured.0.lock().unwrap());
    for item in envelopes.into_iter().flat_map(|envelope| transport::resolved(envelope, &[]).into_items()) {
        match item {
            EnvelopeItem::Event(event) => events.push(*event),
            EnvelopeItem::Transaction(transaction) => transactions.push(*transaction),
            other => panic!("{other:?}"),
        }
    }
    (events, transactions)
}

fn request(id: &str) -> Span {
    info_span!(
        "request",
        otel.name = "GET /x",
        otel.kind = "server",
        request_id = id,
        tenant.id = "t-1",
        user.id = "u-1"
    )
}

fn breadcrumbs(event: &Event<'_>) -> Vec<String> {
    event.breadcrumbs.iter().map(|breadcrumb| breadcrumb.message.clone().unwrap_or_default()).collect()
}

#[test]
fn an_event_has_the_log_records_of_its_own_request_and_no_others() {
    let fails = async |id: &str, first: &'static str, second: &'static str| {
        info!(line = first, "first");
        tokio::task::yield_now().await;
        async { info!(line = second, "second") }.instrument(info_span!("inside")).await;
        tokio::task::yield_now().await;
        error!(
            problem = "internal",
            cause = format!("{id} broke for ada@example.com"),
            "unhandled_exception"
        );
    };
    let (events, _) = sent(0.0, |_| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, two) = (fails("r-1", "1a", "1b"), fails("r-2", "2a", "2b"));
        let (one, two) = (one.instrument(request("r-1")), two.instrument(request("r-2")));
        runtime.block_on(async { join!(one, two) });
    });
    assert_eq!(events.len(), 2);
    for (event, (id, lines)) in events.iter().zip([("r-1", ["1a", "1b"]), ("r-2", ["2a", "2b"])]) {
        assert_eq!(event.tags["request_id"], id);
        let found: Vec<_> =
            event.breadcrumbs.iter().map(|breadcrumb| breadcrumb.data["line"].as_str().unwrap()).collect();
        assert_eq!(found, lines);
        let cause = format!("{id} broke for [REDACTED]");
        let exception = &event.exception[0];
        assert_eq!((&*exception.ty, exception.value.as_deref()), ("unhandled_exception", Some(&*cause)));
        assert_eq!((&*event.tags["tenant_id"], &*event.tags["service"]), ("t-1", "glasshouse-api"));
        assert_eq!(event.user.as_ref().unwrap().id.as_deref(), Some("u-1"));
        assert_eq!(
            (event.transaction.as_deref(), event.environment.as_deref()),
            (Some("GET /x"), Some("test"))
        );
        assert!(event.release.as_ref().unwrap().starts_with("glasshouse@"), "{:?}", event.release);
        assert!(exception.stacktrace.is_none());
    }
}

#[test]
fn a_panic_is_captured_once_with_its_stack_and_so_is_the_next_error() {
    let (events, _) = sent(0.0, |_| {
        let _request = request("r-1").entered();
        info!("before");
        let hook = panic::take_hook();
        crate::panics::log_all();
        let caught = panic::catch_unwind(|| panic!("no {}", "ada@example.com"));
        panic::set_hook(hook);
        caught.unwrap_err();
        error!(cause = "a handler panicked", "unhandled_exception");
        error!(cause = "something else", "unhandled_exception");
    });
    let causes: Vec<_> = events.iter().map(|event| event.exception[0].value.as_deref()).collect();
    assert_eq!(causes, [Some("no [REDACTED]"), Some("something else")]);
    let panic = &events[0].exception[0];
    assert_eq!((&*panic.ty, panic.mechanism.as_ref().unwrap().handled), ("panicked", Some(false)));
    let frames = &panic.stacktrace.as_ref().unwrap().frames;
    let here = |name: &String| name.contains("a_panic_is_captured_once");
    assert!(frames.iter().any(|frame| frame.function.as_ref().is_some_and(here)), "{frames:#?}");
    assert_eq!(breadcrumbs(&events[0]), ["before"]);
    assert_eq!(breadcrumbs(&events[1]), ["before", "panicked", "unhandled_exception"]);
}

#[test]
fn an_error_outside_of_any_unit_of_work_stands_alone() {
    let (events, _) = sent(0.0, |_| {
        info!("outside");
        error!(job = "outbox_relay", error = "refused", "background_job_failed");
    });
    assert_eq!(breadcrumbs(&events[0]), [""; 0]);
    assert_eq!((&*events[0].tags["job"], events[0].user.is_none()), ("outbox_relay", true));
}

#[test]
fn the_last_log_records_are_breadcrumbs_and_no_more() {
    let (events, _) = sent(0.0, |_| {
        let _request = request("r-1").entered();
        (0..MAX_BREADCRUMBS + 3).for_each(|count| info!(count, "line"));
        error!("unhandled_exception");
    });
    let found = &events[0].breadcrumbs;
    assert_eq!((found.len(), &found[0].data["count"]), (MAX_BREADCRUMBS, &3.into()));
}

#[test]
fn an_event_of_other_code_has_the_log_records_of_its_unit() {
    let (events, _) = sent(0.0, |hub| {
        Hub::run(Arc::new(Hub::new_from_top(hub)), || {
            let _request = request("r-1").entered();
            info!("before");
            sentry::capture_message("no answer", sentry::Level::Error);
        });
    });
    assert_eq!(breadcrumbs(&events[0]), ["before"]);
}

#[test]
fn transactions_have_the_ids_of_the_trace_and_none_is_sent_at_a_rate_of_zero() {
    let work = |_: &Arc<Hub>| {
        let request = request("r-1");
        let _request = request.enter();
        info_span!("inside", db.system.name = "postgresql").in_scope(|| ());
        error!("unhandled_exception");
    };
    let (events, transactions) = sent(1.0, work);
    let [transaction] = &*transactions else { panic!("{transactions:?}") };
    assert_eq!(transaction.name.as_deref(), Some("GET /x"));
    assert_eq!(
        (&*transaction.tags["request_id"], transaction.user.as_ref()),
        ("r-1", events[0].user.as_ref())
    );
    let ids = |contexts: &sentry::protocol::Map<String, sentry::protocol::Context>| match &contexts["trace"] {
        sentry::protocol::Context::Trace(trace) => (trace.trace_id, trace.span_id),
        other => panic!("{other:?}"),
    };
    let (trace, span) = ids(&transaction.contexts);
    assert_eq!(ids(&events[0].contexts), (trace, span), "one leads to the other");
    let [inside] = &*transaction.spans else { panic!("{transaction:?}") };
    assert_eq!(
        (inside.trace_id, inside.parent_span_id, inside.op.as_deref()),
        (trace, Some(span), Some("db"))
    );
    assert!(sent(0.0, work).1.is_empty());
}

#[test]
fn what_other_code_and_sentry_actix_add_is_redacted() {
    let (events, _) = sent(0.0, |hub| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request_of_sentry_actix = sentry::protocol::Request {
            url: "http://shop.example/x?token=hunter2".parse().ok(),
            headers: [("x-forwarded-for".to_owned(), "203.0.113.7".to_owned())].into(),
            ..Default::default()
        };
        let hub = Hub::new_from_top(hub);
        hub.configure_scope(|scope| {
            scope.add_event_processor(move |mut event| {
                event.request = Some(request_of_sentry_actix.clone());
                Some(event)
            });
        });
        let work = async {
            sentry::configure_scope(|scope| scope.set_extra("password", "hunter2".into()));
            sentry::add_breadcrumb(sentry::Breadcrumb {
                message: Some("mail to ada@example.com".to_owned()),
                data: [("token".to_owned(), "hunter2".into())].into(),
                ..Default::default()
            });
            sentry::capture_message("no answer from ada@example.com", sentry::Level::Error);
            async { error!("unhandled_exception") }.instrument(request("r-1")).await;
        };
        runtime.block_on(work.bind_hub(hub));
    });
    assert_eq!(events[0].message.as_deref(), Some("no answer from [REDACTED]"));
    assert_eq!(events[1].exception[0].ty, "unhandled_exception");
    for event in &events {
        assert_eq!((event.request.as_ref(), &event.extra["password"]), (None, &"[REDACTED]".into()));
        assert_eq!(breadcrumbs(event), ["mail to [REDACTED]"], "the hub is that of the request");
        let text = serde_json::to_string(event).unwrap();
        assert!(["hunter2", "203.0.113.7", "ada@"].iter().all(|secret| !text.contains(secret)), "{text}");
    }
}
