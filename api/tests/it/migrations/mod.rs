//! Migrations while the service runs: they do not make its queries wait, and every version works with the schema of the next
//! one and of the previous one.

mod expand;

use futures_util::future::join_all;
use glasshouse_migrations::{Migrator, MigratorTrait, REQUIRED_MIGRATION};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{
    Ended, Playground, Process, TestApp, TestDatabase, connect, eventually, key, operations, settings,
};

/// What the next version might add.
const NEXT_VERSION: &str = "
    ALTER TABLE products ADD COLUMN color varchar;
    ALTER TABLE orders ADD COLUMN channel varchar NOT NULL DEFAULT 'web';
    ALTER TABLE payments ADD COLUMN fee_minor bigint NULL;
    CREATE INDEX payments_by_fee ON payments (fee_minor);
    CREATE TABLE vouchers (tenant_id uuid NOT NULL REFERENCES tenants (id), id uuid PRIMARY KEY);
    ALTER TABLE vouchers ENABLE ROW LEVEL SECURITY;
    ALTER TABLE vouchers FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_tenant ON vouchers
        USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    GRANT SELECT, INSERT, UPDATE, DELETE ON vouchers TO glasshouse_service;
    INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_vouchers', 0)";

fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

async fn migrate(database: &TestDatabase, arguments: &[&str]) -> Ended {
    let owner = database.owner_url();
    let settings = settings([("DATABASE_MIGRATION_URL", &*owner)]);
    Process::run(&[&["migrate"], arguments].concat(), &settings).await
}

/// A database whose schema its owner can change.
async fn migrated() -> TestDatabase {
    let database = TestDatabase::create_empty().await;
    assert_eq!(migrate(&database, &[]).await.code, Some(0));
    database
}

/// Sends every operation, and sells something. None may fail because of the schema.
async fn everything_works(app: TestApp) {
    let playground = Playground::of(app).await;
    let Playground { app, owner, product, .. } = &playground;
    let order = owner.order(product, 3).await.expect(201);
    let payment = owner.payment(&order["id"]).await;
    let refund = format!("/v1/payments/{}/refund", payment["id"].as_str().unwrap());
    owner.post_once(&refund, &key(), json!({})).await.expect(200);
    let bodies = playground.bodies();
    for operation in operations().keys().filter(|operation| !operation.starts_with("DELETE")) {
        let body = bodies.iter().find(|(name, _)| name == operation).map(|(_, body)| body.to_string());
        let response = playground.send(operation, body.unwrap_or_default()).await;
        assert!(!response.status.is_server_error(), "{operation}: {response:?}");
    }
    let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
    eventually("confirmation and refund are both delivered", async || {
        (app.database.number(delivered).await >= 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_do_not_wait_behind_a_migration_that_waits_for_a_lock() {
    let database = TestDatabase::create_empty().await;
    assert_eq!(migrate(&database, &["--to", "m0008_password_resets"]).await.code, Some(0));
    let reader = connect(&database.superuser_url()).await;
    reader.execute_unprepared("BEGIN; SELECT count(*) FROM products").await.unwrap();

    let owner = database.owner_url();
    let mut migration = Process::start(&["migrate"], &settings([("DATABASE_MIGRATION_URL", &*owner)]));
    migration.logs("database_migration_blocked").await;
    let client = connect(&database.superuser_url()).await;
    client.execute_unprepared("SET statement_timeout = '5s'").await.unwrap();
    for _ in 0..30 {
        client.execute_unprepared("SELECT count(*) FROM products").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    reader.execute_unprepared("COMMIT").await.unwrap();
    let migrated = migration.ends().await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    client.execute_unprepared("SELECT received FROM products").await.unwrap();
    reader.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_may_migrate_at_once() {
    let database = TestDatabase::create_empty().await;
    for migrated in join_all((0..4).map(|_| migrate(&database, &[]))).await {
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
    }
    let applied = database.number("SELECT count(*) AS n FROM seaql_migrations").await;
    assert_eq!(usize::try_from(applied).unwrap(), names().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_migration_leaves_the_earlier_ones_applied() {
    let database = TestDatabase::create_empty().await;
    assert_eq!(migrate(&database, &["--to", "m0007_caller_authority"]).await.code, Some(0));
    // A column of this name is in the way.
    let owner = connect(&database.owner_url()).await;
    owner.execute_unprepared("ALTER TABLE products ADD COLUMN received bigint").await.unwrap();
    assert_eq!(migrate(&database, &[]).await.code, Some(1));
    let last = database.query("SELECT max(version) AS version FROM seaql_migrations").await;
    assert_eq!(last[0].try_get::<String>("", "version").unwrap(), "m0008_password_resets");
    owner.execute_unprepared("ALTER TABLE products DROP COLUMN received").await.unwrap();
    owner.close().await.unwrap();
    assert_eq!(migrate(&database, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_migration_is_rejected_with_the_names_of_all() {
    let database = TestDatabase::create_empty().await;
    let rejected = migrate(&database, &["--to", "m0003"]).await;
    assert_eq!(rejected.code, Some(2));
    assert!(names().iter().all(|name| rejected.stderr.contains(name)), "{}", rejected.stderr);
}

/// Every schema that this version does not reject at its start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_version_works_on_every_schema_that_it_accepts() {
    let mut accepted = Vec::new();
    for name in names() {
        let database = TestDatabase::create_empty().await;
        assert_eq!(migrate(&database, &["--to", &name]).await.code, Some(0));
        match TestApp::try_start_on(database, &[]).await {
            Ok(app) => {
                everything_works(app).await;
                accepted.push(name);
            }
            Err(error) => {
                let error = format!("{error:#}");
                assert!(error.contains("run `glasshouse migrate` first"), "{name}: {error}");
                assert!(accepted.is_empty(), "{name} is rejected, and not {accepted:?}");
            }
        }
    }
    assert_eq!(accepted[0], REQUIRED_MIGRATION);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_version_works_on_the_schema_of_the_next_one() {
    let database = migrated().await;
    let owner = connect(&database.owner_url()).await;
    owner.execute_unprepared(NEXT_VERSION).await.unwrap();
    owner.close().await.unwrap();
    let migrated = migrate(&database, &[]).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    everything_works(TestApp::start_on(database, &[]).await).await;
}

/// Prepared statements were planned for the previous schema, and callers are in the cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_instance_survives_the_migration_to_the_next_version() {
    let app = TestApp::start_on(migrated().await, &[]).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    let sell = async || {
        let order = owner.order(&product, 1).await.expect(201);
        owner.get(&format!("/v1/orders/{}", order["id"].as_str().unwrap())).await.expect(200);
        for list in ["/v1/orders", "/v1/products", "/v1/users", "/v1/users/me"] {
            owner.get(list).await.expect(200);
        }
        owner.payment(&order["id"]).await;
        let cancel = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
        owner.request(Method::POST, &cancel).header("Idempotency-Key", key()).send().await.unwrap();
    };
    for _ in 0..10 {
        sell().await;
    }
    let schema = connect(&app.database.owner_url()).await;
    schema.execute_unprepared(NEXT_VERSION).await.unwrap();
    schema.close().await.unwrap();
    for _ in 0..10 {
        sell().await;
    }
}
