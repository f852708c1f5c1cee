//! Processes whose clocks are wrong: the database's clock decides.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::command_line::{JWT_SECRET, common, with};
use crate::support::{
    Backend, NO_WORKER, Process, Scrape, Settings, TestApp, connect, eventually, key, new_slug,
    test_variable, with_skewed_clock,
};

const HOUR: i64 = 3600;

/// The settings of another process on the database and the gateway of `app`.
fn beside(app: &TestApp) -> Settings {
    let (database, gateway, redis) =
        (app.database.service_url(), app.gateway_url(), test_variable("TEST_REDIS_URL"));
    let shared = [
        ("DATABASE_URL", &*database),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", &*gateway),
        ("REDIS_URL", &*redis),
        ("JWT_SECRET", JWT_SECRET),
    ];
    with(&common(), shared)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_wrong_clock_deletes_and_takes_nothing_too_early() {
    for hours in [25, -25] {
        let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
        let owner = app.new_tenant().await;
        let (product, order_key) = (owner.add_product(10).await, key());
        let order = owner.order_with_key(&product, 1, &order_key).await.expect(201);
        for _ in 0..2 {
            owner.order(&product, 1).await.expect(201);
        }
        let [delivered, leased] = [0, 1]
            .map(|nth| format!("id = (SELECT id FROM outbox_messages ORDER BY id LIMIT 1 OFFSET {nth})"));
        for change in [
            format!("UPDATE outbox_messages SET delivered_at = now() WHERE {delivered} RETURNING id"),
            format!(
                "UPDATE outbox_messages SET available_at = now() + interval '10 minutes', attempts = 7 \
                 WHERE {leased} RETURNING id"
            ),
            // One key and one message are expired by every clock.
            "INSERT INTO idempotent_requests SELECT tenant_id, user_id, 'expired', request_hash, subject_id, status, \
             body, now() - interval '10 days' FROM idempotent_requests LIMIT 1 RETURNING key"
                .to_owned(),
            "INSERT INTO outbox_messages (id, delivered_at, tenant_id, kind, event, attempts, available_at, created_at) \
             SELECT gen_random_uuid(), now() - interval '10 days', tenant_id, kind, event, attempts, available_at, \
             created_at FROM outbox_messages LIMIT 1 RETURNING id"
                .to_owned(),
        ] {
            assert_eq!(app.database.query(&change).await.len(), 1, "{change}");
        }

        let settings = with(&beside(&app), [("GLASSHOUSE_OUTBOX_RETENTION_HOURS", "1")]);
        let mut worker = Process::start(&["worker"], &with_skewed_clock(&settings, hours * HOUR));
        worker.logs("outbox_delivered").await;
        let count =
            async |what: &str| app.database.number(&format!("SELECT count(*) AS n FROM {what}")).await;
        for expired in [
            "idempotent_requests WHERE key = 'expired'",
            "outbox_messages WHERE delivered_at < now() - interval '1 day'",
        ] {
            eventually(&format!("{expired} is deleted"), async || (count(expired).await == 0).then_some(()))
                .await;
        }
        assert_eq!(count("idempotent_requests").await, 3, "{hours} hours");
        assert_eq!(count("outbox_messages").await, 3, "{hours} hours");
        assert_eq!(
            count(&format!("outbox_messages WHERE {leased} AND attempts = 7")).await,
            1,
            "{hours} hours"
        );
        let repeated = owner.order_with_key(&product, 1, &order_key).await.expect(201);
        assert_eq!((&repeated["id"], app.charges_at_gateway().await), (&order["id"], 3));
    }
}

/// Every point in time that the API stores is the database's, except for those that are information alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_with_a_wrong_clock_delays_and_hastens_nothing() {
    for seconds in [600, -600] {
        let app = TestApp::start_with(Backend::Servers, &[("GLASSHOUSE_OUTBOX_POLL_MS", "600000")]).await;
        let mut serve = Process::start(&["serve"], &with_skewed_clock(&beside(&app), seconds));
        let owner = serve.client("http_addr").await.sign_up(&new_slug()).await;
        let product = owner.add_product(10).await;
        let paid = owner.order(&product, 1).await.expect(201);
        let refunded = owner.payment(&paid["id"]).await["id"].clone();
        owner.refund(&refunded, &key()).await.expect(200);
        app.gateway_behaves(json!({ "error_rate": 1 })).await;
        let [settled, cancelled] =
            [owner.order(&product, 1).await.expect(202), owner.order(&product, 1).await.expect(202)];
        owner.cancel(&cancelled["id"], &key()).await.expect(200);
        app.gateway_recovers().await;

        // The worker of the other process, whose clock is right, takes them over when they are due.
        owner.order_becomes(&settled["id"], "paid").await;
        owner.payment_becomes(&cancelled["id"], "declined").await;
        let scrape = Scrape::of(&serve.client("management_addr").await).await;
        assert!(scrape.sum("outbox_pending", "") >= 2.0);
        assert!(scrape.sum("outbox_oldest_age_seconds", "") < 300.0, "{seconds} s");

        let columns = "SELECT table_name, column_name FROM information_schema.columns \
                       WHERE table_schema = 'public' AND data_type = 'timestamp with time zone' \
                       AND NOT (column_name = 'created_at' AND table_name IN ('tenants', 'users', 'products'))";
        let columns = app.database.query(columns).await;
        assert!(columns.len() > 8);
        for column in columns {
            let [table, column] =
                ["table_name", "column_name"].map(|name| column.try_get::<String>("", name).unwrap());
            let deviation = format!(
                "SELECT coalesce(max(abs(extract(epoch FROM {column} - now()))), 0)::bigint AS n FROM {table}"
            );
            let deviation = app.database.number(&deviation).await;
            assert!(deviation < 300, "{table}.{column} deviates by {deviation} s");
        }
        serve.signal("TERM");
        assert_eq!(serve.ends().await.code, Some(0));
    }
}

/// A process of an earlier version passes the time of its own clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_keeps_young_idempotency_keys_whatever_a_process_asks_for() {
    let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
    let owner = app.new_tenant().await;
    owner.order(&owner.add_product(10).await, 1).await.expect(201);
    let old = "INSERT INTO idempotency_keys SELECT tenant_id, 'young', request_hash, subject_id, status, body, created_at \
               FROM idempotent_requests RETURNING key";
    assert_eq!(app.database.query(old).await.len(), 1);
    let service = connect(&app.database.service_url()).await;
    for function in ["forget_idempotent_requests", "forget_idempotency_keys"] {
        service.execute_unprepared(&format!("SELECT {function}(now() + interval '25 hours')")).await.unwrap();
    }
    service.close().await.unwrap();
    for table in ["idempotent_requests", "idempotency_keys"] {
        assert_eq!(app.database.number(&format!("SELECT count(*) AS n FROM {table}")).await, 1, "{table}");
    }
}
