//! Idempotency keys, by themselves and in their header.

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use glasshouse_api::http::public::extract::IdempotencyHeader;
use glasshouse_domain::idempotency::IdempotencyKey;

use crate::Target;
use crate::check::{says_what_to_do, text};

pub(super) const TARGET: Target = Target {
    name: "idempotency_key",
    seeds: &["018f3c2a-5b7e-7c3d-9f01-23456789abcd", "order-1", "two words", "größe", "~"],
    dictionary: &[" ", "\u{7f}", "!", "~"],
    run,
};

fn run(input: &[u8]) {
    let is_key = (1..=255).contains(&input.len()) && input.iter().all(|byte| (0x21..=0x7e).contains(byte));
    if let Some(text) = text(input) {
        match IdempotencyKey::parse(text) {
            Ok(key) => assert!(is_key && key.as_str() == text),
            Err(error) => {
                assert!(!is_key);
                says_what_to_do(&error);
            }
        }
    }
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let request = TestRequest::default().insert_header((IdempotencyHeader::NAME, value)).to_http_request();
    match IdempotencyHeader::from_request(&request, &mut Payload::None).into_inner() {
        Ok(_) => assert!(is_key),
        Err(problem) => {
            assert!(!is_key && problem.status() == 400);
            says_what_to_do(&problem);
        }
    }
}
