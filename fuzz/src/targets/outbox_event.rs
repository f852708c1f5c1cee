//! Stored events of the outbox, which another version may have written.

use glasshouse_domain::outbox::OutboxEvent;
use serde_json::Value;

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "outbox_event",
    seeds: &[
        r#"{"kind":"order_paid","order":"018f3c2a-5b7e-7c3d-9f01-23456789abcd"}"#,
        r#"{"kind":"order_refunded","order":"018f3c2a5b7e7c3d9f0123456789abcd","more":[1]}"#,
        r#"{"kind":"password_reset_requested","email":"ada@example.com"}"#,
        r#"{"kind":"order_shipped"}"#,
    ],
    dictionary: &[
        "\"kind\"",
        "\"order\"",
        "\"email\"",
        "order_paid",
        "order_refunded",
        "password_reset_requested",
    ],
    run,
};

fn run(input: &[u8]) {
    let Ok(stored) = serde_json::from_slice::<Value>(input) else { return };
    let Ok(event) = serde_json::from_value::<OutboxEvent>(stored.clone()) else { return };
    assert_eq!(stored["kind"], event.kind());
    match event.order() {
        Some(order) => {
            let written = stored["order"].as_str().expect("a text");
            assert_eq!(written.parse(), Ok(order));
        }
        None => assert!(stored["email"].is_string()),
    }
    let again = serde_json::to_value(&event).expect("an event is JSON");
    assert_eq!(serde_json::from_value::<OutboxEvent>(again).expect("what was written is read"), event);
    let debug = format!("{event:?}");
    assert!(stored["email"].as_str().is_none_or(|email| email.len() < 40 || !debug.contains(email)));
}
