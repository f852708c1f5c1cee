//! The header `uber-trace-id` of Jaeger's clients.

use std::collections::HashMap;

use glasshouse_telemetry::propagation::W3cOrJaeger;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use percent_encoding::percent_decode_str;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "uber_trace_id",
    seeds: &[
        "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
        "a3ce929d0e0e4736%3Af067aa0ba902b7%3A0%3A03",
        "1:1:ffffffffffffffff:0",
        "0:1:0:1",
        "1:1:0:100",
        "+1:1:0:1",
    ],
    dictionary: &[":", "%3A", "%3a", "0", "ff", "+", " "],
    run,
};

thread_local! {
    static PROPAGATOR: W3cOrJaeger = W3cOrJaeger::default();
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let headers = HashMap::from([("uber-trace-id".to_owned(), text.to_owned())]);
    let context = PROPAGATOR.with(|propagator| propagator.extract(&headers));
    let span = context.span().span_context().clone();
    let found =
        span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string(), span.is_sampled()));
    assert_eq!(found, expected(text));
    if found.is_some() {
        let mut injected = HashMap::new();
        PROPAGATOR.with(|propagator| propagator.inject_context(&context, &mut injected));
        let again = PROPAGATOR.with(|propagator| propagator.extract(&injected));
        assert_eq!(again.span().span_context().trace_id(), span.trace_id());
        injected.remove("traceparent");
        let again = PROPAGATOR.with(|propagator| propagator.extract(&injected));
        assert_eq!(again.span().span_context().span_id(), span.span_id());
    }
}

/// The trace, the span and the sampled flag by the documentation of Jaeger.
fn expected(text: &str) -> Option<(String, String, bool)> {
    let bytes: Vec<u8> = percent_decode_str(text.trim_matches([' ', '\t'])).collect();
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b':').collect();
    let [trace, span, parent, flags] = parts[..] else { return None };
    let digits = |part: &[u8], max: usize| {
        let fits = (1..=max).contains(&part.len()) && part.iter().all(u8::is_ascii_hexdigit);
        fits.then(|| format!("{:0>max$}", String::from_utf8_lossy(part).to_ascii_lowercase()))
    };
    let (trace, span) = (digits(trace, 32)?, digits(span, 16)?);
    digits(parent, 16)?;
    let flags = digits(flags, 2)?;
    let is_sampled = flags.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
    let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    (!is_zero(&trace) && !is_zero(&span)).then_some((trace, span, is_sampled))
}
