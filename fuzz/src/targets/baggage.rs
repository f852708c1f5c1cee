//! The header `baggage`, in one or several lines (W3C Baggage, section 3).

use std::collections::HashMap;

use glasshouse_telemetry::propagation::W3cOrJaeger;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;

use super::headers::Headers;
use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "baggage",
    seeds: &[
        "userId=alice,serverNode=DF%2028,isProduction=false",
        "key=value;property;k2=v2\nother = x",
        "a=%F0%9F%98%80,b=%FF",
        "=x,a,b=,c=1=2",
    ],
    dictionary: &["=", ",", ";", "%20", "%FF", "%2C", "\n", " ", "a=1"],
    run,
};

thread_local! {
    static PROPAGATOR: W3cOrJaeger = W3cOrJaeger::default();
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let headers = text.split('\n').map(|line| ("baggage", line)).collect();
    let context = PROPAGATOR.with(|propagator| propagator.extract(&Headers(headers)));
    let found = members(&context);
    assert!(found.len() <= 64);
    for key in found.keys() {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        assert!(!key.is_empty() && key.chars().all(is_token), "{key:?} is no token");
        assert!(text.contains(key.as_str()) || text.contains('%'), "{key:?} was not sent");
    }
    let count = text.split(['\n', ',']).count();
    for (key, value) in text.split(['\n', ',']).filter_map(plain_member).filter(|_| count <= 64) {
        assert!(found.contains_key(key), "{key}={value} is lost");
    }
    // OpenTelemetry's propagator encodes neither percent signs nor properties. The service injects no baggage.
    let is_plain = |text: &str| !text.contains('%');
    let properties =
        context.baggage().into_iter().any(|(_, (_, properties))| !properties.as_str().is_empty());
    if properties || !found.iter().all(|(key, value)| is_plain(key) && is_plain(value)) {
        return;
    }
    let mut injected = HashMap::new();
    PROPAGATOR.with(|propagator| propagator.inject_context(&context, &mut injected));
    let again = PROPAGATOR.with(|propagator| propagator.extract(&injected));
    let is_too_long = injected.get("baggage").is_some_and(|written| written.len() > 8192);
    assert!(is_too_long || members(&again) == found, "{found:?} was injected as {injected:?}");
}

/// A member that every reader of the specification accepts.
fn plain_member(member: &str) -> Option<(&str, &str)> {
    let (key, value) = member.split_once('=')?;
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_plain(key) && is_plain(value)).then_some((key, value))
}

fn members(context: &Context) -> HashMap<String, String> {
    let members = context.baggage().into_iter();
    members.map(|(key, (value, _))| (key.to_string(), value.to_string())).collect()
}
