//! Connections to Postgres that are lost without a word in the middle of a transaction, by a firewall or with the machine at
//! the other end: nothing waits for them, neither in the service nor for the locks that their sessions hold.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement, TransactionTrait};

use crate::support::{Backend, BehindProxies, Client, NO_WORKER, Proxy, TestDatabase, connect, eventually};

/// Loses all connections when they have sent these texts one after the other, of which the first is held already. The last
/// one does not reach the server.
async fn lose_connections_at(postgres: &Proxy, texts: &[&'static str]) {
    postgres.holds().await;
    for text in &texts[1..] {
        postgres.hold(text);
        postgres.holds().await;
    }
    postgres.lose_connections();
    postgres.release();
}

async fn orders_are_placed_again(owner: &Client, product: &str) {
    eventually("orders are placed again, without a restart", async || {
        (owner.order(product, 1).await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_connection_is_lost_in_a_transaction_fails_in_time() {
    let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for texts in [&["UPDATE"] as &[_], &["INSERT INTO \"orders\""], &["INSERT INTO \"orders\"", "COMMIT"]] {
        // A connection sends the text of a statement once, and new ones have sent none.
        postgres.close_connections().await;
        postgres.hold(texts[0]);
        let order = owner.spawn_order(&product);
        lose_connections_at(&postgres, texts).await;
        order.await.unwrap().expect_problem(503, "storage_unavailable");
        orders_are_placed_again(&owner, &product).await;
    }
}

/// With one connection, the request after a rejected one waits for the end of its rollback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_in_a_rollback_is_replaced() {
    let settings = [NO_WORKER, &[("DATABASE_POOL_SIZE", "1")]].concat();
    let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(&settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1).await;
    postgres.hold("ROLLBACK");
    owner.order(&product, 2).await.expect_problem(409, "out_of_stock");
    lose_connections_at(&postgres, &["ROLLBACK"]).await;
    orders_are_placed_again(&owner, &product).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_continues_after_its_connection_was_lost_in_a_transaction() {
    for texts in [&["UPDATE \"outbox_messages\""] as &[_], &["UPDATE \"outbox_messages\"", "COMMIT"]] {
        let settings = [("GLASSHOUSE_OUTBOX_LEASE_SECONDS", "1")];
        let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(&settings).await;
        let owner = app.new_tenant().await;
        let product = owner.add_product(1000).await;
        postgres.hold(texts[0]);
        owner.order(&product, 1).await.expect(201);
        lose_connections_at(&postgres, texts).await;
        eventually("the message is delivered", async || {
            let sql = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
            (app.database.number(sql).await == 1).then_some(())
        })
        .await;
        assert!(tokio::time::timeout(Duration::from_secs(30), app.stop()).await.is_ok(), "it does not stop");
    }
}

/// The proxy keeps the connection to the server open, so the server alone can end the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_locks_of_a_lost_connection_are_released_within_seconds() {
    let settings = [NO_WORKER, &[("DATABASE_STATEMENT_TIMEOUT_MS", "20000")]].concat();
    let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(&settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    let superuser = connect(&app.database.superuser_url()).await;
    for texts in [&["INSERT INTO \"orders\""] as &[_], &["INSERT INTO \"payments\"", "COMMIT"]] {
        postgres.close_connections().await;
        postgres.hold(texts[0]);
        let order = owner.spawn_order(&product);
        lose_connections_at(&postgres, texts).await;
        let locked = superuser.execute_unprepared("SELECT id FROM products FOR UPDATE NOWAIT").await;
        assert!(locked.unwrap_err().to_string().contains("could not obtain lock"));
        // The limit is 3 s.
        superuser.execute_unprepared("SET statement_timeout = '15s'").await.unwrap();
        superuser.execute_unprepared("SELECT id FROM products FOR UPDATE").await.unwrap();
        order.abort();
    }
}

/// The defaults of the role hold where no transaction sets a limit: before its first statement, and between transactions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_the_service_end_by_the_defaults_of_its_role() {
    let database = TestDatabase::create(Backend::Servers).await;
    let service = connect(&database.service_url()).await;
    let backend = service.get_database_backend();
    let session =
        async |sql: &str| service.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
    for (name, expected) in [
        ("client_connection_check_interval", "2000"),
        ("tcp_keepalives_count", "3"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_user_timeout", "15000"),
    ] {
        let row = session(&format!("SELECT setting FROM pg_settings WHERE name = '{name}'")).await;
        assert_eq!(row.try_get::<String>("", "setting").unwrap(), expected, "{name}");
    }
    let pid: i32 = session("SELECT pg_backend_pid() AS pid").await.try_get("", "pid").unwrap();
    let _transaction = service.begin().await.unwrap();
    eventually("Postgres ends the session", async || {
        let open = format!("SELECT count(*) AS n FROM pg_stat_activity WHERE pid = {pid}");
        (database.number(&open).await == 0).then_some(())
    })
    .await;
}
