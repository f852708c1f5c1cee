//! The outbox: messages are delivered once normally, and at least once always.

use serde_json::json;

use crate::command_line::with;
use crate::support::{
    Backend, NO_WORKER, Process, Scrape, TEST_SETTINGS, TestApp, TestDatabase, concurrently, eventually, key,
    log_lines, on_both, settings, statuses,
};

on_both!(
    payment_and_refund_are_delivered_once_each,
    a_message_of_a_crashed_worker_is_delivered_by_another,
    a_leased_message_is_not_taken_by_another_worker,
    workers_share_the_messages,
    an_unreadable_message_does_not_block_others,
    a_message_that_always_fails_becomes_a_dead_letter,
    a_message_whose_worker_always_ends_becomes_a_dead_letter,
    a_rejected_message_becomes_a_dead_letter_at_once,
    requeued_dead_letters_are_delivered,
    delivered_messages_are_deleted_after_their_retention,
);

/// The attempts of each delivered message.
async fn delivered(database: &TestDatabase) -> Vec<i32> {
    let rows = database.query("SELECT attempts FROM outbox_messages WHERE delivered_at IS NOT NULL").await;
    rows.iter().map(|row| row.try_get("", "attempts").unwrap()).collect()
}

async fn all_are_delivered(database: &TestDatabase, number: usize) -> Vec<i32> {
    eventually("all messages are delivered", async || {
        Some(delivered(database).await).filter(|attempts| attempts.len() == number)
    })
    .await
}

/// The database of an application that has stopped with `orders` undelivered messages.
async fn undelivered(backend: Backend, orders: usize) -> TestDatabase {
    let app = TestApp::start_with(backend, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    let responses = concurrently((0..orders).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&responses), [(201, orders)].into());
    assert!(delivered(&app.database).await.is_empty());
    app.stop().await
}

async fn payment_and_refund_are_delivered_once_each(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let order = owner.order(&product, 1).await.expect(201);
    let payment = owner.payment(&order["id"]).await;
    owner.refund(&payment["id"], &key()).await.expect(200);

    assert_eq!(all_are_delivered(&app.database, 2).await, [1, 1]);
    assert_eq!((app.messages("order_paid").await, app.messages("order_refunded").await), (1, 1));
}

async fn a_message_of_a_crashed_worker_is_delivered_by_another(backend: Backend) {
    let database = undelivered(backend, 1).await;
    // It was leased once and not delivered, and its lease has expired.
    database.query("UPDATE outbox_messages SET attempts = 1 RETURNING id").await;

    let app = TestApp::start_on(database, &[]).await;

    assert_eq!(all_are_delivered(&app.database, 1).await, [2]);
}

async fn a_leased_message_is_not_taken_by_another_worker(backend: Backend) {
    let database = undelivered(backend, 1).await;
    let lease = "UPDATE outbox_messages SET available_at = '2999-01-01T00:00:00Z', attempts = 7 RETURNING id";
    database.query(lease).await;

    let app = TestApp::start_on(database, &[]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1).await;
    owner.order(&product, 1).await.expect(201);

    assert_eq!(all_are_delivered(&app.database, 1).await, [1]);
}

async fn workers_share_the_messages(backend: Backend) {
    let database = undelivered(backend, 60).await;
    let settings = [("GLASSHOUSE_WORKER_BATCH", "4"), ("GLASSHOUSE_OUTBOX_POLL_MS", "5")];

    let _apps = concurrently((0..3).map(|_| TestApp::start_on(database.clone(), &settings))).await;

    assert_eq!(all_are_delivered(&database, 60).await, [1; 60]);
}

/// A newer version that runs concurrently may write such a message.
async fn an_unreadable_message_does_not_block_others(backend: Backend) {
    let database = undelivered(backend, 2).await;
    let event = json!({ "kind": "order_framed", "order": uuid::Uuid::now_v7() });
    let one = "id IN (SELECT id FROM outbox_messages LIMIT 1)";
    database.query(&format!("UPDATE outbox_messages SET event = '{event}' WHERE {one} RETURNING id")).await;

    let app = TestApp::start_on(database, &[]).await;

    assert_eq!(all_are_delivered(&app.database, 1).await, [1]);
}

const EACH_UNREADABLE: &str = r#"UPDATE outbox_messages SET event = '{"kind":"order_framed"}' RETURNING id"#;

/// Makes all messages due, whatever their lease or backoff.
async fn make_due(database: &TestDatabase) {
    database.query("UPDATE outbox_messages SET available_at = '2020-01-01T00:00:00Z' RETURNING id").await;
}

/// The attempts and the reason of each dead letter.
async fn dead_letters(database: &TestDatabase) -> Vec<(i32, String)> {
    let sql = "SELECT attempts, dead_letter_reason FROM outbox_messages WHERE dead_lettered_at IS NOT NULL";
    let rows = database.query(sql).await;
    rows.iter()
        .map(|row| (row.try_get("", "attempts").unwrap(), row.try_get("", "dead_letter_reason").unwrap()))
        .collect()
}

async fn eventually_dead(database: &TestDatabase, number: usize) -> Vec<(i32, String)> {
    eventually("messages are dead letters", async || {
        // Without the pauses between attempts.
        make_due(database).await;
        Some(dead_letters(database).await).filter(|letters| letters.len() == number)
    })
    .await
}

async fn a_message_that_always_fails_becomes_a_dead_letter(backend: Backend) {
    let database = undelivered(backend, 2).await;
    database.query(EACH_UNREADABLE).await;
    let app = TestApp::start_on(database, &[("GLASSHOUSE_OUTBOX_MAX_ATTEMPTS", "3")]).await;
    for (attempts, reason) in eventually_dead(&app.database, 2).await {
        assert_eq!(attempts, 3);
        assert!(
            reason.starts_with("the event cannot be decoded: unknown variant `order_framed`"),
            "{reason}"
        );
    }
    let scrape = Scrape::of(&app.management()).await;
    assert_eq!((scrape.sum("outbox_dead_letters", ""), scrape.sum("outbox_pending", "")), (2.0, 0.0));
    assert_eq!(scrape.sum("outbox_oldest_age_seconds", ""), 0.0);
    for (result, times) in [("failed", 4.0), ("dead_lettered", 2.0), ("delivered", 0.0)] {
        assert_eq!(scrape.sum("outbox_deliveries_total", &format!("result=\"{result}\"")), times, "{result}");
    }
    // It is not leased again. Another message is.
    make_due(&app.database).await;
    let owner = app.new_tenant().await;
    owner.order(&owner.add_product(1).await, 1).await.expect(201);
    assert_eq!(all_are_delivered(&app.database, 1).await, [1]);
    assert_eq!(dead_letters(&app.database).await.len(), 2);
}

/// Each attempt was begun, and none of them reported a result.
async fn a_message_whose_worker_always_ends_becomes_a_dead_letter(backend: Backend) {
    let database = undelivered(backend, 1).await;
    database.query("UPDATE outbox_messages SET attempts = 3 RETURNING id").await;
    let app = TestApp::start_on(database, &[("GLASSHOUSE_OUTBOX_MAX_ATTEMPTS", "3")]).await;
    assert_eq!(eventually_dead(&app.database, 1).await, [(4, "no attempt reported a result".to_owned())]);
    assert!(delivered(&app.database).await.is_empty());
}

async fn a_rejected_message_becomes_a_dead_letter_at_once(backend: Backend) {
    let app = TestApp::start_with(backend, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    let fault = json!({ "rejected_notifications": {} });
    app.management().send(reqwest::Method::PUT, "/faults", Some(fault)).await.expect(200);
    let owner = app.new_tenant().await;
    owner.order(&owner.add_product(1).await, 1).await.expect(201);
    let rejected = (1, "the notification was rejected: an injected fault".to_owned());
    assert_eq!(eventually_dead(&app.database, 1).await, [rejected]);
}

async fn requeued_dead_letters_are_delivered(backend: Backend) {
    let database = undelivered(backend, 3).await;
    let dead = "UPDATE outbox_messages SET attempts = 9, available_at = '2999-01-01T00:00:00Z', \
                dead_lettered_at = '2026-01-01T00:00:00Z', dead_letter_reason = 'rejected' RETURNING id";
    database.query(dead).await;
    let url = [("DATABASE_URL", &*database.service_url())];
    let command = async |arguments: &[&str]| {
        let all = [&["dead-letters"], arguments].concat();
        Process::run(&all, &with(&settings(TEST_SETTINGS), url)).await
    };

    let listed = command(&["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let letters = log_lines(&listed.stdout);
    assert_eq!(letters.len(), 3);
    for letter in &letters {
        assert_eq!(
            (&letter["kind"], &letter["attempts"], &letter["reason"]),
            (&json!("order_paid"), &json!(9), &json!("rejected"))
        );
        assert_eq!(letter["dead_lettered_at"], "2026-01-01T00:00:00Z");
    }
    assert_eq!(log_lines(&command(&["list", "--limit", "2"]).await.stdout).len(), 2);

    for wrong in
        [&["requeue"][..], &["requeue", "--all", letters[0]["id"].as_str().unwrap()], &["requeue", "x"]]
    {
        assert_ne!(command(wrong).await.code, Some(0), "{wrong:?}");
    }
    let id = letters[0]["id"].as_str().unwrap();
    let one = command(&["requeue", id]).await;
    assert_eq!(one.code, Some(0), "{one:?}");
    assert_eq!(log_lines(&one.stdout)[0]["messages"], 1);
    let again = command(&["requeue", id]).await;
    assert!(
        again.code != Some(0) && again.stderr.contains("no dead letter has one of these ids"),
        "{again:?}"
    );
    assert_eq!(dead_letters(&database).await.len(), 2);
    let all = command(&["requeue", "--all"]).await;
    assert_eq!((all.code, &log_lines(&all.stdout)[0]["messages"]), (Some(0), &json!(2)), "{all:?}");

    let app = TestApp::start_on(database, &[]).await;
    assert_eq!(all_are_delivered(&app.database, 3).await, [1; 3]);
    assert!(dead_letters(&app.database).await.is_empty());
}

async fn delivered_messages_are_deleted_after_their_retention(backend: Backend) {
    let database = undelivered(backend, 5).await;
    let [old, dead, recent] = [0, 1, 2]
        .map(|nth| format!("id IN (SELECT id FROM outbox_messages ORDER BY id LIMIT 1 OFFSET {nth})"));
    // More than one batch of expired messages.
    let columns = "tenant_id, kind, event, attempts, available_at, created_at";
    let id = if database.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
    let copies = format!(
        "INSERT INTO outbox_messages (id, delivered_at, {columns}) \
         SELECT {id}, '2020-01-01T00:00:00Z', {columns} FROM outbox_messages, \
                (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n) AS n \
         RETURNING kind"
    );
    let now = if database.is_postgres() { "now()" } else { "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')" };
    for change in [
        format!("UPDATE outbox_messages SET delivered_at = '2020-01-01T00:00:00Z' WHERE {old} RETURNING id"),
        format!("UPDATE outbox_messages SET dead_lettered_at = '2020-01-01T00:00:00Z' WHERE {dead} RETURNING id"),
        format!("UPDATE outbox_messages SET delivered_at = {now} WHERE {recent} RETURNING id"),
        "UPDATE outbox_messages SET available_at = '2999-01-01T00:00:00Z' WHERE delivered_at IS NULL RETURNING id"
            .to_owned(),
    ] {
        database.query(&change).await;
    }
    assert_eq!(database.query(&copies).await.len(), 2500);
    let app = TestApp::start_on(database, &[("GLASSHOUSE_OUTBOX_RETENTION_HOURS", "1")]).await;
    eventually("expired messages are deleted", async || {
        (app.database.number("SELECT count(*) AS n FROM outbox_messages").await == 4).then_some(())
    })
    .await;
    assert_eq!(dead_letters_count(&app.database).await, 1);
    assert_eq!(delivered(&app.database).await.len(), 1);
}

async fn dead_letters_count(database: &TestDatabase) -> i64 {
    database.number("SELECT count(*) AS n FROM outbox_messages WHERE dead_lettered_at IS NOT NULL").await
}
