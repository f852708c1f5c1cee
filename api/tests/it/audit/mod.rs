//! `glasshouse audit`: clean books have no findings, also while the service works, and each damage is found.

mod books;
mod damages;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use glasshouse_infra::db::audit::checks;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use self::books::{Shop, audit, audit_settings, audit_with};
use crate::command_line::with;
use crate::support::{
    Backend, NO_WORKER, Process, SHORT_TIMEOUTS, TestApp, TestDatabase, eventually, key, on_both,
};

on_both!(
    the_books_of_real_traffic_are_clean,
    what_is_in_flight_is_no_finding_while_it_is_young,
    the_books_are_clean_under_traffic,
    seeded_books_are_clean,
    findings_are_listed_up_to_a_limit,
    the_stock_of_an_earlier_version_is_reported_as_not_provable,
);

const OF_LEDGER: [&str; 5] = [
    "charges_have_payments",
    "charged_once",
    "charged_amounts",
    "succeeded_is_charged",
    "refunded_is_refunded",
];
const OF_ACKNOWLEDGEMENTS: [&str; 3] =
    ["acknowledged_orders_exist", "acknowledged_payments_exist", "acknowledged_movements_exist"];
const OF_POSTGRES: [&str; 3] =
    ["row_level_security_is_forced", "policies_isolate_tenants", "service_roles_are_bound"];

fn names(lists: &[&[&str]]) -> BTreeSet<String> {
    lists.concat().into_iter().map(str::to_owned).collect()
}

async fn the_books_of_real_traffic_are_clean(backend: Backend) {
    let shop = Shop::open(backend).await;
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = shop.acknowledgements(&folder);
    let gateway = shop.app.gateway_url();
    let database = &shop.app.database;
    if database.is_postgres() {
        // As deploy/compose/postgres-init.sql does. Its views have no policies.
        database.query("CREATE EXTENSION pg_stat_statements").await;
    }
    let arguments = ["--ledger", &gateway, "--acknowledged", acknowledged.to_str().unwrap()];
    let audited = audit(database, &arguments).await;

    audited.assert_clean();
    assert_eq!(audited.report["tenants"], 2);
    let not_made: &[&str] = if database.is_postgres() { &[] } else { &OF_POSTGRES };
    assert_eq!(audited.checks("not_made"), names(&[not_made]));
    assert_eq!(audited.report["checks"].as_array().unwrap().len(), checks().len());
    for name in audited.checks("clean") {
        assert_ne!(audited.check(&name)["examined"], 0, "{name}");
    }
    // Of each tenant: two paid orders, and one each that is refunded, declined and cancelled; and a message about no order.
    for (check, examined) in [
        ("one_payment_per_order", 10),
        ("payments_have_orders", 10),
        ("items_have_orders_and_products", 10),
        ("stock_adds_up", 4),
        ("messages_are_young", 10),
        ("keys_have_effects", 18),
        ("revenue_is_reported", 10),
        ("acknowledged_orders_exist", 12),
        ("acknowledged_payments_exist", 2),
        ("acknowledged_movements_exist", 4),
        ("charges_have_payments", 10),
        ("succeeded_is_charged", 10),
    ] {
        assert_eq!(audited.check(check)["examined"], examined, "{check}");
    }

    let audited = audit(database, &[]).await;
    audited.assert_clean();
    assert_eq!(audited.checks("not_made"), names(&[&OF_LEDGER, &OF_ACKNOWLEDGEMENTS, not_made]));
    let reason = audited.check("charged_once")["reason"].as_str().unwrap();
    assert!(reason.contains("--ledger"), "{reason}");
}

async fn what_is_in_flight_is_no_finding_while_it_is_young(backend: Backend) {
    let app = TestApp::start_with(backend, &[SHORT_TIMEOUTS, NO_WORKER].concat()).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    owner.order(&product, 1).await.expect(201);
    // It is charged without a response.
    app.gateway_behaves(json!({ "timeout_rate": 1.0 })).await;
    owner.order(&product, 1).await.expect(202);
    let cancelled = owner.order(&product, 1).await.expect(202)["id"].clone();
    owner.cancel(&cancelled, &key()).await.expect(200);
    app.gateway_recovers().await;

    let gateway = app.gateway_url();
    audit(&app.database, &["--ledger", &gateway]).await.assert_clean();
    let audited = audit(&app.database, &["--ledger", &gateway, "--grace", "0"]).await;
    assert_eq!(audited.code, Some(1));
    assert_eq!(
        audited.checks("findings"),
        names(&[&["open_payments_are_young", "messages_are_young"]]),
        "{:#}",
        audited.report
    );
}

async fn the_books_are_clean_under_traffic(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100_000).await;
    let gateway = app.gateway_url();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let traffic = (0..3).map(|_| {
        let (owner, product, stopped) = (owner.clone(), product.clone(), stopped.clone());
        tokio::spawn(async move {
            let mut orders = 0;
            while !*stopped.borrow() {
                let order = owner.order(&product, 1).await;
                assert!(order.status.is_success(), "{order:?}");
                let refund = owner.refund(&owner.payment(&order["id"]).await["id"], &key()).await;
                // On a busy machine the charge may time out.
                assert!(refund.status.is_success() || order["status"] == "pending", "{refund:?}");
                owner.move_stock(&product, 1, &key()).await.expect(200);
                orders += 1;
            }
            orders
        })
    });
    let traffic: Vec<_> = traffic.collect();
    for _ in 0..3 {
        audit(&app.database, &["--ledger", &gateway]).await.assert_clean();
    }
    stop.send(true).unwrap();
    for client in traffic {
        assert_ne!(client.await.unwrap(), 0);
    }
}

/// A named pipe, whose reader waits for what a test writes later.
fn pipe(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Opens a pipe, as soon as it has a reader.
async fn open(pipe: PathBuf) -> std::fs::File {
    tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(pipe).unwrap()).await.unwrap()
}

/// The ledger and the acknowledgements are newer than the snapshot. Here they are written once it is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_after_the_snapshot_is_no_finding() {
    let mut shop = Shop::open(Backend::Servers).await;
    let owner = shop.app.new_tenant().await;
    let product = owner.add_product(10).await;
    let before = shop.order(&owner, &product, 1, 201).await;
    let folder = tempfile::tempdir().unwrap();
    let (ledger, acknowledged) = (pipe(folder.path(), "ledger"), pipe(folder.path(), "acknowledged"));
    let database = shop.app.database.clone();
    let arguments = ["--ledger", ledger.to_str().unwrap(), "--acknowledged", acknowledged.to_str().unwrap()];
    let later = async {
        let (mut ledger, mut acknowledged) = (open(ledger.clone()).await, open(acknowledged.clone()).await);
        let snapshot = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                        AND application_name = 'glasshouse audit' AND backend_xmin IS NOT NULL";
        eventually("the snapshot is taken", async || (database.number(snapshot).await > 0).then_some(()))
            .await;

        // A refund of an older order, a new order, and a tenant that signs up.
        let refunded = owner.refund(&owner.payment(&before).await["id"], &key()).await.expect(200);
        shop.acknowledge(&owner, "payment", &refunded);
        let new = shop.order(&owner, &product, 1, 201).await;
        let newcomer = shop.app.new_tenant().await;
        let product = newcomer.add_product(10).await;
        shop.order(&newcomer, &product, 1, 201).await;

        let page = shop.app.gateway().get("/v1/ledger?limit=1000").await.expect(200);
        // After the ledger was read.
        owner.refund(&owner.payment(&new).await["id"], &key()).await.expect(200);
        for charge in page["charges"].as_array().unwrap() {
            writeln!(ledger, "{charge}").unwrap();
        }
        drop(ledger);
        acknowledged.write_all(shop.acknowledged().as_bytes()).unwrap();
    };
    let (audited, ()) = tokio::join!(audit(&database, &arguments), later);

    audited.assert_clean();
    assert_eq!(audited.report["tenants"], 3, "the newcomer signed up after the snapshot");
    assert_eq!(audited.check("charges_have_payments")["examined"], 13);
    assert_eq!(audited.check("succeeded_is_charged")["examined"], 11);
}

async fn seeded_books_are_clean(backend: Backend) {
    let database = TestDatabase::create(backend).await;
    let settings = with(&crate::command_line::common(), [("DATABASE_URL", &*database.service_url())]);
    let seeded = Process::run(&["seed", "--demo", "--tenants", "2", "--orders", "200"], &settings).await;
    assert_eq!(seeded.code, Some(0), "{}", seeded.stderr);
    let audited = audit(&database, &[]).await;
    audited.assert_clean();
    assert_eq!(audited.check("every_event_has_a_message")["examined"], 200);
    assert_ne!(audited.check("no_dead_letters")["examined"], 0);
}

async fn findings_are_listed_up_to_a_limit(backend: Backend) {
    let books = Shop::open(backend).await.close().await;
    books.database.execute_without_foreign_keys("UPDATE products SET stock = stock + 1").await;
    let audited = audit(&books.database, &["--list", "3"]).await;
    let check = audited.check("stock_adds_up");
    assert_eq!((audited.code, &check["findings"]), (Some(1), &json!(4)));
    let none_listed = audit(&books.database, &["--list", "0"]).await;
    assert_eq!((none_listed.code, &none_listed.report["findings"]), (Some(1), &json!(4)));
    let listed = check["listed"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    for finding in listed {
        let ids = "SELECT count(*) AS n FROM tenants WHERE slug = ";
        let slug = finding["tenant"].as_str().unwrap();
        assert_eq!(books.database.number(&format!("{ids}'{slug}'")).await, 1);
        assert!(finding["subject"].as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{finding}");
    }

    let ended = Process::run(&["audit", "--list", "3"], &audit_settings(&books.database)).await;
    assert_eq!(ended.code, Some(1));
    for text in ["stock_adds_up  t-", "stock_adds_up  and 1 more", "4 findings in ", "not made"] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
}

async fn the_stock_of_an_earlier_version_is_reported_as_not_provable(backend: Backend) {
    let books = Shop::open(backend).await.close().await;
    books
        .database
        .execute_without_foreign_keys("UPDATE products SET received = NULL WHERE currency = 'EUR'")
        .await;
    let audited = books.audit().await;
    audited.assert_clean();
    assert_eq!(audited.check("stock_adds_up")["examined"], 2);
    let notes = audited.report["notes"].as_array().unwrap();
    assert!(notes[0].as_str().unwrap().contains("2 products"), "{notes:?}");
}

#[test]
fn the_documentation_lists_every_check() {
    let document = include_str!("../../../../docs/reliability.md");
    let (_, table) = document.split_once("| check | proves |\n| --- | --- |\n").unwrap();
    let rows = checks().into_iter().map(|check| format!("| `{}` | {} |\n", check.name, check.proves));
    let rows: String = rows.collect();
    assert!(table.starts_with(&format!("{rows}\n")), "docs/reliability.md needs these rows:\n{rows}");
}

#[tokio::test]
async fn a_service_role_that_is_exempt_is_found_by_its_address() {
    let database = TestDatabase::create(Backend::Servers).await;
    let settings = with(&audit_settings(&database), [("DATABASE_URL", &*database.superuser_url())]);
    let audited = audit_with(&settings, &[]).await;
    assert_eq!((audited.code, audited.checks("findings")), (Some(1), names(&[&["service_roles_are_bound"]])));
    let finding = &audited.check("service_roles_are_bound")["listed"][0];
    assert_eq!(finding["detail"], "the role is a superuser");
}

/// The URL of a gateway that has deleted charges.
async fn gateway_that_deleted_charges() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.read(&mut [0; 4096]).await.unwrap();
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{\"charges\":[],\"evicted\":3}";
        connection.write_all(response.as_bytes()).await.unwrap();
    });
    url
}

/// Findings have the exit code 1; an audit that cannot be made has another one.
#[tokio::test]
async fn an_audit_that_cannot_be_made_exits_with_2() {
    let books = Shop::open(Backend::Servers).await.close().await;
    let database = &books.database;
    let owner = audit_settings(database);
    let empty = TestDatabase::create_empty().await;
    let sqlite = "sqlite:///nonexistent/shop.sqlite3";
    let unsorted = books.copy().await;
    unsorted.edit("ledger.jsonl", |lines| lines.reverse());
    let strange = books.copy().await;
    strange.edit("acknowledged.jsonl", |lines| lines.push(json!({ "tenant": "acme" })));
    strange.edit("ledger.jsonl", |lines| lines.push(json!({ "key": "z" })));
    let blind = books.copy().await;
    blind.database.execute_without_foreign_keys("DROP POLICY slug_lookup ON tenants").await;
    let incomplete = gateway_that_deleted_charges().await;
    let (unsorted, strange_ledger) = (unsorted.file("ledger.jsonl"), strange.file("ledger.jsonl"));
    let strange_acknowledged = strange.file("acknowledged.jsonl");
    for (address, arguments, message) in [
        (Some(database.service_url()), vec![], "does not see all tenants"),
        (Some(blind.database.owner_url()), vec![], "does not see all tenants"),
        (Some(empty.owner_url()), vec![], "glasshouse migrate"),
        (Some(sqlite.to_owned()), vec![], "there is no database"),
        (Some("mysql://db".to_owned()), vec![], "DATABASE_MIGRATION_URL"),
        (None, vec!["--ledger", "/nonexistent"], "the file of the ledger"),
        (None, vec!["--ledger", "http://127.0.0.1:1"], "the ledger of the gateway"),
        (None, vec!["--ledger", &*incomplete], "deleted its 3 oldest charges"),
        (None, vec!["--ledger", &*unsorted], "charge 2 of the ledger comes before"),
        (None, vec!["--ledger", &*strange_ledger], "charge 11 of the ledger"),
        (None, vec!["--acknowledged", "/nonexistent"], "the file of acknowledgements"),
        (None, vec!["--acknowledged", &*strange_acknowledged], "line 19 of the acknowledgements"),
        (None, vec!["--format", "xml"], "--format"),
        (None, vec!["--grace", "99999999999"], "--grace"),
    ] {
        let address = address.as_deref().map(|address| ("DATABASE_MIGRATION_URL", address));
        let settings = with(&owner, address);
        let audited = audit_with(&settings, &arguments).await;
        assert_eq!((audited.code, &audited.report), (Some(2), &Value::Null), "{message}: {}", audited.stderr);
        assert!(audited.stderr.contains(message), "{message}: {}", audited.stderr);
    }
}
