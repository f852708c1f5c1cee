//! The cases of the W3C Trace Context test suite over HTTP: whether the service continues a trace that a client sends. The
//! whole suite, with `tracestate`, is in `telemetry/src/http/trace_context_suite.rs`.

use crate::command_line::Stack;
use crate::support::{exchange, header};

const TRACE: &str = "12345678901234567890123456789012";
const SPAN: &str = "1234567890123456";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";
const JAEGER: &str = "12345678901234567890123456789012:1234567890123456:0:1";

/// Headers with which the service continues the trace [`TRACE`].
const CONTINUED: [&[(&str, &str)]; 17] = [
    &[("traceparent", PARENT)],
    &[("TraceParent", PARENT)],
    &[("TRACEPARENT", PARENT)],
    &[("traceparent", "\t 00-12345678901234567890123456789012-1234567890123456-01 \t")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-00")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-ff")],
    &[("traceparent", "cc-12345678901234567890123456789012-1234567890123456-01")],
    &[(
        "traceparent",
        "01-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
    )],
    &[("traceparent", PARENT), ("tracestate", "foo=1,foo=2")],
    &[("traceparent", PARENT), ("tracestate", "secret"), ("tracestate", "")],
    &[("traceparent", PARENT), ("uber-trace-id", "0:1:0:1")],
    &[("uber-trace-id", JAEGER)],
    &[("uber-trace-id", JAEGER), ("uberctx-note", "a=b")],
    &[("uber-trace-id", JAEGER), ("traceparent", "00-a-b-01")],
    &[("uber-trace-id", "12345678901234567890123456789012:1234567890123456:0:f")],
    &[("uber-trace-id", "12345678901234567890123456789012%3A1234567890123456%3A0%3A1")],
    &[("uber-trace-id", "12345678901234567890123456789012:1:1234567890123456:03")],
];

/// Headers with which the service begins a trace of its own.
const RESTARTED: [&[(&str, &str)]; 32] = [
    &[],
    &[("traceparent", "")],
    &[("traceparent", PARENT), ("traceparent", PARENT)],
    &[("traceparent", PARENT), ("traceparent", "00-12345678901234567890123456789011-1234567890123456-01")],
    &[("traceparent", PARENT), ("Traceparent", "")],
    &[("trace-parent", PARENT)],
    &[("trace.parent", PARENT)],
    &[("traceparent", "00-a-b-01")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-01.")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-01-")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-01-more")],
    &[("traceparent", "cc-12345678901234567890123456789012-1234567890123456-01.more")],
    &[("traceparent", "ff-12345678901234567890123456789012-1234567890123456-01")],
    &[("traceparent", "0-12345678901234567890123456789012-1234567890123456-01")],
    &[("traceparent", "000-12345678901234567890123456789012-1234567890123456-01")],
    &[("traceparent", ".0-12345678901234567890123456789012-1234567890123456-01")],
    &[("traceparent", "00-00000000000000000000000000000000-1234567890123456-01")],
    &[("traceparent", "00-1234567890123456789012345678901-1234567890123456-01")],
    &[("traceparent", "00-123456789012345678901234567890123-1234567890123456-01")],
    &[("traceparent", "00-1234567890123456789012345678901A-1234567890123456-01")],
    &[("traceparent", "00-12345678901234567890123456789012-0000000000000000-01")],
    &[("traceparent", "00-12345678901234567890123456789012-123456789012345-01")],
    &[("traceparent", "00-12345678901234567890123456789012-12345678901234567-01")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-1")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-001")],
    &[("traceparent", "00-12345678901234567890123456789012-1234567890123456-+1")],
    &[("tracestate", "foo=1")],
    &[("uber-trace-id", "0:00f067aa0ba902b7:0:1")],
    &[("uber-trace-id", "12345678901234567890123456789012:0:0:1")],
    &[("uber-trace-id", "12345678901234567890123456789012:1234567890123456:0:001")],
    &[("uber-trace-id", JAEGER), ("uber-trace-id", JAEGER)],
    &[("uber-trace-id", "secret")],
];

/// The trace and the span that the service reports for a request with these headers. Both are valid.
async fn ids(address: &str, headers: &[(&str, &str)]) -> (String, String) {
    let headers = [&[("Host", "x")], headers].concat();
    let response = exchange(address, "GET /health/live HTTP/1.1", &headers, "").await;
    let traceparent = header(&response, "traceparent").unwrap_or_else(|| panic!("{headers:?}: {response}"));
    assert_eq!(header(&response, "traceresponse"), Some(traceparent));
    let [version, trace, span, flags] = *traceparent.split('-').collect::<Vec<_>>() else {
        panic!("{headers:?}: {traceparent}")
    };
    assert_eq!((version, trace.len(), span.len(), flags.len()), ("00", 32, 16, 2), "{headers:?}");
    assert!(trace.contains(|c| c != '0') && span.contains(|c| c != '0'), "{headers:?}: {traceparent}");
    (trace.to_owned(), span.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_continued_if_and_only_if_its_header_is_well_formed() {
    let mut stack = Stack::start([]).await;
    let address = stack.serve.address("http_addr").await;
    for headers in CONTINUED {
        let (trace, span) = ids(&address, headers).await;
        assert_eq!(trace, TRACE, "{headers:?}");
        assert_ne!(span, SPAN, "{headers:?}");
    }
    for headers in RESTARTED {
        let (trace, _) = ids(&address, headers).await;
        assert!(!trace.contains("123456789012"), "{headers:?}: {trace}");
    }
}
