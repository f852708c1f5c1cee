//! What clients get for the errors of Postgres, by SQLSTATE: a transaction that was rolled back in favor of another one is
//! repeated, a temporary failure is a 503, and a defect a 500.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;

use crate::support::{Backend, Client, NO_WORKER, Scrape, TestApp, connect, eventually, key, new_slug};

/// Makes writes to a table of a tenant fail as `raised` says. A sequence counts them, because it is not rolled back.
const TRIGGERS: &str = "
    CREATE SEQUENCE attempts;
    CREATE TABLE raised (relation text, sqlstate text, times bigint);
    CREATE FUNCTION raise_error() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE wanted record;
    BEGIN
        SELECT * INTO wanted FROM public.raised WHERE relation = TG_TABLE_NAME;
        IF FOUND AND nextval('public.attempts') <= wanted.times THEN
            IF wanted.sqlstate = 'terminate' THEN
                PERFORM pg_terminate_backend(pg_backend_pid());
                PERFORM pg_sleep(60);
            END IF;
            RAISE EXCEPTION 'raised by a test' USING ERRCODE = wanted.sqlstate;
        END IF;
        RETURN NEW;
    END $$;
    DO $$ DECLARE tenant_table text; BEGIN
        FOR tenant_table IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity LOOP
            EXECUTE format('CREATE TRIGGER raised BEFORE INSERT OR UPDATE ON %I
                            FOR EACH ROW EXECUTE FUNCTION raise_error()', tenant_table);
        END LOOP;
    END $$;";

/// A shop whose database raises errors on request.
struct Shop {
    app: TestApp,
    owner: Client,
    product: String,
    superuser: DatabaseConnection,
}

impl Shop {
    async fn open() -> Self {
        let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
        let owner = app.new_tenant().await;
        let product = owner.add_product(1000).await;
        let superuser = connect(&app.database.superuser_url()).await;
        superuser.execute_unprepared(TRIGGERS).await.unwrap();
        Self { app, owner, product, superuser }
    }

    /// Lets the next writes to a table fail with this SQLSTATE.
    async fn raise(&self, table: &str, sqlstate: &str, times: u32) {
        let sql = format!(
            "TRUNCATE raised; ALTER SEQUENCE attempts RESTART; INSERT INTO raised VALUES ('{table}', '{sqlstate}', {times})"
        );
        self.superuser.execute_unprepared(&sql).await.unwrap();
    }

    /// How often the table was written to since.
    async fn attempts(&self) -> i64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM attempts";
        self.app.database.number(sql).await
    }

    async fn repetitions(&self) -> f64 {
        Scrape::of(&self.app.management()).await.sum("database_transactions_repeated_total", "")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_rolled_back_is_repeated_twice_at_most() {
    let shop = Shop::open().await;
    let (mut repetitions, mut orders) = (0.0, 0);
    for sqlstate in ["40001", "40P01", "25006"] {
        for failures in [1, 2] {
            shop.raise("orders", sqlstate, failures).await;
            let order = shop.owner.order(&shop.product, 1).await.expect(201);
            assert_eq!(order["status"], "paid", "{sqlstate}");
            // The settlement updates the order once more.
            assert_eq!(shop.attempts().await, i64::from(failures) + 2, "{sqlstate}");
            repetitions += f64::from(failures);
            orders += 1;
            assert_eq!(shop.repetitions().await, repetitions);
        }
        shop.raise("orders", sqlstate, 1000).await;
        shop.owner.order(&shop.product, 1).await.expect_problem(503, "storage_unavailable");
        assert_eq!(shop.attempts().await, 3, "{sqlstate}");
        repetitions += 2.0;
    }
    assert_eq!(shop.owner.stock(&shop.product).await, 1000 - orders);
    assert_eq!(shop.app.charges_at_gateway().await, orders);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_a_client_is_repeated() {
    let shop = Shop::open().await;
    let owner = &shop.owner;
    let repeated = async |table: &str| assert!(shop.attempts().await >= 2, "{table}");

    shop.raise("products", "40001", 1).await;
    let product = owner.add_product(1000).await;
    repeated("products, by an insertion").await;
    shop.raise("products", "40P01", 1).await;
    owner.move_stock(&product, 5, &key()).await.expect(200);
    repeated("products, by a movement of stock").await;
    shop.raise("payments", "40001", 1).await;
    let order = owner.order(&product, 1).await.expect(201);
    repeated("payments, by an order").await;
    let payment = owner.payment(&order["id"]).await;
    shop.raise("payments", "40P01", 1).await;
    owner.refund(&payment["id"], &key()).await.expect(200);
    repeated("payments, by a refund").await;
    shop.raise("outbox_messages", "40001", 1).await;
    owner.order(&product, 1).await.expect(201);
    repeated("outbox_messages, by a settlement").await;
    shop.raise("users", "40001", 1).await;
    let user = json!({ "email": "ada@shop.example", "password": "correct horse battery", "role": "member" });
    owner.post("/v1/users", user).await.expect(201);
    repeated("users").await;
    shop.raise("tenants", "40001", 1).await;
    shop.app.sign_up(&new_slug(), "free").await;
    repeated("tenants").await;
    assert_eq!(shop.app.charges_at_gateway().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sqlstate_decides_between_a_temporary_failure_and_a_defect() {
    let shop = Shop::open().await;
    for sqlstate in [
        "08000",
        "08006",
        "08P01",
        "25P03",
        "26000",
        "40000",
        "40003",
        "53000",
        "53100",
        "53200",
        "53300",
        "53400",
        "55006",
        "55P03",
        "57014",
        "57P01",
        "57P02",
        "57P03",
        "57P05",
        "58030",
        "terminate",
    ] {
        shop.raise("orders", sqlstate, 1).await;
        let response = shop.owner.order(&shop.product, 1).await;
        assert_eq!(response.header("retry-after"), "1", "{sqlstate}: {response:?}");
        response.expect_problem(503, "storage_unavailable");
        assert_eq!(shop.attempts().await, 1, "{sqlstate}");
        // The connection, or the one that replaces it, works.
        shop.owner.order(&shop.product, 1).await.expect(201);
    }
    for sqlstate in ["22012", "23503", "23514", "42501", "42703", "54000", "55000", "P0001", "XX000", "XX001"]
    {
        shop.raise("orders", sqlstate, 1).await;
        let response = shop.owner.order(&shop.product, 1).await;
        response.expect_problem(500, "internal_server_error");
        assert_eq!(shop.attempts().await, 1, "{sqlstate}");
        shop.owner.order(&shop.product, 1).await.expect(201);
    }
    assert_eq!(shop.owner.stock(&shop.product).await, 1000 - 31);
}

/// As after a failover, when the connections lead to a server that has become a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_read_only_server_are_replaced_when_it_accepts_writes_elsewhere() {
    let shop = Shop::open().await;
    let database = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$";
    let alter = async |change: &str| {
        shop.superuser.execute_unprepared(&database.replace("{}", change)).await.unwrap();
    };
    alter("SET default_transaction_read_only = on").await;
    let terminated = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) AS n FROM pg_stat_activity \
                      WHERE datname = current_database() AND usename = 'glasshouse_test_service'";
    assert!(shop.app.database.number(terminated).await > 0);
    for _ in 0..10 {
        shop.owner.order(&shop.product, 1).await.expect_problem(503, "storage_unavailable");
        shop.owner.get("/v1/orders").await.expect(200);
    }
    shop.app.management().get("/health/ready").await.expect(200);
    // Sessions keep the setting with which they began.
    alter("RESET default_transaction_read_only").await;
    eventually("orders are placed, without a restart", async || {
        (shop.owner.order(&shop.product, 1).await.status == 201).then_some(())
    })
    .await;
    for _ in 0..10 {
        shop.owner.order(&shop.product, 1).await.expect(201);
    }
}
