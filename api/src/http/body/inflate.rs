//! The content codings of request bodies, with a limit that holds while a body is inflated.

use std::io::{self, ErrorKind, Write};

use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, HeaderMap};
use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// The memory of a decoder: its window, its tables and its output buffer, in bytes.
pub(super) const DECODER_BYTES: usize = 80 * 1024;

/// A body as it arrives. It never holds more than its limit, neither of the bytes that were received nor of those
/// that they inflate to: a body of a few kilobytes can inflate to gigabytes.
pub struct Inflater {
    decoder: Decoder,
    received: usize,
    limit: usize,
}

/// Why a body cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// The body exceeds the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The body is not in the coding that its header names, or it is incomplete.
    #[error("{0}")]
    Malformed(io::Error),
}

enum Decoder {
    Identity(Limited),
    Gzip(MultiGzDecoder<Limited>),
    Deflate(ZlibDecoder<Limited>),
}

/// Bytes up to a limit. Writing more fails with [`ErrorKind::FileTooLarge`].
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

/// The one content coding of a body: `Content-Encoding` is a list of which `identity` and empty elements mean nothing
/// (RFC 9110, sections 5.6.1 and 8.4). `None` if it names an unknown coding, or several.
fn content_coding(headers: &HeaderMap) -> Option<ContentEncoding> {
    let mut coding = ContentEncoding::Identity;
    for line in headers.get_all(CONTENT_ENCODING) {
        let elements = line.to_str().ok()?.split(',').map(str::trim);
        for element in elements.filter(|element| !element.is_empty()) {
            match (coding, element.parse().ok()?) {
                (_, ContentEncoding::Identity) => {}
                (ContentEncoding::Identity, one) => coding = one,
                _ => return None,
            }
        }
    }
    Some(coding)
}

impl Inflater {
    /// Inflates a body with these headers to at most `limit` bytes; `None` if its coding is not accepted.
    pub fn new(headers: &HeaderMap, limit: usize) -> Option<Self> {
        let output = Limited { bytes: Vec::new(), limit };
        let decoder = match content_coding(headers)? {
            ContentEncoding::Identity => Decoder::Identity(output),
            ContentEncoding::Gzip => Decoder::Gzip(MultiGzDecoder::new(output)),
            ContentEncoding::Deflate => Decoder::Deflate(ZlibDecoder::new(output)),
            _ => return None,
        };
        Some(Self { decoder, received: 0, limit })
    }

    /// Adds a part of the body as it was received.
    ///
    /// # Errors
    /// When the body exceeds the limit or is malformed.
    pub fn write(&mut self, part: &[u8]) -> Result<(), InflateError> {
        self.received += part.len();
        // A coding can also be without end and content, such as a series of empty blocks.
        if self.received > self.limit {
            return Err(InflateError::TooLarge);
        }
        let written = match &mut self.decoder {
            Decoder::Identity(output) => output.write_all(part),
            Decoder::Gzip(decoder) => decoder.write_all(part),
            Decoder::Deflate(decoder) => decoder.write_all(part),
        };
        written.map_err(InflateError::from)
    }

    /// The memory that it holds, in bytes.
    pub(super) fn memory(&self) -> usize {
        match &self.decoder {
            Decoder::Identity(output) => output.bytes.len(),
            Decoder::Gzip(decoder) => decoder.get_ref().bytes.len() + DECODER_BYTES,
            Decoder::Deflate(decoder) => decoder.get_ref().bytes.len() + DECODER_BYTES,
        }
    }

    /// The whole body, inflated.
    ///
    /// # Errors
    /// When it exceeds the limit or is incomplete.
    pub fn finish(self) -> Result<Vec<u8>, InflateError> {
        let output = match self.decoder {
            Decoder::Identity(output) => Ok(output),
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Deflate(decoder) => decoder.finish(),
        };
        Ok(output?.bytes)
    }
}

impl From<io::Error> for InflateError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::FileTooLarge { Self::TooLarge } else { Self::Malformed(error) }
    }
}

impl Write for Limited {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if part.len() > self.limit - self.bytes.len() {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const LIMIT: usize = 1000;

    fn inflater(coding: &str) -> Option<Inflater> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
        Inflater::new(&headers, LIMIT)
    }

    fn packed(coding: &str, bytes: &[u8]) -> Vec<u8> {
        let written = |mut encoder: Box<dyn Write>| encoder.write_all(bytes);
        let mut packed = Vec::new();
        match coding {
            "gzip" => written(Box::new(GzEncoder::new(&mut packed, Compression::best()))),
            "deflate" => written(Box::new(ZlibEncoder::new(&mut packed, Compression::best()))),
            _ => written(Box::new(&mut packed)),
        }
        .unwrap();
        packed
    }

    fn inflated(coding: &str, packed: &[u8], part: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflater = inflater(coding).unwrap();
        packed.chunks(part).try_for_each(|part| inflater.write(part))?;
        inflater.finish()
    }

    #[test]
    fn a_body_up_to_the_limit_is_inflated_and_a_larger_one_is_refused() {
        for coding in ["identity", "gzip", "deflate", "GZIP", " gzip "] {
            for part in [1, 7, LIMIT] {
                let coded = |size| packed(coding.trim().to_lowercase().as_str(), &vec![b'x'; size]);
                assert_eq!(inflated(coding, &coded(LIMIT), part).unwrap(), vec![b'x'; LIMIT], "{coding}");
                for size in [LIMIT + 1, 100 * LIMIT] {
                    let refused = inflated(coding, &coded(size), part);
                    assert!(matches!(refused, Err(InflateError::TooLarge)), "{coding} {size}: {refused:?}");
                }
            }
        }
    }

    #[test]
    fn memory_stays_below_the_limit_while_a_body_inflates_a_thousandfold() {
        for coding in ["gzip", "deflate"] {
            let bomb = packed(coding, &vec![0; 900 * LIMIT]);
            assert!(bomb.len() <= LIMIT, "{}", bomb.len());
            let mut inflater = inflater(coding).unwrap();
            assert!(matches!(inflater.write(&bomb), Err(InflateError::TooLarge)));
            assert!(inflater.memory() <= LIMIT + DECODER_BYTES, "{}", inflater.memory());
        }
    }

    #[test]
    fn a_body_without_content_and_end_is_refused() {
        let empty = packed("gzip", b"");
        let refused = inflated("gzip", &empty.repeat(LIMIT / empty.len() + 1), LIMIT);
        assert!(matches!(refused, Err(InflateError::TooLarge)), "{refused:?}");
    }

    #[test]
    fn several_members_are_one_body_and_a_truncated_or_wrong_one_is_malformed() {
        let two = [packed("gzip", b"one "), packed("gzip", b"two")].concat();
        assert_eq!(inflated("gzip", &two, 5).unwrap(), b"one two");
        for coding in ["gzip", "deflate"] {
            let whole = packed(coding, b"some content");
            for wrong in
                [&whole[..whole.len() - 6], b"{\"not\": \"packed\"}", &[&whole, &b"tail"[..]].concat()]
            {
                let refused = inflated(coding, wrong, 4);
                assert!(matches!(refused, Err(InflateError::Malformed(_))), "{coding}: {refused:?}");
            }
        }
    }

    #[test]
    fn unknown_and_repeated_codings_are_refused() {
        for coding in
            ["br", "zstd", "x-gzip", "compress", "gzip, gzip", "gzip, br", "identity, br", "gzip;q=1"]
        {
            assert!(inflater(coding).is_none(), "{coding}");
        }
        for coding in ["GZip", "gzip,", ", gzip", "identity, gzip", "gzip, identity", "", ",", "Identity"] {
            assert!(inflater(coding).is_some(), "{coding}");
        }
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        assert!(Inflater::new(&headers, LIMIT).is_none());
    }
}
