//! The headers of a request that carry context, as far as they are well-formed. The propagators are given no others: they
//! accept some that the specifications reject, lose some that these allow, and log the text of those that they reject.

use std::collections::{HashMap, HashSet};

use opentelemetry::propagation::Extractor;
use percent_encoding::percent_decode_str;

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
pub(super) const BAGGAGE: &str = "baggage";
pub(super) const UBER_TRACE_ID: &str = "uber-trace-id";

/// The well-formed headers, each in one form that its propagator reads. A header that is none of a list, and comes more than
/// once, is ambiguous: none of its values is taken.
pub(super) fn headers(carrier: &dyn Extractor) -> HashMap<String, String> {
    let all = |name| carrier.get_all(name).unwrap_or_default();
    let only = |name| match *all(name) {
        [value] => Some(value),
        _ => None,
    };
    let headers = [
        (TRACEPARENT, only(TRACEPARENT).and_then(traceparent)),
        (TRACESTATE, tracestate(&all(TRACESTATE))),
        (BAGGAGE, baggage(&all(BAGGAGE))),
        (UBER_TRACE_ID, only(UBER_TRACE_ID).and_then(uber_trace_id)),
    ];
    headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// `traceparent` as version 00 (W3C Trace Context, level 2, sections 3.2 and 4.3). A later version may have more fields.
fn traceparent(value: &str) -> Option<String> {
    let (fields, rest) = value.trim_matches(is_ows).split_at_checked(TRACEPARENT_BYTES)?;
    let [version, trace, span, flags] = *fields.split('-').collect::<Vec<_>>() else { return None };
    let is_complete = rest.is_empty() || (version != "00" && rest.starts_with('-'));
    let has_digits = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    let is_known = version != "ff" && !is_zero(trace) && !is_zero(span);
    (is_complete && has_digits && is_known).then(|| format!("00-{trace}-{span}-{flags}"))
}

/// The length of the fields of version 00.
const TRACEPARENT_BYTES: usize = 55;

/// The members of `tracestate` in all of its lines (section 3.3). One that is malformed, or comes twice, invalidates the list.
fn tracestate(lines: &[&str]) -> Option<String> {
    let mut keys = HashSet::new();
    let members = lines.iter().flat_map(|line| line.split(',')).map(|member| member.trim_matches(is_ows));
    let members = members.filter(|member| !member.is_empty()).map(|member| {
        let (key, value) = member.split_once('=')?;
        (is_key(key) && is_value(value) && keys.insert(key)).then_some(member)
    });
    let members = members.collect::<Option<Vec<_>>>()?;
    (1..=MAX_STATES).contains(&members.len()).then(|| members.join(","))
}

/// The maximum number of members of `tracestate`.
const MAX_STATES: usize = 32;

/// `key`, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let is_part = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '*' | '/');
        let begins = part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        lengths.contains(&part.len()) && begins && part.chars().all(is_allowed)
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_part(tenant, 1..=241) && is_part(system, 1..=14),
        None => is_part(key, 1..=256),
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.chars().all(|c| matches!(c, ' '..='~') && c != '=')
}

/// The well-formed members of `baggage` in all of its lines (W3C Baggage, section 3.2).
fn baggage(lines: &[&str]) -> Option<String> {
    let members = lines.iter().flat_map(|line| line.split(',')).map(|member| member.trim_matches(is_ows));
    let members: Vec<_> = members.filter(|member| is_baggage(member)).collect();
    let baggage = members.join(",");
    (1..=MAX_BAGGAGE_BYTES).contains(&baggage.len()).then_some(baggage)
}

/// The maximum length of `baggage` (section 3.3.2).
const MAX_BAGGAGE_BYTES: usize = 8192;

/// `key=value`, and properties behind a semicolon. Both are text once their percent-encoding is removed.
fn is_baggage(member: &str) -> bool {
    let pair = member.split(';').next().unwrap_or_default();
    let Some((key, value)) = pair.split_once('=') else { return false };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let key = key.trim_matches(is_ows);
    let is_text = |text: &str| percent_decode_str(text).decode_utf8().is_ok();
    !key.is_empty() && key.chars().all(is_token) && [key, value].into_iter().all(is_text)
}

/// `uber-trace-id` with all of its digits, and with no flag but the sampled one: `TRACE:SPAN:PARENT:FLAGS`, all in base 16,
/// where leading zeros may be missing (Jaeger's client libraries, propagation format). It may be percent-encoded.
fn uber_trace_id(value: &str) -> Option<String> {
    let decoded = percent_decode_str(value.trim_matches(is_ows)).decode_utf8().ok()?;
    let [trace, span, parent, flags] = *decoded.split(':').collect::<Vec<_>>() else { return None };
    let number = |digits: &str, max: usize| {
        let is_number = (1..=max).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
        is_number.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
    };
    let (trace, span) = (number(trace, 32)?, number(span, 16)?);
    number(parent, 16)?;
    let is_sampled = number(flags, 2)? & 1;
    (trace != 0 && span != 0).then(|| format!("{trace:032x}:{span:016x}:0:{is_sampled}"))
}

/// Optional whitespace around values (RFC 9110, section 5.6.3).
const fn is_ows(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_hex(digits: &str, length: usize) -> bool {
    digits.len() == length && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

fn is_zero(digits: &str) -> bool {
    digits.chars().all(|c| c == '0')
}
