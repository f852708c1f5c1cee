//! Row-level security: Postgres isolates tenants, whatever SQL the service sends.
//!
//! It does not protect against a wrong `app.tenant_id`, which the service sets. The scoped handles do.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement};
use serde_json::{Value, json};

use crate::support::{Backend, TestApp, TestDatabase, connect, eventually};

/// A database in which two tenants have rows in every table.
struct TwoTenants {
    database: TestDatabase,
    /// Each tenant table, with the column of the tenant id.
    tables: Vec<(String, &'static str)>,
    one: String,
    other: String,
}

impl TwoTenants {
    async fn new() -> Self {
        let mail = tempfile::tempdir().unwrap();
        let mail = [("GLASSHOUSE_MAIL_DIR", mail.path().to_str().unwrap())];
        let app = TestApp::start_with(Backend::Servers, &mail).await;
        let mut tenants = Vec::new();
        for _ in 0..2 {
            let owner = app.new_tenant().await;
            let product = owner.add_product(10).await;
            owner.order(&product, 1).await.expect(201);
            let email = format!("owner@{}.example", owner.tenant());
            let reset = json!({ "tenant": owner.tenant(), "email": email });
            app.anonymous().post("/v1/auth/password-reset/request", reset).await.expect(202);
            tenants.push(format!("SELECT id::text AS n FROM tenants WHERE slug = '{}'", owner.tenant()));
        }
        let delivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NOT NULL";
        eventually("all is delivered", async || (app.database.number(delivered).await == 4).then_some(()))
            .await;
        let database = app.stop().await;
        // This version reads the keys of the previous one, but adds none.
        let columns = "tenant_id, key, request_hash, subject_id, status, body, created_at";
        let copy =
            format!("INSERT INTO idempotency_keys ({columns}) SELECT {columns} FROM idempotent_requests");
        database.query(&copy).await;
        let [one, other] = [text(&database, &tenants[0]).await, text(&database, &tenants[1]).await];
        let with_tenant = "SELECT table_name::text AS n FROM information_schema.columns
                           WHERE column_name = 'tenant_id' AND table_schema = 'public' ORDER BY 1";
        let tables = database.query(with_tenant).await;
        let tables = tables.iter().map(|row| (row.try_get("", "n").unwrap(), "tenant_id"));
        let tables: Vec<_> = tables.chain([("tenants".to_owned(), "id")]).collect();
        for (table, column) in &tables {
            let owners = format!("SELECT count(DISTINCT {column}) AS n FROM {table}");
            assert_eq!(database.number(&owners).await, 2, "both tenants need rows in {table}");
        }
        Self { database, tables, one, other }
    }

    /// A connection of the service's role with this tenant set.
    async fn service(&self, tenant: &str) -> DatabaseConnection {
        let service = connect(&self.database.service_url()).await;
        set_tenant(&service, tenant).await;
        service
    }

    /// All rows of a table, for comparison.
    async fn content(&self, table: &str) -> String {
        text(&self.database, &format!("SELECT jsonb_agg(t ORDER BY t::text)::text AS n FROM {table} t")).await
    }
}

async fn text(database: &TestDatabase, sql: &str) -> String {
    database.query(sql).await[0].try_get("", "n").unwrap()
}

async fn set_tenant(connection: &DatabaseConnection, tenant: &str) {
    run(connection, &format!("SELECT set_config('app.tenant_id', '{tenant}', false)")).await.unwrap();
}

/// Executes a statement. Returns the number of affected rows.
async fn run(connection: &DatabaseConnection, sql: &str) -> Result<u64, DbErr> {
    Ok(connection.execute_unprepared(sql).await?.rows_affected())
}

/// Asserts that a statement fails for lack of a privilege, with a message like this one.
async fn assert_denied(connection: &DatabaseConnection, sql: &str, message: &str) {
    let error = run(connection, sql).await.expect_err(sql);
    let DbErr::Exec(RuntimeErr::SqlxError(cause)) = error else { panic!("{sql}: {error}") };
    let cause = cause.as_database_error().expect(sql);
    assert_eq!(cause.code().as_deref(), Some("42501"), "{sql}: {cause}");
    assert!(cause.message().contains(message), "{sql}: {cause}");
}

/// The rows of a query, each as JSON.
async fn rows(connection: &DatabaseConnection, sql: &str) -> Vec<Value> {
    let sql = format!("SELECT to_jsonb(q) AS row FROM ({sql}) q");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "row").unwrap()).collect()
}

#[tokio::test]
async fn every_tenant_table_forces_row_level_security() {
    let database = TestDatabase::create(Backend::Servers).await;
    // A table without a `tenant_id` must be a known exception.
    let sql = "SELECT relname::text AS n FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND NOT (relrowsecurity AND relforcerowsecurity)";
    let open: Vec<String> =
        database.query(sql).await.iter().map(|row| row.try_get("", "n").unwrap()).collect();
    assert_eq!(open, ["seaql_migrations"]);
}

#[tokio::test]
async fn the_service_sees_no_row_without_a_tenant() {
    let two = TwoTenants::new().await;
    let service = connect(&two.database.service_url()).await;
    for reset in [false, true] {
        // After a transaction that set a tenant, the setting is an empty string, not NULL.
        if reset {
            set_tenant(&service, "").await;
        }
        for (table, column) in &two.tables {
            assert_eq!(
                rows(&service, &format!("SELECT * FROM {table}")).await,
                Vec::<Value>::new(),
                "{table}"
            );
            for sql in [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")] {
                assert_eq!(run(&service, &sql).await.unwrap(), 0, "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_and_changes_its_own_rows_alone() {
    let two = TwoTenants::new().await;
    let (one, other) = (&two.one, &two.other);
    let service = two.service(other).await;
    for (table, column) in &two.tables {
        let before = two.content(table).await;
        let mine = rows(&service, &format!("SELECT {column} AS tenant FROM {table}")).await;
        assert!(!mine.is_empty() && mine.iter().all(|row| row["tenant"] == **other), "{table}: {mine:?}");
        for sql in [
            format!("UPDATE {table} SET {column} = {column} WHERE {column} = '{one}'"),
            format!("UPDATE {table} SET {column} = '{other}' WHERE {column} = '{one}'"),
            format!("DELETE FROM {table} WHERE {column} = '{one}'"),
        ] {
            assert_eq!(run(&service, &sql).await.unwrap(), 0, "{sql}");
        }
        let violation = "row violates row-level security policy";
        let gift = format!("UPDATE {table} SET {column} = '{one}'");
        assert_denied(&service, &gift, violation).await;
        let copy = format!(r#"(jsonb_populate_record(t, '{{"{column}": "{one}"}}')).*"#);
        assert_denied(&service, &format!("INSERT INTO {table} SELECT {copy} FROM {table} t"), violation)
            .await;
        assert_eq!(two.content(table).await, before, "{table}");
    }
}

/// Foreign-key checks of Postgres bypass row-level security, so the keys themselves include the tenant.
#[tokio::test]
async fn a_row_cannot_point_to_another_tenants_row() {
    let two = TwoTenants::new().await;
    let service = two.service(&two.other).await;
    for (table, column, target) in [
        ("orders", "placed_by", "users"),
        ("order_items", "product_id", "products"),
        ("order_items", "order_id", "orders"),
        ("password_resets", "user_id", "users"),
    ] {
        let theirs = format!("SELECT min(id::text) AS n FROM {target} WHERE tenant_id = '{}'", two.one);
        let theirs = text(&two.database, &theirs).await;
        let sql = format!("UPDATE {table} SET {column} = '{theirs}'");
        let error = run(&service, &sql).await.expect_err(&sql).to_string();
        assert!(error.contains("violates foreign key constraint"), "{sql}: {error}");
    }
}

/// With `FORCE`, the policies apply to the owner too. The exceptions are the policies of the functions that run as
/// the owner: they look up slugs, lease messages and payments, and delete expired idempotency keys and password resets, and delivered
/// messages.
#[tokio::test]
async fn the_owner_sees_without_a_tenant_what_its_functions_need() {
    let two = TwoTenants::new().await;
    let owner = connect(&two.database.owner_url()).await;
    let mut visible = BTreeSet::new();
    for (table, _) in &two.tables {
        if !rows(&owner, &format!("SELECT 1 FROM {table}")).await.is_empty() {
            visible.insert(table.as_str());
        }
    }
    assert_eq!(
        visible,
        BTreeSet::from([
            "idempotency_keys",
            "idempotent_requests",
            "outbox_messages",
            "password_resets",
            "payments",
            "tenants"
        ])
    );
    for sql in [
        "DELETE FROM tenants",
        "DELETE FROM payments",
        "DELETE FROM outbox_messages WHERE delivered_at IS NULL",
    ] {
        assert_eq!(run(&owner, sql).await.unwrap(), 0, "{sql}");
    }
    for sql in [
        "UPDATE tenants SET name = ''",
        "UPDATE idempotent_requests SET body = ''",
        "UPDATE password_resets SET token_hash = ''",
    ] {
        assert_eq!(run(&owner, sql).await.unwrap(), 0, "{sql}");
    }
}

/// Otherwise it is read for each row that a query finds without its tenant.
#[tokio::test]
async fn every_policy_reads_the_tenant_once_for_each_statement() {
    let database = TestDatabase::create(Backend::Servers).await;
    let policies = "SELECT count(*) AS n FROM pg_policies WHERE policyname = 'own_tenant'";
    assert!(database.number(policies).await >= 10);
    let for_each_row = format!("{policies} AND qual NOT LIKE '%( SELECT %'");
    assert_eq!(database.number(&for_each_row).await, 0);
}

#[tokio::test]
async fn the_service_cannot_free_itself() {
    let database = TestDatabase::create(Backend::Servers).await;
    let service = connect(&database.service_url()).await;
    for (sql, message) in [
        ("SET ROLE glasshouse_test_owner", "permission denied to set role"),
        ("SET SESSION AUTHORIZATION glasshouse_test_owner", "permission denied to set session authorization"),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "must be owner"),
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "must be owner"),
        ("DROP POLICY own_tenant ON users", "must be owner"),
        ("CREATE POLICY all_of_it ON users USING (true)", "must be owner"),
        ("CREATE TABLE public.mine (id integer)", "permission denied for schema public"),
        ("CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "permission denied"),
        (
            "CREATE OR REPLACE FUNCTION tenant_id_by_slug(wanted text) RETURNS uuid LANGUAGE sql AS ''",
            "denied",
        ),
        (
            "CREATE TRIGGER spy AFTER INSERT ON users EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "denied",
        ),
        ("TRUNCATE users CASCADE", "permission denied"),
        ("UPDATE seaql_migrations SET version = ''", "permission denied"),
        ("ALTER ROLE glasshouse_test_service BYPASSRLS", ""), // the text differs between versions
        ("COPY users TO PROGRAM 'cat'", "COPY to or from an external program"),
        ("SET row_security = off; SELECT * FROM users", "would be affected by row-level security"),
    ] {
        assert_denied(&service, sql, message).await;
    }
}

#[tokio::test]
async fn the_owner_functions_return_only_what_they_are_for() {
    let two = TwoTenants::new().await;
    let functions = "SELECT proname::text AS name, pg_get_function_result(oid) AS result,
                            proconfig::text AS settings, has_function_privilege('public', oid, 'EXECUTE') AS public
                     FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1";
    let service = connect(&two.database.service_url()).await;
    let found = rows(&service, functions).await;
    let expected = [
        ("count_dead_letters", "bigint"),
        ("delete_delivered_outbox_messages", "TABLE(id uuid)"),
        ("forget_idempotency_keys", "void"),
        ("forget_idempotent_requests", "void"),
        ("forget_password_resets", "void"),
        ("lease_open_payments", "TABLE(id uuid, tenant_id uuid, traceparent character varying)"),
        (
            "lease_outbox_messages",
            "TABLE(id uuid, tenant_id uuid, event jsonb, traceparent character varying, attempts integer)",
        ),
        (
            "list_dead_letters",
            "TABLE(id uuid, tenant_id uuid, kind character varying, attempts integer, \
             created_at timestamp with time zone, dead_lettered_at timestamp with time zone, reason text)",
        ),
        ("open_payments", "TABLE(open bigint, oldest timestamp with time zone)"),
        ("outbox_backlog", "TABLE(pending bigint, oldest timestamp with time zone)"),
        ("requeue_dead_letters", "TABLE(id uuid)"),
        ("tenant_id_by_slug", "uuid"),
    ];
    let results = found.iter().map(|row| (row["name"].as_str().unwrap(), row["result"].as_str().unwrap()));
    assert_eq!(results.collect::<Vec<_>>(), expected);
    for function in &found {
        assert_eq!(function["public"], false, "{function}");
        // With the caller's search path, the caller could substitute tables of its own.
        assert_eq!(function["settings"], r#"{"search_path=public, pg_temp"}"#, "{function}");
    }

    // Nothing is due any more, so nothing is leased; and every text is only a slug.
    for (sql, result) in [
        ("SELECT tenant_id_by_slug('%') AS n", "null"),
        ("SELECT tenant_id_by_slug(''' OR true --') AS n", "null"),
    ] {
        assert_eq!(rows(&service, sql).await[0]["n"].to_string(), result, "{sql}");
    }
    for lease in ["lease_outbox_messages", "lease_open_payments"] {
        let sql = format!("SELECT * FROM {lease}(now() + interval '1 year', now(), 1000)");
        assert_eq!(rows(&service, &sql).await, Vec::<Value>::new(), "{lease}");
    }
    for (table, function) in [
        ("idempotency_keys", "forget_idempotency_keys"),
        ("idempotent_requests", "forget_idempotent_requests"),
        ("password_resets", "forget_password_resets"),
    ] {
        let keys = two.content(table).await;
        run(&service, &format!("SELECT {function}(now() - interval '1 hour')")).await.unwrap();
        assert_eq!(two.content(table).await, keys);
    }
}

#[tokio::test]
async fn startup_rejects_a_role_that_is_exempt_from_row_level_security() {
    let database = TestDatabase::create(Backend::Servers).await;
    for (url, reason) in [
        (database.superuser_url(), "is a superuser or has BYPASSRLS"),
        (database.owner_url(), "owns the tables"),
    ] {
        let why = TestApp::start_error(&database, &[("DATABASE_URL", &url)]).await;
        assert!(why.contains("is exempt from row-level security because it"), "{why}");
        assert!(why.contains(reason) && why.contains("set DATABASE_URL to a login role"), "{why}");
    }
}

#[tokio::test]
async fn startup_rejects_a_database_without_a_schema() {
    let why = TestApp::start_error(&TestDatabase::create_empty().await, &[]).await;
    assert!(why.contains("run `glasshouse migrate` first"), "{why}");
}
