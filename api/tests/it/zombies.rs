//! Processes that are frozen for longer than a lease or a deadline, and go on.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command_line::{Stack, common, with};
use crate::support::{
    Backend, NO_WORKER, Process, Scrape, TestApp, TestDatabase, concurrently, connect, eventually, log_lines,
};

/// The ids of the messages in the records of an event.
fn messages_of(worker: &Process, event: &str) -> Vec<Value> {
    let records = log_lines(&worker.stdout());
    records.iter().filter(|line| line["message"] == event).map(|line| line["message_id"].clone()).collect()
}

async fn outbox(database: &TestDatabase) -> Vec<String> {
    let rows = database.query("SELECT outbox_messages::text AS row FROM outbox_messages ORDER BY id").await;
    rows.iter().map(|row| row.try_get("", "row").unwrap()).collect()
}

/// A worker is frozen while it delivers the first of three messages. Another one delivers all of them.
async fn zombie_changes_nothing(faults: Value, most_sent: usize) {
    let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    concurrently((0..3).map(|_| owner.order(&product, 1))).await;
    let later = "UPDATE outbox_messages SET available_at = now() + interval '1 hour' RETURNING id";
    app.database.query(later).await;

    let (url, gateway) = (app.database.service_url(), app.gateway_url());
    let of_worker = with(
        &common(),
        [
            ("DATABASE_URL", &*url),
            ("GLASSHOUSE_PAYMENT_GATEWAY_URL", &*gateway),
            ("GLASSHOUSE_FAULTS_ENABLED", "true"),
            ("GLASSHOUSE_WORKER_CONCURRENCY", "1"),
            ("GLASSHOUSE_OUTBOX_LEASE_SECONDS", "1"),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "600000"),
        ],
    );
    let mut zombie = Process::start(&["worker"], &of_worker);
    let management = zombie.client("management_addr").await;
    management.send(reqwest::Method::PUT, "/faults", Some(faults)).await.expect(200);

    // The zombie has leased the messages, and waits for the order of the first one.
    let lock = connect(&app.database.superuser_url()).await;
    let locked = lock.begin().await.unwrap();
    locked.execute_unprepared("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.unwrap();
    app.database.query("UPDATE outbox_messages SET available_at = now() RETURNING id").await;
    let waiting = "SELECT count(*) AS n FROM pg_locks JOIN pg_class ON pg_class.oid = relation \
                   WHERE relname = 'orders' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("the worker delivers", async || (app.database.number(waiting).await == 1).then_some(())).await;
    zombie.signal("STOP");
    let expired = "SELECT count(*) AS n FROM outbox_messages WHERE available_at <= now() AND attempts = 1";
    eventually("the leases expire", async || (app.database.number(expired).await == 3).then_some(())).await;
    locked.rollback().await.unwrap();
    lock.close().await.unwrap();

    let settings = with(&of_worker, [("GLASSHOUSE_OUTBOX_LEASE_SECONDS", "600")]);
    let other = Process::start(&["worker"], &settings);
    let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
    eventually("the other worker delivers", async || {
        (app.database.number(delivered).await == 3).then_some(())
    })
    .await;
    let before = outbox(&app.database).await;

    zombie.signal("CONT");
    let lost = zombie.logs("outbox_lease_lost").await["message_id"].clone();
    zombie.signal("TERM");
    let ids = messages_of(&other, "outbox_delivered");
    assert!(ids.len() == 3 && ids.contains(&lost), "the id of a message is the same in both workers");
    let sent = messages_of(&zombie, "notification_sent");
    assert!(sent.len() <= most_sent && sent.iter().all(|id| *id == lost), "{sent:?}");
    let ended = zombie.ends().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("outbox_delivered") && !ended.stdout.contains("dead_lettered"));
    assert_eq!(outbox(&app.database).await, before);
}

/// It may send the message that it had begun a second time, and begins no other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_worker_does_not_mark_what_another_one_delivered() {
    zombie_changes_nothing(json!({}), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_worker_does_not_give_up_what_another_one_delivered() {
    zombie_changes_nothing(json!({ "rejected_notifications": {} }), 0).await;
}

/// What a client has sent when the process freezes, and what it sends before the process goes on.
const HALVES: [(&str, &str, &str); 4] = [
    ("nothing", "", "GET /v1/users/me HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("half a head", "GET /v1/users/me HTTP/1.1\r\nHo", "st: localhost\r\n\r\n"),
    (
        "a head",
        "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
        "BODY",
    ),
    (
        "half a body",
        "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60001\r\n\r\n{",
        "BODY",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_arrived_while_the_process_was_frozen_is_answered() {
    let timeouts = [("GLASSHOUSE_HEADER_TIMEOUT_MS", "1500"), ("GLASSHOUSE_BODY_TIMEOUT_MS", "1500")];
    let mut stack = Stack::start(timeouts).await;
    let address = stack.serve.address("http_addr").await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        for (name, before, after) in HALVES {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(before.as_bytes()).await.unwrap();
            clients.push((name, stream, after.replace("BODY", &"x".repeat(60_000))));
        }
    }
    let management = stack.serve.client("management_addr").await;
    eventually("the connections are accepted", async || {
        let scrape = Scrape::of(&management).await;
        (scrape.sum("http_connections", "") >= 20.0).then_some(())
    })
    .await;
    stack.serve.signal("STOP");
    for (_, stream, after) in &mut clients {
        stream.write_all(after.as_bytes()).await.unwrap();
    }
    // Longer than the deadlines of the head and of the body.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.serve.signal("CONT");
    for (name, mut stream, _) in clients {
        let mut response = [0; 12];
        stream.read_exact(&mut response).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let response = String::from_utf8_lossy(&response);
        assert!(["HTTP/1.1 400", "HTTP/1.1 401"].contains(&&*response), "{name}: {response}");
    }
}
