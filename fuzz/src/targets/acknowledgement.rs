//! Lines of the acknowledgements that `glasshouse audit` reads: what was acknowledged to clients.

use glasshouse_infra::db::audit::Acknowledgement;
use serde_json::Value;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "acknowledgement",
    seeds: &[
        r#"{"tenant":"acme","order":{"id":"018f3c2a-5b7e-7c3d-9f01-23456789abcd","status":"paid","total_minor":5,"currency":"USD","items":[{"product_id":"018f3c2a-5b7e-7c3d-9f01-23456789abcd","quantity":1,"unit_price_minor":5}]}}"#,
        r#"{"tenant":"acme","payment":{"id":"018f3c2a-5b7e-7c3d-9f01-23456789abcd","status":"refunded","amount_minor":5,"currency":"USD","refund_requested_at":null}}"#,
        r#"{"tenant":"acme","stock_movement":{"idempotency_key":"k","product_id":"018f3c2a-5b7e-7c3d-9f01-23456789abcd"}}"#,
        r#"{"tenant":"acme","order":null,"payment":[]}"#,
    ],
    dictionary: &[
        "\"tenant\":",
        "\"order\":{",
        "\"payment\":{",
        "\"stock_movement\":{",
        "\"id\":",
        "\"status\":\"paid\"",
        "\"items\":[",
        "\"idempotency_key\":",
        "null",
    ],
    run,
};

fn run(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match Acknowledgement::parse(text) {
        Ok(line) => {
            let json: Value = serde_json::from_str(text).expect("it was read");
            assert_eq!(json["tenant"], line.tenant());
            let kinds = ["order", "payment", "stock_movement"];
            let subjects = kinds.iter().filter_map(|kind| {
                let subject = json.get(kind)?;
                subject.get("id").or_else(|| subject.get("idempotency_key")).or_else(|| subject.get(0))
            });
            let subjects: Vec<String> = subjects.filter_map(|subject| subject.as_str().map(normal)).collect();
            assert!(subjects.contains(&normal(&line.subject())), "{} of {subjects:?}", line.subject());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// An id has several forms.
fn normal(text: &str) -> String {
    text.parse::<uuid::Uuid>().map_or_else(|_| text.to_owned(), |id| id.to_string())
}
