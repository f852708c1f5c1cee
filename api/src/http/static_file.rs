//! Static files: each is compressed once per encoding, and clients revalidate their copies by its `ETag`.

use std::io::Read;
use std::sync::OnceLock;

use actix_web::http::header::{
    self, AcceptEncoding, CacheControl, CacheDirective, ContentEncoding, ETag, Encoding, EntityTag, Header,
    HeaderValue, IfNoneMatch,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use sha2::{Digest, Sha256};

/// How long a client may use its copy without asking, in seconds. The names of the files have no version, so
/// this is also how long a client may see the files of an earlier release.
const MAX_AGE: u32 = 300;

/// A file with its representation in each encoding.
#[derive(Debug)]
pub struct StaticFile {
    content_type: HeaderValue,
    /// The beginning of the hash of the content.
    version: String,
    identity: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    deflate: OnceLock<Option<Bytes>>,
}

impl StaticFile {
    /// A file with this content.
    #[must_use]
    pub fn new(content_type: HeaderValue, content: Bytes) -> Self {
        let hash = Sha256::digest(&content);
        let version = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, version, identity: content, gzip: OnceLock::new(), deflate: OnceLock::new() }
    }

    /// The response to a request for this file: 304 if the client has it already.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let (encoding, body) = self.representation(negotiated(request));
        // Representations in different encodings have different strong tags (RFC 9110, section 8.8.3.3).
        let etag = EntityTag::new_strong(format!("{}-{}", self.version, encoding.as_str()));
        let is_known = has_copy(request, &etag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(ETag(etag))
            .insert_header(CacheControl(vec![CacheDirective::Public, CacheDirective::MaxAge(MAX_AGE)]))
            .insert_header((header::VARY, HeaderValue::from_static("accept-encoding")));
        if is_known {
            return response.finish();
        }
        if encoding != ContentEncoding::Identity {
            response.insert_header(encoding);
        }
        response.content_type(self.content_type.clone()).body(body.clone())
    }

    /// The content in this encoding, compressed on first use.
    fn representation(&self, encoding: ContentEncoding) -> (ContentEncoding, &Bytes) {
        let (content, level) = (&self.identity[..], Compression::default());
        let encoded = match encoding {
            ContentEncoding::Gzip => self.gzip.get_or_init(|| read(GzEncoder::new(content, level))).as_ref(),
            ContentEncoding::Deflate => {
                self.deflate.get_or_init(|| read(ZlibEncoder::new(content, level))).as_ref()
            }
            _ => None,
        };
        encoded.map_or((ContentEncoding::Identity, &self.identity), |encoded| (encoding, encoded))
    }
}

/// Everything that an encoder makes; `None` if it fails.
fn read(mut encoder: impl Read) -> Option<Bytes> {
    let mut encoded = Vec::new();
    encoder.read_to_end(&mut encoded).ok()?;
    encoded.shrink_to_fit();
    Some(encoded.into())
}

/// The encoding in which this client gets the file. The negotiation and its candidates are those of the
/// compression of all other responses, which therefore leaves the file as it is.
fn negotiated(request: &HttpRequest) -> ContentEncoding {
    let supported = [Encoding::identity(), Encoding::gzip(), Encoding::deflate()];
    let accepted = AcceptEncoding::parse(request).ok();
    match accepted.and_then(|accepted| accepted.negotiate(supported.iter())) {
        Some(Encoding::Known(encoding)) => encoding,
        _ => ContentEncoding::Identity,
    }
}

/// Whether the client has the representation with this tag (RFC 9110, section 13.1.2).
fn has_copy(request: &HttpRequest, etag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(etag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_compressed_once_per_encoding() {
        let text = "Glasshouse. ".repeat(1000);
        let file = StaticFile::new(HeaderValue::from_static("text/plain"), text.clone().into());
        for encoding in [ContentEncoding::Identity, ContentEncoding::Gzip, ContentEncoding::Deflate] {
            let (first, second) = (file.representation(encoding), file.representation(encoding));
            assert_eq!(first.0, encoding);
            assert_eq!(first.1.as_ptr(), second.1.as_ptr(), "the second request gets the same bytes");
            assert_eq!(first.1.len() < text.len(), encoding != ContentEncoding::Identity);
        }
        assert_eq!(file.representation(ContentEncoding::Brotli).0, ContentEncoding::Identity);
    }
}
