//! The cases of the W3C Trace Context test suite (github.com/w3c/trace-context, `test/test.py`, strictness level 2), under
//! its names: what a service sends on when it got these headers. Then those of Jaeger's header, which has no suite.

use std::collections::HashMap;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, baggage::BaggageExt};
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::request_headers::RequestHeaders;
use crate::propagation::W3cOrJaeger;

const TRACE: &str = "12345678901234567890123456789012";
const SPAN: &str = "1234567890123456";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

type Headers<'a> = &'a [(&'a str, &'a str)];

fn extracted(headers: Headers<'_>) -> Context {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    W3cOrJaeger::default().extract_with_context(&Context::new(), &RequestHeaders(&map))
}

/// What a service sends on in the span that continues these headers.
fn sent_on(headers: Headers<'_>) -> HashMap<String, String> {
    let provider = SdkTracerProvider::builder().build();
    let context = extracted(headers);
    let span = provider.tracer("suite").start_with_context("call", &context);
    let mut outgoing = HashMap::new();
    W3cOrJaeger::default().inject_context(&context.with_span(span), &mut outgoing);
    outgoing
}

/// The ids that are sent on; both are valid.
fn ids(headers: Headers<'_>) -> (String, String) {
    let outgoing = sent_on(headers);
    let [version, trace, span, flags] = *outgoing["traceparent"].split('-').collect::<Vec<_>>() else {
        panic!("{outgoing:?}")
    };
    assert_eq!((version, trace.len(), span.len(), flags.len()), ("00", 32, 16, 2), "{outgoing:?}");
    assert!(trace.chars().any(|c| c != '0') && span.chars().any(|c| c != '0'), "{outgoing:?}");
    (trace.to_owned(), span.to_owned())
}

#[track_caller]
fn assert_continues(headers: Headers<'_>) {
    let (trace, span) = ids(headers);
    assert_eq!(trace, TRACE, "{headers:?}");
    assert_ne!(span, SPAN, "{headers:?}");
}

/// A new trace begins, whose id has nothing of the one that was sent.
#[track_caller]
fn assert_restarts(headers: Headers<'_>) {
    let (trace, _) = ids(headers);
    assert!(!trace.contains("123456789012"), "{headers:?}: {trace}");
    assert!(!extracted(headers).has_active_span(), "{headers:?}: what is rejected has no effect");
}

fn with_parent(value: &str) -> [(&str, &str); 1] {
    [("traceparent", value)]
}

#[test]
fn both_traceparent_and_tracestate_missing() {
    assert_restarts(&[]);
}

#[test]
fn traceparent_included_tracestate_missing() {
    assert_continues(&with_parent(PARENT));
}

#[test]
fn traceparent_duplicated() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    assert_restarts(&[("traceparent", other), ("traceparent", PARENT)]);
    assert_restarts(&[("traceparent", PARENT), ("traceparent", PARENT)]);
    assert_restarts(&[("traceparent", PARENT), ("traceparent", "")]);
    assert_restarts(&[("traceparent", "\u{e9}"), ("traceparent", PARENT)]);
    assert_restarts(&with_parent(&format!("{other}, {PARENT}")));
}

#[test]
fn traceparent_header_name() {
    for name in ["trace-parent", "trace.parent"] {
        assert_restarts(&[(name, PARENT)]);
    }
}

#[test]
fn traceparent_header_name_valid_casing() {
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert_continues(&[(name, PARENT)]);
    }
}

#[test]
fn traceparent_version_0x00() {
    for rest in [".", "-", "-what-the-future-will-be-like"] {
        assert_restarts(&with_parent(&format!("{PARENT}{rest}")));
    }
}

#[test]
fn traceparent_version_0xcc() {
    for version in ["01", "cc", "fe"] {
        let parent = PARENT.replacen("00", version, 1);
        for rest in ["", "-", "-what-the-future-will-be-like"] {
            assert_continues(&with_parent(&format!("{parent}{rest}")));
        }
        assert_restarts(&with_parent(&format!("{parent}.what-the-future-will-be-like")));
    }
}

#[test]
fn traceparent_version_0xff() {
    assert_restarts(&with_parent(&PARENT.replacen("00", "ff", 1)));
    assert_restarts(&with_parent(&format!("{}-more", PARENT.replacen("00", "ff", 1))));
}

#[test]
fn traceparent_with_other_versions() {
    for version in [".0", "0.", "000", "0000", "0", "", "+0", "0x", "FE", "Cc", "é"] {
        assert_restarts(&with_parent(&format!("{version}{}", &PARENT[2..])));
    }
}

#[test]
fn traceparent_trace_id() {
    let zeros = "0".repeat(32);
    for trace in [
        &*zeros,
        ".2345678901234567890123456789012",
        "1234567890123456789012345678901.",
        "123456789012345678901234567890123",
        "1234567890123456789012345678901",
        "1234567890123456789012345678901A",
        "+2345678901234567890123456789012",
        "1234567890123456",
        "a",
        "",
    ] {
        assert_restarts(&with_parent(&format!("00-{trace}-{SPAN}-01")));
    }
}

#[test]
fn traceparent_parent_id() {
    for span in [
        "0000000000000000",
        ".234567890123456",
        "123456789012345.",
        "12345678901234567",
        "123456789012345",
        "123456789012345A",
        "b",
        "",
    ] {
        assert_restarts(&with_parent(&format!("00-{TRACE}-{span}-01")));
    }
    assert_restarts(&with_parent("00-a-b-01"));
}

#[test]
fn traceparent_trace_flags() {
    for flags in [".0", "0.", "001", "1", "+1", "0A", "FF", ""] {
        assert_restarts(&with_parent(&format!("00-{TRACE}-{SPAN}-{flags}")));
    }
    for (flags, is_sampled) in
        [("00", false), ("01", true), ("02", false), ("03", true), ("fe", false), ("ff", true)]
    {
        let headers = format!("00-{TRACE}-{SPAN}-{flags}");
        assert_continues(&with_parent(&headers));
        let context = extracted(&with_parent(&headers));
        assert_eq!(context.span().span_context().is_sampled(), is_sampled, "{flags}");
    }
}

#[test]
fn traceparent_ows_handling() {
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        assert_continues(&with_parent(&format!("{before}{PARENT}{after}")));
    }
    assert_restarts(&with_parent(&PARENT.replace('-', " - ")));
}

/// The `tracestate` that is sent on with a valid `traceparent`.
fn state(lines: &[&str]) -> String {
    let lines = lines.iter().map(|line| ("tracestate", *line));
    let headers: Vec<_> = std::iter::once(("traceparent", PARENT)).chain(lines).collect();
    assert_continues(&headers);
    sent_on(&headers)["tracestate"].clone()
}

#[test]
fn tracestate_included_traceparent_missing() {
    for headers in [&[("tracestate", "foo=1")][..], &[("tracestate", "foo=1"), ("traceparent", "00-a-b-01")]]
    {
        assert_restarts(headers);
        assert_eq!(sent_on(headers)["tracestate"], "");
    }
}

#[test]
fn tracestate_is_inherited() {
    for (lines, expected) in [
        (&["foo=1,bar=2"][..], "foo=1,bar=2"),
        (&[""], ""),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&[" foo=1"], "foo=1"),
        (&["\tfoo=1"], "foo=1"),
        (&["foo=1 "], "foo=1"),
        (&["foo=1\t"], "foo=1"),
        (&["\t foo=1 \t"], "foo=1"),
    ] {
        assert_eq!(state(lines), expected, "{lines:?}");
    }
    for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        assert_eq!(sent_on(&[("traceparent", PARENT), (name, "foo=1")])["tracestate"], "foo=1", "{name}");
    }
    for name in ["trace-state", "trace.state"] {
        assert_eq!(sent_on(&[("traceparent", PARENT), (name, "foo=1")])["tracestate"], "", "{name}");
    }
}

#[test]
fn tracestate_all_allowed_characters() {
    let key = format!("{}0123456789_-*/", ('a'..='z').collect::<String>());
    let value: String = (' '..='~').filter(|c| !matches!(c, ',' | '=')).collect();
    for key in [key.clone(), format!("{key}@a-z0-9_-*/")] {
        assert_eq!(state(&[&format!("{key}={value}")]), format!("{key}={value}"));
    }
}

#[test]
fn tracestate_is_discarded() {
    for lines in [
        &["foo=1,foo=1"][..],
        &["foo=1,foo=2"],
        &["foo=1", "foo=1"],
        &["foo=1", "foo=2"],
        &["foo =1"],
        &["FOO=1"],
        &["foo.bar=1"],
        &["foo@=1,bar=2"],
        &["@foo=1,bar=2"],
        &["foo@@bar=1,bar=2"],
        &["foo@bar@baz=1,bar=2"],
        &["foo=bar=baz"],
        &["foo=,bar=3"],
        &["foo,bar=3"],
        &["=1"],
        &["foo=b\tr"],
        &["foo=1", "\u{e9}=1"],
    ] {
        assert_eq!(state(lines), "", "{lines:?}");
    }
}

#[test]
fn tracestate_member_count_limit() {
    let members = |count| (1..=count).map(|n| format!("bar{n:02}={n:02}")).collect::<Vec<_>>();
    let lines = |count| members(count).chunks(10).map(|line| line.join(",")).collect::<Vec<_>>();
    let state_of = |count| state(&lines(count).iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(state_of(32), members(32).join(","));
    assert_eq!(state_of(33), "");
}

#[test]
fn tracestate_key_length_limit() {
    let with_foo = |key: String| state(&["foo=1", &format!("{key}=1")]);
    assert!(with_foo("z".repeat(256)).starts_with("foo=1,zzz"));
    assert_eq!(with_foo("z".repeat(257)), "");
    assert_eq!(with_foo(format!("{}@v", "t".repeat(242))), "");
    assert_eq!(with_foo(format!("t@{}", "v".repeat(15))), "");
    // The suite allows 14 bytes behind the `@`. OpenTelemetry's `TraceState` takes 13, and discards the list for one more.
    assert!(with_foo(format!("{}@{}", "t".repeat(241), "v".repeat(13))).starts_with("foo=1,ttt"));
    let values = [("v".repeat(256), true), ("v".repeat(257), false)];
    for (value, is_kept) in values {
        assert_eq!(state(&[&format!("foo={value}")]).is_empty(), !is_kept);
    }
}

#[test]
fn multiple_requests() {
    for (headers, continues) in
        [(&with_parent(PARENT)[..], true), (&[], false), (&with_parent("00-a-b-01"), false)]
    {
        let sent: Vec<_> = (0..3).map(|_| ids(headers)).collect();
        assert!(sent.iter().all(|(trace, _)| (trace == TRACE) == continues), "{sent:?}");
        let spans: std::collections::HashSet<_> = sent.iter().map(|(_, span)| span).collect();
        assert_eq!(spans.len(), 3, "{sent:?}");
    }
}

#[test]
fn jaeger_trace_context() {
    for value in [
        "12345678901234567890123456789012:1234567890123456:0:1",
        "12345678901234567890123456789012:1234567890123456:0:01",
        "12345678901234567890123456789012:1234567890123456:0:0",
        "12345678901234567890123456789012:1234567890123456:0:f",
        "12345678901234567890123456789012:1234567890123456:00f067aa0ba902b7:0B",
        "12345678901234567890123456789012:1234567890123456:0:ff",
        "12345678901234567890123456789012:1:0:1",
        "12345678901234567890123456789012%3A1234567890123456%3a0%3A1",
        " 12345678901234567890123456789012:1234567890123456:0:1\t",
    ] {
        assert_continues(&[("uber-trace-id", value)]);
        assert_continues(&[("Uber-Trace-Id", value), ("uberctx-note", "a=b")]);
        // What is rejected is as good as absent.
        assert_continues(&[("uber-trace-id", value), ("traceparent", "00-a-b-01")]);
    }
    let ids = |value| ids(&[("uber-trace-id", value)]).0;
    assert_eq!(ids("4d0000000000000016:17c29:0:1"), "000000000000004d0000000000000016");
    assert_eq!(ids("463AC35C9F6413AD:17C29:0:1"), "0000000000000000463ac35c9f6413ad");
    for (flags, is_sampled) in
        [("0", false), ("1", true), ("2", false), ("3", true), ("a", false), ("b", true)]
    {
        let header = format!("{TRACE}:{SPAN}:0:{flags}");
        let context = extracted(&[("uber-trace-id", &header)]);
        assert_eq!(context.span().span_context().is_sampled(), is_sampled, "{flags}");
    }
}

#[test]
fn jaeger_trace_context_that_is_rejected() {
    for value in [
        "0:00f067aa0ba902b7:0:1",
        "00000000000000000000000000000000:00f067aa0ba902b7:0:1",
        "12345678901234567890123456789012:0:0:1",
        "12345678901234567890123456789012:0000000000000000:0:1",
        "0:0:0:0",
        "123456789012345678901234567890123:1:0:1",
        "12345678901234567890123456789012:12345678901234567:0:1",
        "12345678901234567890123456789012:1234567890123456:0:001",
        "12345678901234567890123456789012:1234567890123456:0:+1",
        "12345678901234567890123456789012:1234567890123456:0:",
        "12345678901234567890123456789012:1234567890123456::1",
        "12345678901234567890123456789012:1234567890123456:secret:1",
        "12345678901234567890123456789012:1234567890123456:0:1:",
        "12345678901234567890123456789012:1234567890123456:0",
        "+2345678901234567890123456789012:1234567890123456:0:1",
        "g2345678901234567890123456789012:1234567890123456:0:1",
        "%ff:1:0:1",
        "secret",
        "",
    ] {
        assert_restarts(&[("uber-trace-id", value)]);
        assert_continues(&[("uber-trace-id", value), ("traceparent", PARENT)]);
    }
    let value = "12345678901234567890123456789012:1234567890123456:0:1";
    assert_restarts(&[("uber-trace-id", value), ("uber-trace-id", value)]);
}

#[test]
fn baggage_is_kept_as_far_as_it_is_well_formed() {
    let baggage = |lines: &[&str]| {
        let headers: Vec<_> = lines.iter().map(|line| ("baggage", *line)).collect();
        let context = extracted(&headers);
        let mut members: Vec<_> =
            context.baggage().iter().map(|(key, (value, _))| format!("{key}={value}")).collect();
        members.sort();
        members.join(",")
    };
    for (lines, expected) in [
        (&["token=secret,promo"][..], "token=secret"),
        (&["a=1", "b=2;property;p=1"], "a=1,b=2"),
        (&[" a = 1 ,\tb=%20x"], "a=1,b=x"),
        (&["promo"], ""),
        (&["=1,a=%ff,%ff=1,b c=1"], ""),
        (&["a=1", "\u{e9}=1"], "a=1"),
    ] {
        assert_eq!(baggage(lines), expected, "{lines:?}");
    }
    assert_eq!(baggage(&[&format!("a={}", "1".repeat(8190))]).len(), 8192);
    assert_eq!(baggage(&[&format!("a={}", "1".repeat(8191))]), "");
}
