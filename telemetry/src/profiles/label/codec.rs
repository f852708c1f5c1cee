//! The text of a label: an endpoint and a span id in the 15 bytes of a thread's name.

use std::sync::{LazyLock, PoisonError, RwLock};

use indexmap::IndexSet;
use opentelemetry::SpanId;

use super::thread_name::CAPACITY;

/// The first byte of a label. Other names of threads do not begin with it.
const MARK: u8 = b'~';
/// The digits of the endpoint, which follow the mark.
const ENDPOINT_DIGITS: usize = 2;
/// The digits of the span id, which follow those of the endpoint: 64 bits at 6 bits a digit.
const SPAN_DIGITS: usize = 11;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The number of endpoints that two digits can distinguish.
const MAX_ENDPOINTS: usize = 64 * 64;

/// The route patterns that were labeled so far. A label holds the index of its own.
static ENDPOINTS: LazyLock<RwLock<IndexSet<String>>> = LazyLock::new(RwLock::default);

/// The number of a route pattern; `None` if there are too many.
pub(super) fn endpoint_index(endpoint: &str) -> Option<usize> {
    let known = ENDPOINTS.read().unwrap_or_else(PoisonError::into_inner).get_index_of(endpoint);
    known.or_else(|| {
        let mut endpoints = ENDPOINTS.write().unwrap_or_else(PoisonError::into_inner);
        (endpoints.len() < MAX_ENDPOINTS).then(|| endpoints.insert_full(endpoint.to_owned()).0)
    })
}

/// The label as a C string, padded with zeros.
pub(super) fn encode(endpoint: usize, span: Option<SpanId>) -> [u8; CAPACITY] {
    let mut name = [0; CAPACITY];
    name[0] = MARK;
    let (endpoint_digits, span_digits) =
        name[1..=ENDPOINT_DIGITS + SPAN_DIGITS].split_at_mut(ENDPOINT_DIGITS);
    write(endpoint as u64, endpoint_digits);
    if let Some(span) = span {
        write(u64::from_be_bytes(span.to_bytes()), span_digits);
    }
    name
}

/// The endpoint and the span of a label; `None` if the name is no label.
pub(super) fn decode(name: &str) -> Option<(String, Option<SpanId>)> {
    let digits = name.as_bytes().strip_prefix(&[MARK])?;
    let (endpoint, span) = digits.split_at_checked(ENDPOINT_DIGITS)?;
    let endpoint = usize::try_from(read(endpoint)?).ok()?;
    let endpoints = ENDPOINTS.read().unwrap_or_else(PoisonError::into_inner);
    let endpoint = endpoints.get_index(endpoint)?.clone();
    let span = if span.is_empty() { None } else { Some(read(span)?) };
    Some((endpoint, span.map(|span| SpanId::from_bytes(span.to_be_bytes()))))
}

fn write(mut number: u64, digits: &mut [u8]) {
    for digit in digits {
        *digit = ALPHABET[(number % 64) as usize];
        number /= 64;
    }
}

fn read(digits: &[u8]) -> Option<u64> {
    digits.iter().rev().try_fold(0_u64, |number, digit| {
        let digit = ALPHABET.iter().position(|known| known == digit)?;
        Some(number.wrapping_mul(64).wrapping_add(digit as u64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_endpoint_and_span() {
        for span in [None, Some(SpanId::from_bytes([0xff; 8])), Some(SpanId::from_bytes([1; 8]))] {
            let name = encode(endpoint_index("/v1/orders/{id}").unwrap(), span);
            let name = name.into_iter().take_while(|byte| *byte != 0).collect();
            let name = String::from_utf8(name).unwrap();
            assert_eq!(decode(&name), Some(("/v1/orders/{id}".to_owned(), span)), "{name}");
        }
        for other in ["", "~", "tokio-rt-worker", "~zz?", "~AA?????"] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
