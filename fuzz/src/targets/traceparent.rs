//! The header `traceparent` (W3C Trace Context, level 2, section 3.2), in requests and stored with background work.

use std::collections::HashMap;

use glasshouse_telemetry::propagation::{W3cOrJaeger, from_traceparent};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use regex::bytes::Regex;

use crate::Target;
use crate::check::{grammar, text};

pub(super) const TARGET: Target = Target {
    name: "traceparent",
    seeds: &[
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        " cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more\t",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-00",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
    dictionary: &["-", "00", "ff", "01", "0000000000000000", " ", "\t"],
    run,
};

thread_local! {
    static GRAMMAR: Regex =
        grammar("^(?-u)[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-(?s:.*))?[ \t]*$");
    static PROPAGATOR: W3cOrJaeger = W3cOrJaeger::default();
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let headers = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
    let context = PROPAGATOR.with(|propagator| propagator.extract(&headers));
    let span = context.span().span_context().clone();
    let found = span.is_valid().then(|| {
        (span.trace_id().to_string(), span.span_id().to_string(), u8::from(span.trace_flags().is_sampled()))
    });
    assert_eq!(found, expected(text));
    assert!(!span.is_valid() || span.is_remote());
    // A stored value is one that was injected; any other must do no harm.
    drop(from_traceparent(text));
    if let Some((trace, parent, sampled)) = found {
        let mut injected = HashMap::new();
        PROPAGATOR.with(|propagator| propagator.inject_context(&context, &mut injected));
        assert_eq!(injected["traceparent"], format!("00-{trace}-{parent}-{sampled:02x}"));
        let stored = from_traceparent(&injected["traceparent"]);
        assert_eq!(stored.span().span_context().span_id(), span.span_id());
    }
}

/// The trace, the parent and the sampled flag by the grammar of the specification.
fn expected(text: &str) -> Option<(String, String, u8)> {
    GRAMMAR.with(|grammar| {
        let fields = grammar.captures(text.as_bytes())?;
        let field = |index: usize| String::from_utf8(fields[index].to_vec()).expect("digits");
        let (version, trace, parent) = (field(1), field(2), field(3));
        let has_more = fields.get(5).is_some();
        let is_known = version != "ff" && !(version == "00" && has_more);
        let has_ids = [&trace, &parent].iter().all(|id| id.bytes().any(|digit| digit != b'0'));
        let flags = u8::from_str_radix(&field(4), 16).expect("two digits");
        (is_known && has_ids).then_some((trace, parent, flags & 1))
    })
}
