//! Request bodies and their content coding. The first line of the input is the value of `Content-Encoding`; behind `!`, the rest is
//! a body before its compression, and otherwise the compressed one.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder};
use glasshouse_api::http::body::{InflateError, Inflater};

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "body_coding",
    seeds: &[
        "gzip\n!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "deflate\n!{}",
        "identity, ,GZIP\n\u{1f}",
        "gzip, deflate\n!",
        "br\n",
        "identity\n{\"a\":1}",
    ],
    dictionary: &["gzip", "deflate", "identity", "br", ",", "\n", "\n!", "\u{1f}"],
    run,
};

/// The maximum size of a body, in bytes.
const LIMIT: usize = 64;

fn run(input: &[u8]) {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (coding, rest) = (&input[..end], &input[end + 1..]);
    let Ok(value) = HeaderValue::from_bytes(coding) else { return };
    let headers: HeaderMap = [(CONTENT_ENCODING, value)].into_iter().collect();
    let Some(names) = std::str::from_utf8(coding).ok().and_then(names) else {
        return;
    };
    let is_known = names.len() <= 1 && names.iter().all(|name| ["gzip", "deflate"].contains(&&**name));
    assert_eq!(Inflater::new(&headers, LIMIT).is_some(), is_known, "{names:?}");
    if !is_known {
        return;
    }
    let coding = names.first().map_or("identity", String::as_str);
    if let Some(body) = rest.strip_prefix(b"!") {
        let packed = packed(coding, body);
        let inflated = inflated(&headers, &packed, 7);
        if body.len() <= LIMIT && packed.len() <= LIMIT {
            assert_eq!(inflated.expect("it was packed"), body);
        } else {
            assert!(matches!(inflated, Err(InflateError::TooLarge)), "{inflated:?}");
        }
        return;
    }
    let whole = inflated(&headers, rest, usize::MAX);
    let in_parts = inflated(&headers, rest, 1);
    assert_eq!(whole.as_ref().ok(), in_parts.as_ref().ok(), "it depends on the parts");
    if let Ok(body) = whole {
        assert!(body.len() <= LIMIT && rest.len() <= LIMIT);
        assert_eq!(unpacked(coding, rest), body);
    }
}

/// The codings that mean something; `None` if the text is not one that a server reads.
fn names(coding: &str) -> Option<Vec<String>> {
    let names = coding.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names = names.map(str::to_ascii_lowercase).filter(|name| name != "identity");
    coding.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)).then(|| names.collect())
}

fn inflated(headers: &HeaderMap, packed: &[u8], part: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new(headers, LIMIT).expect("the coding is known");
    packed.chunks(part).try_for_each(|part| inflater.write(part))?;
    inflater.finish()
}

fn packed(coding: &str, body: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => all(GzEncoder::new(body, Compression::fast())),
        "deflate" => all(ZlibEncoder::new(body, Compression::fast())),
        _ => body.to_vec(),
    }
}

/// Inflates with the other half of the library, which reads.
fn unpacked(coding: &str, packed: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => all(MultiGzDecoder::new(packed)),
        "deflate" => all(ZlibDecoder::new(packed)),
        _ => packed.to_vec(),
    }
}

fn all(mut reader: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("it is well-formed");
    bytes
}
