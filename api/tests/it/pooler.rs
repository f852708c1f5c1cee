//! A connection pooler in front of Postgres: everything works, and every limit of a transaction is in force.

use reqwest::Method;
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::json;

use crate::command_line::{common, with};
use crate::support::{
    Backend, PgBouncer, Process, Response, TestApp, TestDatabase, connect, eventually, key, new_slug,
    new_trace, settings, strict_about_parameters, test_variable, traceparent,
};

/// How the service reaches Postgres.
enum Route {
    Direct,
    StrictAboutParameters,
    PgBouncer(PgBouncer),
}

impl Route {
    async fn to(&self, url: &str) -> String {
        match self {
            Self::Direct => url.to_owned(),
            Self::StrictAboutParameters => strict_about_parameters(url).await,
            Self::PgBouncer(bouncer) => bouncer.url(url),
        }
    }
}

/// Records the limits that are in force whenever a statement touches a row of a tenant.
const RECORD_LIMITS: &str = "
    CREATE TABLE limits_in_force (statement text, idle text, plans text, application text);
    CREATE FUNCTION record_limits() RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
        INSERT INTO public.limits_in_force VALUES (current_setting('statement_timeout'),
            current_setting('idle_in_transaction_session_timeout'), current_setting('plan_cache_mode'),
            current_setting('application_name'));
        SELECT true
    $$;
    DO $$ DECLARE tenant_table text; BEGIN
        FOR tenant_table IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity LOOP
            EXECUTE format('CREATE POLICY recorded ON %I AS RESTRICTIVE USING (record_limits())', tenant_table);
        END LOOP;
    END $$;";

async fn as_superuser(database: &TestDatabase, sql: &str) -> sea_orm::DatabaseConnection {
    let connection = connect(&database.superuser_url()).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection
}

/// Reads and writes of requests and of the worker.
async fn every_limit_is_in_force(route: Route) {
    // The demo migrates its database, so the owner of the schema is to be the owner of the database too.
    let database = TestDatabase::create_empty().await;
    let owner_url = database.owner_url();
    let migrated = Process::run(&["migrate"], &settings([("DATABASE_URL", &*owner_url)])).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    as_superuser(&database, RECORD_LIMITS).await.close().await.unwrap();
    let settings = with(
        &common(),
        [
            ("DATABASE_URL", &*route.to(&database.service_url()).await),
            ("DATABASE_MIGRATION_URL", &owner_url),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "4321"),
            ("REDIS_URL", &test_variable("TEST_REDIS_URL")),
        ],
    );
    let mut demo = Process::start(&["demo"], &settings);
    let owner = demo.client("http_addr").await.sign_up(&new_slug()).await;
    let product = owner.add_product(1000).await;
    for _ in 0..3 {
        owner.order(&product, 1).await.expect(201);
        owner.get("/v1/orders").await.expect(200);
        owner.get("/v1/reports/revenue?from=2026-01-01&to=2026-12-31").await.expect(200);
    }
    let trace = new_trace();
    let traced = owner.request(Method::GET, "/v1/products").header("traceparent", traceparent(&trace));
    Response::of(traced).await.expect(200);
    eventually("the worker delivers", async || {
        let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
        (database.number(delivered).await == 3).then_some(())
    })
    .await;
    let limits = database
        .query("SELECT DISTINCT statement, idle, plans FROM limits_in_force ORDER BY statement")
        .await;
    let text = |row: &QueryResult, column| row.try_get::<String>("", column).unwrap();
    let limits: Vec<_> =
        limits.iter().map(|row| ["statement", "idle", "plans"].map(|column| text(row, column))).collect();
    let mut expected = vec![["4321ms", "3s", "force_generic_plan"]];
    if !matches!(route, Route::Direct) {
        // Reads of one statement have the defaults of the role.
        expected.push(["5s", "3s", "force_generic_plan"]);
    }
    assert_eq!(limits, expected);
    let named = format!("SELECT count(*) AS n FROM limits_in_force WHERE application = 'glasshouse/{trace}'");
    assert!(database.number(&named).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_is_in_force_without_a_pooler() {
    every_limit_is_in_force(Route::Direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_is_in_force_behind_a_pooler_that_rejects_start_up_parameters() {
    every_limit_is_in_force(Route::StrictAboutParameters).await;
}

/// Runs where PgBouncer 1.21 or later is installed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_is_in_force_behind_pgbouncer() {
    let database = TestDatabase::create(Backend::Servers).await;
    let Some(bouncer) = PgBouncer::start(&database.service_url()).await else { return };
    every_limit_is_in_force(Route::PgBouncer(bouncer)).await;
}

/// A query that waits for a lock is cancelled by the server, after the timeout of a statement.
async fn a_blocked_statement_ends(route: Route) {
    let database = TestDatabase::create(Backend::Servers).await;
    let url = route.to(&database.service_url()).await;
    let settings = [("DATABASE_URL", &*url), ("DATABASE_STATEMENT_TIMEOUT_MS", "300")];
    let app = TestApp::start_on(database, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    let blocker = as_superuser(&app.database, "BEGIN; LOCK TABLE products IN ACCESS EXCLUSIVE MODE").await;
    owner.get("/v1/products").await.expect_problem(503, "storage_unavailable");
    owner.order(&product, 1).await.expect_problem(503, "storage_unavailable");
    blocker.execute_unprepared("ROLLBACK").await.unwrap();
    owner.order(&product, 1).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_statement_ends_behind_a_pooler() {
    a_blocked_statement_ends(Route::StrictAboutParameters).await;
    let database = TestDatabase::create(Backend::Servers).await;
    if let Some(bouncer) = PgBouncer::start(&database.service_url()).await {
        a_blocked_statement_ends(Route::PgBouncer(bouncer)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_stay_apart_while_their_transactions_share_connections() {
    let database = TestDatabase::create(Backend::Servers).await;
    let Some(bouncer) = PgBouncer::start(&database.service_url()).await else { return };
    let url = bouncer.url(&database.service_url());
    let app = TestApp::start_on(database, &[("DATABASE_URL", &*url)]).await;
    let tenants = futures_util::future::join_all((0..4).map(|_| app.new_tenant())).await;
    let rounds = tenants.iter().map(async |owner| {
        for n in 1..=10 {
            let sku = key();
            let product =
                json!({ "sku": sku, "name": "Mug", "price_minor": 100, "currency": "USD", "stock": 1 });
            owner.post("/v1/products", product).await.expect(201);
            let listed = owner.get("/v1/products?limit=100").await.expect(200);
            assert_eq!(listed["items"].as_array().unwrap().len(), n);
        }
    });
    futures_util::future::join_all(rounds).await;
}

/// What a transaction sets ends with it, however it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_reaches_another_client_of_the_pooler() {
    let database = TestDatabase::create(Backend::Servers).await;
    let Some(bouncer) = PgBouncer::start(&database.service_url()).await else { return };
    let url = bouncer.url(&database.service_url());
    let settings = [("DATABASE_URL", &*url), ("DATABASE_STATEMENT_TIMEOUT_MS", "4321")];
    let app = TestApp::start_on(database, &settings).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(3).await;
    let other = glasshouse_migrations::connect(&url).await.unwrap();
    // The timeout of the role is another one than that of the service.
    let leaked = "SELECT concat_ws(' ', current_setting('app.tenant_id', true), (SELECT max(sku) FROM products), \
                  nullif(current_setting('statement_timeout'), '5s')) AS leaked";
    let leaked = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, leaked);
    for _ in 0..30 {
        let requests = async {
            // Commits, a conflict, and a rejected body.
            owner.order(&product, 1).await;
            owner.get("/v1/orders").await.expect(200);
            owner.order(&product, 0).await;
        };
        let look = async {
            for _ in 0..5 {
                let row = other.query_one_raw(leaked.clone()).await.unwrap().unwrap();
                assert_eq!(row.try_get::<String>("", "leaked").unwrap(), "");
            }
        };
        futures_util::future::join(requests, look).await;
    }
    other.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_through_a_pooler() {
    let database = TestDatabase::create_empty().await;
    let url = strict_about_parameters(&database.owner_url()).await;
    let migrated = Process::run(&["migrate"], &settings([("DATABASE_MIGRATION_URL", &*url)])).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    if let Some(bouncer) = PgBouncer::start(&database.owner_url()).await {
        let url = bouncer.url(&database.owner_url());
        let again = Process::run(&["migrate"], &settings([("DATABASE_MIGRATION_URL", &*url)])).await;
        assert_eq!(again.code, Some(0), "{again:?}");
    }
}
