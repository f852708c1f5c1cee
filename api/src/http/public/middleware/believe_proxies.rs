//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use crate::config::TrustedProxies;
use crate::http::public::client_address::{ClientAddress, is_report};

/// Finds the client's address ([`ClientAddress`](crate::http::public::ClientAddress)) and scheme, and removes the headers
/// in which proxies report them: code behind it, such as `ConnectionInfo`, would believe any client. It is outside of the
/// root span, which has the scheme.
///
/// # Errors
/// When the next middleware fails.
pub async fn believe_proxies<B: MessageBody>(
    trusted: web::Data<TrustedProxies>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    // Every TCP connection has a peer.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let (address, scheme) = ClientAddress::behind(peer, request.headers(), &trusted);
    request.extensions_mut().insert(address);
    if let Some(scheme) = scheme {
        request.extensions_mut().insert(scheme);
    }
    request.headers_mut().retain(|name, _| !is_report(name));
    next.call(request).await
}
