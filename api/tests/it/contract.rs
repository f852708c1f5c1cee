//! The committed telemetry contract is that of the code.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Process, Settings};

/// A file of the folder `docs`.
fn docs(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(file)
}

#[tokio::test]
async fn the_committed_contract_is_that_of_the_code() {
    let committed = std::fs::read_to_string(docs("telemetry-contract.json")).unwrap();
    let ended = Process::run(&["telemetry-contract"], &Settings::new()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout == committed, "docs/telemetry-contract.json is not current: run `make contract`");
    let contract: Value = serde_json::from_str(&committed).unwrap();
    for event in ["order_placed", "user_created", "database_connection_lost"] {
        assert!(contract["events"].as_array().unwrap().iter().any(|known| known["name"] == event), "{event}");
    }
}

#[tokio::test]
async fn the_tables_of_the_docs_are_those_of_the_contract() {
    let page = docs("telemetry.md");
    let ended =
        Process::run(&["telemetry-contract", "--tables", page.to_str().unwrap()], &Settings::new()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let committed = std::fs::read_to_string(page).unwrap();
    assert!(
        ended.stdout == committed,
        "the tables of docs/telemetry.md are not current: run `make contract`"
    );
}
