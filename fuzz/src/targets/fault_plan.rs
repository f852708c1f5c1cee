//! Plans of fault injection, as `PUT /faults` reads them.

use glasshouse_infra::faults::FaultPlan;
use serde_json::Value;

use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "fault_plan",
    seeds: &[
        r#"{"latency":{"delay_ms":20,"endpoint":"/v1/orders","share":0.5,"seconds":60}}"#,
        r#"{"errors":{"share":1},"panics":{},"slow_queries":{"delay_ms":10000}}"#,
        r#"{"held_connections":{"count":1000},"cache_errors":{"share":0},"memory":{"mib":1,"mib_per_second":1024}}"#,
        r#"{"stalled_outbox":{"seconds":3600},"rejected_notifications":{"share":1e-3}}"#,
        r#"{"errors":{"share":1.5}}"#,
        "{}",
    ],
    dictionary: &[
        "\"latency\":{",
        "\"errors\":{",
        "\"panics\":{",
        "\"slow_queries\":{",
        "\"held_connections\":{",
        "\"cache_errors\":{",
        "\"memory\":{",
        "\"stalled_outbox\":{",
        "\"rejected_notifications\":{",
        "\"share\":",
        "\"seconds\":",
        "\"delay_ms\":",
        "\"count\":",
        "\"mib\":",
        "\"mib_per_second\":",
        "null",
    ],
    run,
};

fn run(input: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<FaultPlan>(input) else { return };
    let json = serde_json::to_value(&plan).expect("a plan is JSON");
    let faults = json.as_object().expect("a plan is an object");
    for (name, settings) in faults {
        let number = |setting: &str| settings.get(setting).map(|value| value.as_f64().expect("a number"));
        let is_within =
            |setting: &str, min, max| number(setting).is_none_or(|number| (min..=max).contains(&number));
        assert!(is_within("seconds", 1.0, 3600.0) && number("seconds").is_some(), "{name} does not end");
        assert!(is_within("share", 0.0, 1.0), "{name}: {settings}");
        assert!(is_within("delay_ms", 1.0, 10_000.0), "{name}: {settings}");
        assert!(is_within("count", 1.0, 1000.0), "{name}: {settings}");
        assert!(is_within("mib", 1.0, 1024.0), "{name}: {settings}");
        assert!(is_within("mib_per_second", 1.0, 1024.0), "{name}: {settings}");
    }
    let again: FaultPlan = serde_json::from_value(json.clone()).expect("what was written is read");
    assert_eq!(serde_json::to_value(&again).expect("a plan is JSON"), json);
    if let Ok(Value::Object(written)) = serde_json::from_slice(input) {
        let given: Vec<&String> =
            written.iter().filter(|(_, fault)| !fault.is_null()).map(|(name, _)| name).collect();
        assert_eq!(given, faults.keys().collect::<Vec<_>>(), "a fault is lost");
    }
}
