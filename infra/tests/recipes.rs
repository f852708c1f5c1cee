//! The recipes of docs/adapt.md for tenancy and outbox, as the example `tenancy` has them.
#![allow(unreachable_pub, reason = "the files of Glasshouse are part of a library")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic fails the test")]

#[path = "../examples/tenancy/db/mod.rs"]
mod db;
#[path = "../examples/tenancy/service.rs"]
mod service;

use sea_orm::{ConnectionTrait, Database};

#[tokio::test]
async fn scope_and_outbox_work_in_another_service_on_sqlite() {
    service::run("sqlite::memory:", "sqlite::memory:").await.unwrap();
}

/// Row-level security isolates the tenants there too.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the environment names the servers of the tests")]
async fn scope_and_outbox_work_in_another_service_on_postgres() {
    let superuser =
        std::env::var("TEST_DATABASE_URL").expect("run the tests with scripts/with-test-services");
    let database = format!("tenancy_{}", uuid::Uuid::now_v7().simple());
    let connection = Database::connect(&superuser).await.unwrap();
    let role = |name: &str, options: &str| {
        format!(
            "DO $$ BEGIN CREATE ROLE {name} {options};
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    };
    for statement in [
        role("tenancy_service", "NOLOGIN"),
        role("tenancy_app", "LOGIN PASSWORD 'tenancy' IN ROLE tenancy_service"),
        role("tenancy_owner", "LOGIN PASSWORD 'tenancy'"),
        format!("CREATE DATABASE {database} OWNER tenancy_owner"),
    ] {
        connection.execute_unprepared(&statement).await.unwrap();
    }
    let url_of = |role: &str| {
        let mut url = url::Url::parse(&superuser).unwrap();
        url.set_username(role).unwrap();
        url.set_password(Some("tenancy")).unwrap();
        url.set_path(&database);
        url.to_string()
    };
    let result = service::run(&url_of("tenancy_app"), &url_of("tenancy_owner")).await;
    connection.execute_unprepared(&format!("DROP DATABASE {database} WITH (FORCE)")).await.unwrap();
    result.unwrap();
}
