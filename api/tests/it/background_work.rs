//! Jobs of the worker process several items at a time.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::command_line::Stack;
use crate::support::{
    Backend, NO_WORKER, Scrape, TestApp, concurrently, connect, eventually, on_both, statuses,
};

on_both!(open_payments_do_not_wait_for_the_gateway_one_after_another);

/// The gateway charges and does not respond. One after another, the payments would be charged once in each timeout.
async fn open_payments_do_not_wait_for_the_gateway_one_after_another(backend: Backend) {
    let one_attempt = ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1");
    let no_circuit = ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", "1000");
    let app = TestApp::start_with(backend, &[NO_WORKER, &[one_attempt, no_circuit]].concat()).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let responses = concurrently((0..20).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&responses), [(202, 20)].into());
    assert_eq!(app.charges_at_gateway().await, 0);
    app.gateway_behaves(json!({ "timeout_rate": 1 })).await;
    app.database.query("UPDATE payments SET reconcile_at = '2020-01-01T00:00:00Z' RETURNING id").await;

    let gateway = app.gateway_url();
    let settings = [
        one_attempt,
        no_circuit,
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", &*gateway),
        ("GLASSHOUSE_PAYMENT_GATEWAY_TIMEOUT_MS", "600000"),
        ("GLASSHOUSE_RECONCILE_LEASE_SECONDS", "600"),
        ("GLASSHOUSE_WORKER_CONCURRENCY", "6"),
    ];
    let _worker = TestApp::start_on(app.database.clone(), &settings).await;

    eventually("six charges are in progress", async || (app.charges_at_gateway().await >= 6).then_some(()))
        .await;
    assert_eq!(app.charges_at_gateway().await, 6);
}

/// The transaction that marks one of the messages as delivered waits for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_do_not_wait_for_a_slow_delivery() {
    let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    let responses = concurrently((0..30).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&responses), [(201, 30)].into());
    let lock = connect(&app.database.superuser_url()).await;
    for statement in [
        "CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql \
         AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$",
        "CREATE TRIGGER slow_delivery BEFORE UPDATE OF delivered_at ON outbox_messages FOR EACH ROW \
         WHEN (NEW.dead_letter_reason = 'slow') EXECUTE FUNCTION wait_for_lock()",
        "UPDATE outbox_messages SET dead_letter_reason = 'slow', available_at = available_at - interval '1 minute' \
         WHERE id = (SELECT id FROM outbox_messages LIMIT 1)",
        "SELECT pg_advisory_lock(1)",
    ] {
        lock.execute_unprepared(statement).await.unwrap();
    }

    let settings = [("GLASSHOUSE_WORKER_CONCURRENCY", "2"), ("DATABASE_STATEMENT_TIMEOUT_MS", "600000")];
    let _worker = TestApp::start_on(app.database.clone(), &settings).await;

    let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
    let are_delivered = async |number: i64| {
        eventually(&format!("{number} messages are delivered"), async || {
            (app.database.number(delivered).await == number).then_some(())
        })
        .await;
    };
    are_delivered(29).await;
    lock.execute_unprepared("SELECT pg_advisory_unlock(1)").await.unwrap();
    are_delivered(30).await;
    lock.close().await.unwrap();
}

/// A worker whose relay gets no lease: it waits for a lock, or every round of it fails.
async fn a_stalled_job_is_reported(stall: &str, resume: &str) {
    let hangs = stall.starts_with("BEGIN");
    // The connection of the last health check stays open for a second, so a stop that is not cut takes longer than that.
    let grace = if hangs { "1" } else { "20" };
    let settings = [
        ("GLASSHOUSE_WORKER_STALLED_SECONDS", "2"),
        ("GLASSHOUSE_SHUTDOWN_GRACE_SECONDS", grace),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "600000"),
    ];
    let mut stack = Stack::start(settings).await;
    let management = stack.worker.client("management_addr").await;
    management.get("/health/ready").await.expect(200);
    let operator = connect(&stack.database.superuser_url()).await;
    let stalls = async || {
        operator.execute_unprepared(stall).await.unwrap();
        eventually("the worker is not ready", async || {
            let ready = management.get("/health/ready").await;
            (ready.status == 503).then(|| {
                let checks = json!({ "database": "ok", "worker": "error: outbox_relay makes no progress" });
                assert_eq!(ready.body["checks"], checks);
            })
        })
        .await;
    };
    stalls().await;
    eventually("the metrics report it", async || {
        let scrape = Scrape::of(&management).await;
        let age = |job| scrape.sum("worker_job_last_success_age_seconds", &format!("worker_job=\"{job}\""));
        let is_up = |name| scrape.sum("dependency_up", &format!("dependency=\"{name}\"")) == 1.0;
        let is_late = age("outbox_relay") >= 2.0 && age("reconciler") < age("outbox_relay");
        (is_late && is_up("database") && !is_up("worker")).then_some(())
    })
    .await;
    assert_eq!(stack.worker.logs("health_check_failed").await["check"], "worker");

    operator.execute_unprepared(resume).await.unwrap();
    eventually("the worker is ready again", async || {
        (management.get("/health/ready").await.status == 200).then_some(())
    })
    .await;

    stalls().await;
    stack.worker.signal("TERM");
    let ended = stack.worker.ends().await;
    // A round that hangs is cut, and one that fails ends.
    assert_eq!(ended.code, Some(i32::from(hangs)), "{}", ended.stderr);
    assert_eq!(ended.stdout.contains("background_job_failed"), !hangs);
    operator.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_hangs_is_reported() {
    a_stalled_job_is_reported("BEGIN; LOCK TABLE outbox_messages", "ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_always_fails_is_reported() {
    let function = "FUNCTION lease_outbox_messages(timestamptz, timestamptz, integer)";
    a_stalled_job_is_reported(
        &format!("REVOKE EXECUTE ON {function} FROM glasshouse_service"),
        &format!("GRANT EXECUTE ON {function} TO glasshouse_service"),
    )
    .await;
}
