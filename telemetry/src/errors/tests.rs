use std::panic;
use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use sentry::protocol::{EnvelopeItem, Event as Report, Transaction};
use tokio::join;
use tracing::{Instrument, Span, error, info, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::errors::transport::Outbox;
use crate::errors::{Origin, client};
use crate::redaction::Redactor;
use crate::{Build, LogFormat, SpanField, logs};

/// What is sent to Sentry while `work` runs, with timings of this share.
fn sent(traces_sample_rate: f64, work: impl FnOnce()) -> (Vec<Report<'static>>, Vec<Transaction<'static>>) {
    let (outbox, mut waiting) = Outbox::new();
    let origin = Origin {
        service: "glasshouse-api".to_owned(),
        environment: Some("test".to_owned()),
        build: Build { name: "glasshouse", version: "1.2.3", commit: None },
        in_app: Vec::new(),
    };
    let fields = [
        SpanField::new("request_id", "request_id"),
        SpanField::new("tenant.id", "tenant_id"),
        SpanField::new("user.id", "user_id"),
    ];
    let schema = LogSchema::new(&fields, Redactor::default());
    let reporter = Reporter { outbox: Arc::new(outbox), origin: origin.clone(), traces_sample_rate };
    let reporting = ReportLayer::new(reporter, schema.clone());
    let (lines, _guard) = logs::layer(schema, LogFormat::Json, None);
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let layers = spans.and_then(lines).and_then(reporting);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), work);
    let (mut reports, mut transactions) = (Vec::new(), Vec::new());
    let client = client(&"https://key@sentry.invalid/1".parse().unwrap(), &origin);
    let envelopes = std::iter::from_fn(|| waiting.try_next()?.complete(&client));
    for item in envelopes.flat_map(|envelope| envelope.into_items()) {
        match item {
            EnvelopeItem::Event(report) => reports.push(*report),
            EnvelopeItem::Transaction(transaction) => transactions.push(*transaction),
            other => panic!("{other:?}"),
        }
    }
    (reports, transactions)
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

fn breadcrumbs(report: &Report<'_>) -> Vec<String> {
    report.breadcrumbs.iter().map(|line| line.message.clone().unwrap_or_default()).collect()
}

#[test]
fn a_report_has_the_lines_of_its_own_request_and_no_others() {
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
    let (reports, _) = sent(0.0, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, two) = (fails("r-1", "1a", "1b"), fails("r-2", "2a", "2b"));
        let (one, two) = (one.instrument(request("r-1")), two.instrument(request("r-2")));
        runtime.block_on(async { join!(one, two) });
    });
    assert_eq!(reports.len(), 2);
    for (report, (id, lines)) in reports.iter().zip([("r-1", ["1a", "1b"]), ("r-2", ["2a", "2b"])]) {
        assert_eq!(report.tags["request_id"], id);
        let told: Vec<_> =
            report.breadcrumbs.iter().map(|line| line.data["line"].as_str().unwrap()).collect();
        assert_eq!(told, lines);
        let cause = format!("{id} broke for [REDACTED]");
        let exception = &report.exception[0];
        assert_eq!((&*exception.ty, exception.value.as_deref()), ("unhandled_exception", Some(&*cause)));
        assert_eq!((&*report.tags["tenant_id"], &*report.tags["service"]), ("t-1", "glasshouse-api"));
        assert_eq!(report.user.as_ref().unwrap().id.as_deref(), Some("u-1"));
        assert_eq!(
            (report.transaction.as_deref(), report.environment.as_deref()),
            (Some("GET /x"), Some("test"))
        );
        assert!(report.release.as_ref().unwrap().starts_with("glasshouse@"), "{:?}", report.release);
        assert!(exception.stacktrace.is_none());
    }
}

#[test]
fn a_panic_is_reported_once_with_its_stack_and_the_next_error_again() {
    let (reports, _) = sent(0.0, || {
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
    let causes: Vec<_> = reports.iter().map(|report| report.exception[0].value.as_deref()).collect();
    assert_eq!(causes, [Some("no [REDACTED]"), Some("something else")]);
    let panic = &reports[0].exception[0];
    assert_eq!((&*panic.ty, panic.mechanism.as_ref().unwrap().handled), ("panicked", Some(false)));
    let frames = &panic.stacktrace.as_ref().unwrap().frames;
    let here = |name: &String| name.contains("a_panic_is_reported_once");
    assert!(frames.iter().any(|frame| frame.function.as_ref().is_some_and(here)), "{frames:#?}");
    assert_eq!(breadcrumbs(&reports[0]), ["before"]);
    assert_eq!(breadcrumbs(&reports[1]), ["before", "panicked", "unhandled_exception"]);
}

#[test]
fn an_error_outside_of_any_unit_of_work_stands_alone() {
    let (reports, _) = sent(0.0, || {
        info!("of nobody");
        error!(job = "outbox_relay", error = "refused", "background_job_failed");
    });
    assert_eq!(breadcrumbs(&reports[0]), [""; 0]);
    assert_eq!((&*reports[0].tags["job"], reports[0].user.is_none()), ("outbox_relay", true));
}

#[test]
fn the_last_lines_are_told_and_no_more() {
    let (reports, _) = sent(0.0, || {
        let _request = request("r-1").entered();
        (0..MAX_BREADCRUMBS + 3).for_each(|count| info!(count, "line"));
        error!("unhandled_exception");
    });
    let told = &reports[0].breadcrumbs;
    assert_eq!((told.len(), &told[0].data["count"]), (MAX_BREADCRUMBS, &3.into()));
}

#[test]
fn timings_have_the_ids_of_the_trace_and_a_share_of_nothing_sends_none() {
    let work = || {
        let request = request("r-1");
        let _request = request.enter();
        info_span!("inside", db.system.name = "postgresql").in_scope(|| ());
        error!("unhandled_exception");
    };
    let (reports, transactions) = sent(1.0, work);
    let [transaction] = &*transactions else { panic!("{transactions:?}") };
    assert_eq!(transaction.name.as_deref(), Some("GET /x"));
    assert_eq!(
        (&*transaction.tags["request_id"], transaction.user.as_ref()),
        ("r-1", reports[0].user.as_ref())
    );
    let ids = |contexts: &sentry::protocol::Map<String, sentry::protocol::Context>| match &contexts["trace"] {
        sentry::protocol::Context::Trace(trace) => (trace.trace_id, trace.span_id),
        other => panic!("{other:?}"),
    };
    let (trace, span) = ids(&transaction.contexts);
    assert_eq!(ids(&reports[0].contexts), (trace, span), "one leads to the other");
    let [inside] = &*transaction.spans else { panic!("{transaction:?}") };
    assert_eq!(
        (inside.trace_id, inside.parent_span_id, inside.op.as_deref()),
        (trace, Some(span), Some("db"))
    );
    assert!(sent(0.0, work).1.is_empty());
}
