//! Responses of the payment gateway: charges, as the client and the audit read them, and pages of the ledger.

use glasshouse_domain::payment::ChargeOutcome;
use glasshouse_infra::payment_gateway::wire::{Charge, ChargeRequest, ChargeStatus, LedgerPage};
use serde_json::Value;

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "gateway_response",
    seeds: &[
        r#"{"key":"018f3c2a","amount_minor":1250,"currency":"USD","status":"succeeded","decline_reason":null}"#,
        r#"{"key":"k","amount_minor":-1,"currency":"","status":"declined","decline_reason":" do not honor\n","more":{}}"#,
        r#"{"key":"k","amount_minor":1e2,"currency":"USD","status":"refunded"}"#,
        r#"{"key":"k","amount_minor":100,"currency":"EUR","status":"refunded","decline_reason":null}"#,
        r#"{"charges":[{"key":"a","amount_minor":0,"currency":"","status":"declined"}],"evicted":0}"#,
        r#"{"amount_minor":9223372036854775807,"currency":"\ud83d\ude00"}"#,
    ],
    dictionary: &[
        "\"key\":",
        "\"amount_minor\":",
        "\"currency\":",
        "\"status\":",
        "\"decline_reason\":",
        "\"charges\":[",
        "\"evicted\":",
        "\"succeeded\"",
        "\"declined\"",
        "\"refunded\"",
        "null",
        "\\u0000",
    ],
    run,
};

fn run(input: &[u8]) {
    if let Ok(charge) = serde_json::from_slice::<Charge>(input) {
        check(charge, input);
    }
    if let Ok(page) = serde_json::from_slice::<LedgerPage>(input) {
        let written = serde_json::to_vec(&page).expect("a page is JSON");
        let again: LedgerPage = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!((again.charges, again.evicted), (page.charges, page.evicted));
    }
    if let Ok(request) = serde_json::from_slice::<ChargeRequest>(input) {
        let written = serde_json::to_vec(&request).expect("a request is JSON");
        let again: ChargeRequest = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!((again.amount_minor, again.currency), (request.amount_minor, request.currency));
    }
}

fn check(charge: Charge, input: &[u8]) {
    let written = serde_json::to_vec(&charge).expect("a charge is JSON");
    assert!(!written.contains(&b'\n'), "a charge is one line of the ledger");
    assert_eq!(serde_json::from_slice::<Charge>(&written).expect("what was written is read"), charge);
    if let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(input) {
        assert_eq!(fields["key"], *charge.key);
        assert_eq!(fields["amount_minor"], charge.amount_minor);
        assert_eq!(fields["currency"], *charge.currency);
    }
    let status = charge.status;
    match charge.outcome() {
        ChargeOutcome::Succeeded => assert_ne!(status, ChargeStatus::Declined),
        ChargeOutcome::Declined { reason } => {
            assert_eq!(status, ChargeStatus::Declined);
            assert!(!reason.as_str().is_empty());
        }
    }
}
