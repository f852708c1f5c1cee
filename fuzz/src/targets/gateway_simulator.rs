//! Requests to the payment-gateway simulator: lines of an operation (`c`harge, `f`ind, `v`oid or `r`efund), a key and a body. A
//! second implementation of its ledger predicts each response.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_http::Request;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::{App, web};
use glasshouse_api::gateway_simulator::{Simulator, routes};
use glasshouse_infra::payment_gateway::wire::{
    Charge, ChargeRequest, ChargeStatus, IDEMPOTENCY_KEY, LedgerPage,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::service::{Response, Service};
use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "gateway_simulator",
    seeds: &[
        "c a {\"amount_minor\":5,\"currency\":\"USD\"}\nc a {\"amount_minor\":6,\"currency\":\"EUR\"}\nr a\nr a\nf a",
        "v b\nc b {\"amount_minor\":5,\"currency\":\"USD\"}\nr b",
        "f ../a?b#c%2F\nv é\nc 18f-3c {}",
        "c k {\"amount_minor\":1e3,\"currency\":null}\nr k",
    ],
    dictionary: &[
        "\nc a {\"amount_minor\":7,\"currency\":\"JPY\"}",
        "\nf a",
        "\nv a",
        "\nr a",
        " ",
        "\n",
        "%",
        "/",
        "\"amount_minor\":",
        "\"currency\":",
    ],
    run,
};

/// The maximum number of requests of an input.
const REQUESTS: usize = 8;

/// The number of inputs so far, which keeps the keys of one apart from those of others.
static INPUTS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SERVICE: &'static Service =
        Service::new(App::new().app_data(web::Data::new(Simulator::default())).configure(routes)).leaked();
}

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let prefix = format!("{:012}-", INPUTS.fetch_add(1, Ordering::Relaxed));
    let mut ledger = HashMap::new();
    for line in text.split('\n').take(REQUESTS) {
        let mut parts = line.splitn(3, ' ');
        let (Some(operation), Some(key)) = (parts.next(), parts.next()) else { continue };
        let (key, body) = (format!("{prefix}{key}"), parts.next().unwrap_or_default());
        let Some(request) = request(operation, &key, body) else { continue };
        let response = call(request);
        let expected = expected(&mut ledger, operation, &key, body);
        assert_eq!(
            response.status,
            expected.as_ref().map_or_else(|status| *status, |_| StatusCode::OK),
            "{line}"
        );
        if let Ok(charge) = expected {
            let found: Charge = serde_json::from_slice(&response.body).expect("a charge");
            assert_eq!(found, charge, "{line}");
        }
    }
    let page = call(TestRequest::with_uri(&format!("/v1/ledger?after={prefix}&limit=1000")).to_request());
    let page: LedgerPage = serde_json::from_slice(&page.body).expect("a page of the ledger");
    // The page comes after the empty key.
    ledger.remove(&prefix);
    assert_eq!(page.charges.len(), ledger.len());
    assert!(page.charges.is_sorted_by(|one, next| one.key < next.key));
    assert!(page.charges.iter().all(|charge| ledger.get(&charge.key) == Some(charge)));
}

fn call(request: Request) -> Response {
    SERVICE.with(|service| service.call(request))
}

/// `None` if the request cannot be made.
fn request(operation: &str, key: &str, body: &str) -> Option<Request> {
    let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC);
    Some(match operation {
        "c" => {
            let key = HeaderValue::from_str(key).ok()?;
            let request = TestRequest::post().uri("/v1/charges").insert_header((IDEMPOTENCY_KEY, key));
            request.insert_header(ContentType::json()).set_payload(body.to_owned()).to_request()
        }
        "f" => TestRequest::with_uri(&format!("/v1/charges/{encoded}")).to_request(),
        "v" => TestRequest::post().uri(&format!("/v1/charges/{encoded}/void")).to_request(),
        "r" => TestRequest::post().uri(&format!("/v1/charges/{encoded}/refund")).to_request(),
        _ => return None,
    })
}

/// The charge in the response, or the status of a response without one.
fn expected(
    ledger: &mut HashMap<String, Charge>,
    operation: &str,
    key: &str,
    body: &str,
) -> Result<Charge, StatusCode> {
    let new = |amount_minor, currency, status, reason: Option<&str>| Charge {
        key: key.to_owned(),
        amount_minor,
        currency,
        status,
        decline_reason: reason.map(str::to_owned),
    };
    match operation {
        "c" => {
            let request: ChargeRequest = serde_json::from_str(body).map_err(|_| StatusCode::BAD_REQUEST)?;
            if !key.is_ascii() {
                return Err(StatusCode::BAD_REQUEST);
            }
            let charge = new(request.amount_minor, request.currency, ChargeStatus::Succeeded, None);
            Ok(ledger.entry(key.to_owned()).or_insert(charge).clone())
        }
        "f" => ledger.get(key).cloned().ok_or(StatusCode::NOT_FOUND),
        "v" => {
            let charge = new(0, String::new(), ChargeStatus::Declined, Some("voided"));
            Ok(ledger.entry(key.to_owned()).or_insert(charge).clone())
        }
        _ => {
            let charge = ledger.get_mut(key).filter(|charge| charge.status != ChargeStatus::Declined);
            let charge = charge.ok_or(StatusCode::CONFLICT)?;
            charge.status = ChargeStatus::Refunded;
            Ok(charge.clone())
        }
    }
}
