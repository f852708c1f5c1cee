//! A database with the data of many tenants, and the users who send requests.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use sea_orm::{ConnectOptions, ConnectionTrait, FromQueryResult, Statement};
use serde_json::json;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::load::{Requests, request};
use crate::postgres::{SERVICE, TemporaryDatabase, execute};
use crate::process::{JWT_SECRET, Process, Settings, cpu_seconds_of_tree, parent};
use crate::runtime::block_on;

/// A login role that row-level security does not bind.
const UNRESTRICTED: &str = "glasshouse_bench_unrestricted";

/// The pause between two looks at the sessions of the database.
const POLL: Duration = Duration::from_millis(10);

/// The table with the users who send requests, for [`pgbench`](crate::pgbench) too: each with two products and the last 20
/// orders of their tenant. It is in a schema of its own, as the audit demands row-level security of all tables of the service.
const CLIENTS: &str = "
    CREATE TABLE bench.clients AS
    SELECT row_number() OVER (ORDER BY users.tenant_id) - 1 AS client, users.tenant_id AS tenant, tenants.slug, users.id AS owner,
           products.ids[1] AS product_1, products.ids[2] AS product_2, orders.ids AS orders
    FROM users JOIN tenants ON tenants.id = users.tenant_id,
    LATERAL (SELECT array_agg(id ORDER BY id) AS ids FROM products WHERE tenant_id = users.tenant_id) AS products,
    LATERAL (SELECT array_agg(id) AS ids FROM (
        SELECT id FROM orders WHERE tenant_id = users.tenant_id ORDER BY id DESC LIMIT 20) AS last) AS orders";

/// The database of a shop.
pub(crate) struct Shop {
    database: TemporaryDatabase,
    /// The process id of the server.
    postmaster: u32,
    /// The owners of the tenants.
    pub(crate) customers: Vec<Customer>,
}

/// A user who sends requests.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Customer {
    tenant: Uuid,
    slug: String,
    owner: Uuid,
    product_1: Option<Uuid>,
    product_2: Option<Uuid>,
}

/// The number of rows in a database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) tenants: usize,
    pub(crate) orders: usize,
}

impl Shop {
    /// Creates a database of this size.
    pub(crate) fn create(size: Size) -> Self {
        Self::fill(|settings| {
            let (tenants, orders) = (size.tenants.to_string(), size.orders.to_string());
            assert!(Process::run(&["seed", "--tenants", &tenants, "--orders", &orders], settings));
            Vec::new()
        })
    }

    /// Creates a database with tenants that have an owner and nothing else.
    pub(crate) fn create_empty_tenants(tenants: usize) -> Self {
        let id = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid";
        Self::fill(|_| {
            vec![
                format!(
                    "INSERT INTO tenants (id, slug, name, plan, created_at) \
                     SELECT {id}, 'tenant-' || n, 'Tenant', 'free', now() FROM generate_series(1, {tenants}) AS n"
                ),
                format!(
                    "INSERT INTO users (id, tenant_id, email, password_hash, role, active, version, created_at) \
                     SELECT {id}, {id}, 'owner@tenant.example', '', 'owner', true, 1, now() \
                     FROM generate_series(1, {tenants}) AS n"
                ),
            ]
        })
    }

    /// Creates a database with the current schema, and fills it with the statements that `content` returns.
    fn fill(content: impl FnOnce(&Settings) -> Vec<String>) -> Self {
        let database = block_on(TemporaryDatabase::create());
        let database = database.expect("TEST_DATABASE_URL and TEST_REDIS_URL name a Postgres and a Redis");
        let settings = database.settings();
        assert!(Process::run(&["migrate"], &settings));
        let role = format!(
            "DO $$ BEGIN CREATE ROLE {UNRESTRICTED} LOGIN PASSWORD 'bench' BYPASSRLS; \
             EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        );
        let mut statements = content(&settings);
        let grants = [
            format!("GRANT USAGE ON SCHEMA bench TO {SERVICE}, {UNRESTRICTED}"),
            format!("GRANT SELECT ON bench.clients TO {SERVICE}, {UNRESTRICTED}"),
            format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {UNRESTRICTED}"),
            format!("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {UNRESTRICTED}"),
        ];
        statements.extend(["CREATE SCHEMA bench".to_owned(), CLIENTS.to_owned(), role]);
        statements.extend(grants.into_iter().chain(["VACUUM ANALYZE".to_owned()]));
        let superuser = superuser_url(&database);
        let (customers, postmaster) = block_on(async {
            execute(&superuser, &statements).await;
            let query = "SELECT tenant, slug, owner, product_1, product_2 FROM bench.clients ORDER BY client";
            let customers = rows::<Customer>(superuser.as_str(), query).await;
            let backend = rows::<Backend>(superuser.as_str(), "SELECT pg_backend_pid() AS pid").await;
            (customers, backend.first().map(|backend| backend.parent).unwrap())
        });
        Self { database, postmaster, customers }
    }

    /// The settings of processes that use the database.
    pub(crate) fn settings(&self) -> Settings {
        self.database.settings()
    }

    /// The URL of the database for the service.
    pub(crate) fn url(&self) -> String {
        self.database.url(SERVICE)
    }

    /// The URL of the database for a role that row-level security does not bind.
    pub(crate) fn unrestricted_url(&self) -> String {
        self.database.url(UNRESTRICTED)
    }

    /// How often a table of orders was read from its beginning to its end.
    pub(crate) fn sequential_scans(&self) -> i64 {
        self.number(
            "SELECT sum(seq_scan)::bigint AS number FROM pg_stat_user_tables WHERE relname LIKE 'order%'",
        )
    }

    /// Whether the audit finds the books clean.
    pub(crate) fn passes_audit(&self) -> bool {
        Process::run(&["audit"], &self.settings())
    }

    /// The size of the tables that an order adds rows to, with their indexes, in bytes for each order.
    pub(crate) fn bytes_of_an_order(&self) -> i64 {
        let tables = ["orders", "order_items", "payments", "outbox_messages", "idempotent_requests"];
        let sizes = tables.map(|table| format!("pg_total_relation_size('{table}')")).join(" + ");
        self.number(&format!("SELECT (({sizes}) / (SELECT count(*) FROM orders))::bigint AS number"))
    }

    /// Removes dead rows, and writes all that waits to disk.
    pub(crate) fn vacuum(&self) {
        let statements = ["VACUUM ANALYZE", "CHECKPOINT"].map(str::to_owned);
        block_on(execute(&superuser_url(&self.database), &statements));
    }

    /// Waits until no session of a program is left: the CPU time of one that ends is for a moment that of no process.
    pub(crate) fn wait_for_the_end_of(&self, program: &str) {
        let sessions =
            format!("SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = '{program}'");
        while self.number(&sessions) > 0 {
            std::thread::sleep(POLL);
        }
    }

    fn number(&self, query: &str) -> i64 {
        block_on(rows::<Number>(superuser_url(&self.database).as_str(), query))[0].number
    }

    /// The CPU time that Postgres has used, in seconds.
    pub(crate) fn postgres_seconds(&self) -> f64 {
        cpu_seconds_of_tree(self.postmaster)
    }

    /// Lists of 20 orders, for the first `tenants` tenants in turn.
    pub(crate) fn lists(&self, tenants: usize) -> Requests {
        self.gets("/v1/orders?limit=20", tenants)
    }

    /// Requests of a path, for the first `tenants` tenants in turn.
    pub(crate) fn gets(&self, path: &str, tenants: usize) -> Requests {
        let line = format!("GET {path}");
        let customers = self.customers.iter().take(tenants);
        let requests: Vec<_> =
            customers.map(|customer| request(&line, Some(&customer.token()), "none", "")).collect();
        Rc::new(move |number| requests[number % requests.len()].clone())
    }

    /// Reports of the revenue of the last 31 days, for the first `tenants` tenants in turn.
    pub(crate) fn reports(&self, tenants: usize) -> Requests {
        let to = OffsetDateTime::now_utc().date();
        let from = to - time::Duration::days(30);
        self.gets(&format!("/v1/reports/revenue?from={from}&to={to}"), tenants)
    }

    /// Logins of the owners of all tenants in turn.
    pub(crate) fn logins(&self) -> Requests {
        let logins: Vec<_> = self.customers.iter().map(Customer::login).collect();
        Rc::new(move |number| request("POST /v1/auth/login", None, "none", &logins[number % logins.len()]))
    }

    /// Orders of two products, for the first `tenants` tenants in turn.
    pub(crate) fn orders(&self, tenants: usize) -> Requests {
        let customers = self.customers.iter().take(tenants);
        let customers: Vec<_> = customers.map(|customer| (customer.token(), customer.order())).collect();
        let (run, sent) = (Uuid::now_v7().simple(), Cell::new(0));
        Rc::new(move |number| {
            let (token, order) = &customers[number % customers.len()];
            // The numbers begin again with each load, and an order with an earlier key would get the earlier response.
            let key = format!("{run}-{}", sent.replace(sent.get() + 1));
            request("POST /v1/orders", Some(token), &key, order)
        })
    }
}

impl Customer {
    /// An access token of the user.
    fn token(&self) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let claims = json!({
            "sub": self.owner, "tenant": self.tenant, "sessions": 0,
            "iss": "glasshouse", "aud": "glasshouse-api", "iat": now, "exp": now + 24 * 3600,
        });
        let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    }

    /// The credentials that `seed` gives the owner of a tenant.
    fn login(&self) -> String {
        let email = format!("owner@{}.example", self.slug);
        json!({ "tenant": self.slug, "email": email, "password": "demo-password" }).to_string()
    }

    fn order(&self) -> String {
        let items =
            [self.product_1, self.product_2].map(|product| json!({ "product_id": product, "quantity": 1 }));
        json!({ "items": items }).to_string()
    }
}

/// The result of a query.
#[derive(FromQueryResult)]
struct Number {
    number: i64,
}

/// A process of Postgres.
struct Backend {
    parent: u32,
}

impl FromQueryResult for Backend {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        // The process exists while its connection does.
        let pid: i32 = row.try_get(prefix, "pid")?;
        Ok(Self { parent: parent(pid.unsigned_abs()) })
    }
}

/// The URL of a database for the superuser of the server.
fn superuser_url(database: &TemporaryDatabase) -> Url {
    let mut superuser = database.superuser.clone();
    superuser.set_path(&database.name);
    superuser
}

async fn rows<T: FromQueryResult>(url: &str, query: &str) -> Vec<T> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = sea_orm::Database::connect(options).await.unwrap();
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let rows = rows.iter().map(|row| T::from_query_result(row, "").unwrap()).collect();
    connection.close().await.unwrap();
    rows
}
