//! The scheme of a request, for the attribute `url.scheme`.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;

/// The scheme with which a client made its request.
///
/// By default it is the scheme of the connection. Behind a proxy that ends TLS, the service inserts the client's own into
/// the extensions of the request, outside of [`TracingLogger`](super::TracingLogger): it alone determines which proxies report
/// the truth. Neither headers nor the request target, which a client writes, are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Not encrypted.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        let own = if request.app_config().secure() { Self::Https } else { Self::Http };
        request.extensions().get().copied().unwrap_or(own)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
