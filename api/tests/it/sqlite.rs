//! SQLite: its single writer is not visible to clients, and data is durable.

use std::collections::BTreeMap;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command_line::{common, with};
use crate::support::{Backend, PASSWORD, Process, TestApp, TestDatabase, new_slug};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_writers_and_their_readers_are_all_served() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    let spawn = |n: usize| {
        let (owner, product) = (owner.clone(), product.clone());
        tokio::spawn(async move {
            for _ in 0..4 {
                match n % 3 {
                    0 => owner.get("/v1/orders").await.expect(200),
                    1 => owner.get(&format!("/v1/products/{product}")).await.expect(200),
                    _ => owner.get("/v1/reports/revenue?from=2020-01-01&to=2020-02-01").await.expect(200),
                };
                owner.order(&product, 1).await.expect(201);
            }
        })
    };
    let clients: Vec<_> = (0..50).map(spawn).collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(owner.stock(&product).await, 1000 - 50 * 4);
    assert_eq!(app.database.number("SELECT count(*) AS n FROM orders WHERE state = 'paid'").await, 50 * 4);
}

#[tokio::test]
async fn the_write_ahead_log_is_on() {
    let app = TestApp::start(Backend::Embedded).await;
    let mode: String =
        app.database.query("PRAGMA journal_mode").await[0].try_get("", "journal_mode").unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn data_survives_a_restart() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 3).await.expect(201);
    let (tenant, database): (String, TestDatabase) = (owner.tenant().to_owned(), app.stop().await);

    let app = TestApp::start_on(database, &[]).await;
    let email = format!("owner@{tenant}.example");
    let owner = app.anonymous().log_in(&tenant, &email, PASSWORD).await;
    assert_eq!(owner.order_status(&order["id"]).await, "paid");
    assert_eq!(owner.stock(&product).await, 7);
    let orders: Value = owner.get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"], serde_json::json!([order]));
}

/// The permissions of a folder and of everything in it, with `.` for itself.
fn permissions(folder: &Path) -> BTreeMap<String, u32> {
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let entries = entries.map(|entry| (entry.file_name().into_string().unwrap(), mode(&entry.path())));
    entries.chain([(".".to_owned(), mode(folder))]).collect()
}

/// Starts the demo with a umask, and signs a tenant up, so that every file of the database exists.
async fn demo(umask: &str, data: &Path) -> Process {
    let settings =
        with(&common(), [("GLASSHOUSE_DATA_DIR", data.to_str().unwrap()), ("PATH", "/usr/bin:/bin")]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("umask {umask} && exec \"$0\" demo"), env!("CARGO_BIN_EXE_glasshouse")]);
    let mut demo = Process::spawn(&mut shell, &settings);
    demo.client("http_addr").await.sign_up(&new_slug()).await;
    demo
}

#[track_caller]
fn assert_private(data: &Path) {
    let found = permissions(data);
    assert!(found.contains_key("glasshouse.sqlite3-wal"), "{found:?}");
    for (name, mode) in found {
        let expected = if name == "." { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{name} has the mode {mode:o}");
    }
}

#[tokio::test]
async fn the_demo_keeps_its_data_private_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("of/the/demo");
        let _demo = demo(umask, &data).await;
        assert_private(&data);
    }
}

#[tokio::test]
async fn the_demo_tightens_what_an_earlier_version_left_open() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Killed, so that the companions of the database stay.
    drop(demo("022", &data).await);
    for (name, _) in permissions(&data) {
        let mode = if name == "." { 0o755 } else { 0o644 };
        set_permissions(data.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let _demo = demo("022", &data).await;
    assert_private(&data);
}

#[tokio::test]
async fn a_folder_with_files_of_others_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    set_permissions(folder.path().join("notes.txt"), Permissions::from_mode(0o644)).unwrap();
    let _demo = demo("022", folder.path()).await;
    let mut found = permissions(folder.path());
    assert_eq!((found.remove("."), found.remove("notes.txt")), (Some(0o755), Some(0o644)));
    assert!(found.len() >= 3 && found.values().all(|mode| *mode == 0o600), "{found:?}");
}
