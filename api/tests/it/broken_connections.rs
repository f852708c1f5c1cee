//! Connections of the pools that are closed while their server is up: clients notice nothing, and no restart is needed.

use futures_util::future::join_all;

use crate::support::{Backend, BehindProxies, Client, NO_WORKER, TestApp, eventually};

/// Opens as many connections as the pool may have.
async fn fill_pool(app: &TestApp, owner: &Client) {
    let open = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = \
                'glasshouse_test_service'";
    eventually("the pool is full", async || {
        join_all((0..10).map(|_| owner.get("/v1/orders"))).await.into_iter().for_each(|response| {
            response.expect(200);
        });
        (app.database.number(open).await >= 5).then_some(())
    })
    .await;
}

/// Terminates all sessions of the service, and waits until they have ended.
async fn terminate_sessions(app: &TestApp) {
    let terminated = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) AS n FROM pg_stat_activity \
                      WHERE datname = current_database() AND usename = 'glasshouse_test_service'";
    assert!(app.database.number(terminated).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_all_sessions_of_the_pool_are_terminated() {
    let settings = [NO_WORKER, &[("DATABASE_POOL_SIZE", "5")]].concat();
    let app = TestApp::start_with(Backend::Servers, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for round in 0..3 {
        fill_pool(&app, &owner).await;
        terminate_sessions(&app).await;
        match round {
            // One after the other: reads, writes, a login and a health check.
            0 => {
                for _ in 0..6 {
                    owner.get("/v1/orders").await.expect(200);
                }
                owner.order(&product, 1).await.expect(201);
            }
            1 => {
                owner.order(&product, 1).await.expect(201);
                app.log_in(owner.tenant(), &format!("owner@{}.example", owner.tenant())).await;
                app.management().get("/health/ready").await.expect(200);
            }
            // All at once.
            _ => {
                let orders = join_all((0..10).map(|_| owner.order(&product, 1))).await;
                orders.into_iter().for_each(|response| {
                    response.expect(201);
                });
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_replaces_a_terminated_session() {
    let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
    let owner = app.new_tenant().await;
    fill_pool(&app, &owner).await;
    terminate_sessions(&app).await;
    app.management().get("/health/ready").await.expect(200);
    owner.get("/v1/orders").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_continues_after_its_sessions_were_terminated() {
    let app = TestApp::start(Backend::Servers).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for delivered in 1..=3 {
        terminate_sessions(&app).await;
        owner.order(&product, 1).await.expect(201);
        eventually("the outbox is delivered", async || {
            let sql = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
            (app.database.number(sql).await == delivered).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_that_was_dropped_silently_makes_all_others_checked() {
    let BehindProxies { app, postgres, redis: _redis } = BehindProxies::start(NO_WORKER).await;
    let owner = app.new_tenant().await;
    fill_pool(&app, &owner).await;
    postgres.lose_connections();
    let statuses = async || owner.get("/v1/orders").await.status.as_u16();
    let mut failed = 0;
    for _ in 0..10 {
        failed += u32::from(statuses().await != 200);
    }
    assert!(failed <= 1, "{failed} of ten requests failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_when_all_connections_are_closed_on_the_way() {
    let BehindProxies { app, postgres, redis } = BehindProxies::start(NO_WORKER).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for _ in 0..3 {
        fill_pool(&app, &owner).await;
        postgres.close_connections().await;
        redis.close_connections().await;
        owner.get("/v1/orders").await.expect(200);
        owner.order(&product, 1).await.expect(201);
        for response in join_all((0..10).map(|_| owner.get("/v1/users/me"))).await {
            assert_eq!(response.header("ratelimit-limit"), "100000", "the limiter counts: {response:?}");
            response.expect(200);
        }
    }
}
