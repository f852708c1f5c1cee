//! The header `tracestate`, in one or several lines (W3C Trace Context, level 2, section 3.3).

use std::collections::{HashMap, HashSet};

use glasshouse_telemetry::propagation::W3cOrJaeger;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use regex::bytes::Regex;

use super::headers::Headers;
use crate::Target;
use crate::check::{grammar, text};

pub(super) const TARGET: Target = Target {
    name: "tracestate",
    seeds: &[
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "fw529a3039@dt=FfAAAA== , a=1\nb=2",
        "a=1,,\t,b=2",
        "a=1,a=2",
        "A=1",
        "0v=a b ,@x=1",
    ],
    dictionary: &["=", ",", "@", "\n", " ", "\t", "a=1"],
    run,
};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

thread_local! {
    static KEY: Regex =
        grammar("^(?-u)([a-z0-9][_a-z0-9*/-]{0,255}|[a-z0-9][_a-z0-9*/-]{0,240}@[a-z0-9][_a-z0-9*/-]{0,13})$");
    static VALUE: Regex = grammar(r"^(?-u)[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$");
    static PROPAGATOR: W3cOrJaeger = W3cOrJaeger::default();
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let mut headers = vec![("traceparent", TRACEPARENT)];
    headers.extend(text.split('\n').map(|line| ("tracestate", line)));
    let context = PROPAGATOR.with(|propagator| propagator.extract(&Headers(headers)));
    let span = context.span().span_context().clone();
    assert_eq!(span.span_id().to_string(), "00f067aa0ba902b7", "a bad state loses the ids");
    let expected = expected(text).unwrap_or_default();
    // OpenTelemetry rejects systems of 14 characters, which the specification allows.
    if expected.iter().any(|member| member.split_once('=').is_some_and(|(key, _)| has_long_system(key))) {
        return;
    }
    assert_eq!(span.trace_state().header(), expected.join(","));
    if !expected.is_empty() {
        let mut injected = HashMap::new();
        PROPAGATOR.with(|propagator| propagator.inject_context(&context, &mut injected));
        assert_eq!(injected["tracestate"], expected.join(","));
    }
}

fn has_long_system(key: &str) -> bool {
    key.split_once('@').is_some_and(|(_, system)| system.len() == 14)
}

/// The members by the grammar of the specification; `None` if the list is not valid.
fn expected(text: &str) -> Option<Vec<&str>> {
    let mut keys = HashSet::new();
    let mut members = Vec::new();
    for member in text.split([',', '\n']).map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        let is_key = KEY.with(|grammar| grammar.is_match(key.as_bytes()));
        let is_value = VALUE.with(|grammar| grammar.is_match(value.as_bytes()));
        if !is_key || !is_value || !keys.insert(key) {
            return None;
        }
        members.push(member);
    }
    (members.len() <= 32).then_some(members)
}
