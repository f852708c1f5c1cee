//! Reads and clears the injected faults of the service's processes.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::Process;
use crate::stack::Stack;

/// The active faults, for messages.
pub(super) async fn active(stack: &Stack) -> Result<Vec<String>> {
    let mut active = Vec::new();
    for (process, url) in urls(stack)? {
        let response = reqwest::get(&url).await?.error_for_status()?;
        let faults = response.json().await.with_context(|| format!("the response of {url}"))?;
        active.extend(names(&faults).map(|name| format!("{name} of {}", process.name)));
    }
    Ok(active)
}

/// Clears all faults.
pub(super) async fn clear(stack: &Stack) -> Result<()> {
    let http = reqwest::Client::new();
    for (_, url) in urls(stack)? {
        http.delete(&url).send().await?.error_for_status()?;
    }
    Ok(())
}

/// The URLs at which processes list their faults, and clear them.
fn urls(stack: &Stack) -> Result<Vec<(&Process, String)>> {
    let processes = stack.options().project.processes().iter();
    let urls = processes.filter_map(|process| Some((process, process.faults.as_ref()?)));
    urls.map(|(process, url)| Ok((process, stack.values().expand(url)?))).collect()
}

/// The faults in an object: the members of its member `faults`, or else its own. One that is 0, false, null or empty is off.
fn names(faults: &Value) -> impl Iterator<Item = &str> {
    let members = faults.get("faults").unwrap_or(faults).as_object().into_iter().flatten();
    members.filter(|(_, value)| is_on(value)).map(|(name, _)| name.as_str())
}

fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_on) => *is_on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_active_unless_it_is_zero_or_empty() {
        let of = |faults: Value| names(&faults).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of(json!({ "faults": { "errors": { "ratio": 0.1 } }, "enabled": true })), ["errors"]);
        assert_eq!(of(json!({ "faults": {} })), [""; 0]);
        let behavior =
            json!({ "latency_ms": 0.0, "error_rate": 0.5, "mode": "", "down": false, "until": null });
        assert_eq!(of(behavior), ["error_rate"]);
    }
}
