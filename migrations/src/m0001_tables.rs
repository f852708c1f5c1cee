//! The tables. Every row of a tenant carries `tenant_id`, also where a join would tell: row-level security
//! looks at one row alone.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, char_len, integer, json_binary, small_integer_null, string, string_null, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What a partial index cannot express in the schema builder of both databases; the syntax is the same.
const INDEXES: &[&str] = &[
    "CREATE INDEX orders_by_tenant ON orders (tenant_id, id DESC)",
    "CREATE INDEX orders_by_state ON orders (tenant_id, state, id DESC)",
    "CREATE INDEX orders_by_time ON orders (tenant_id, created_at)",
    "CREATE INDEX payments_open ON payments (reconcile_at) \
     WHERE state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)",
    "CREATE INDEX outbox_undelivered ON outbox_messages (available_at) WHERE delivered_at IS NULL",
    "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            tenants(),
            users(),
            products(),
            orders(),
            order_items(),
            payments(),
            idempotency_keys(),
            outbox_messages(),
        ] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

fn tenants() -> TableCreateStatement {
    Table::create()
        .table("tenants")
        .col(uuid("id").primary_key())
        .col(string("slug"))
        .col(string("name"))
        .col(string("plan"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut unique("tenants_slug_unique", &["slug"]))
        .check(one_of("tenants_plan_known", "plan", &["free", "pro", "enterprise"]))
        .take()
}

fn users() -> TableCreateStatement {
    of_tenant("users")
        .col(uuid("id").primary_key())
        .col(string("email"))
        .col(string("password_hash"))
        .col(string("role"))
        .col(boolean("active"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referable("users_of_tenant_unique"))
        .index(&mut unique("users_email_unique", &["tenant_id", "email"]))
        .check(one_of("users_role_known", "role", &["member", "admin", "owner"]))
        .take()
}

fn products() -> TableCreateStatement {
    of_tenant("products")
        .col(uuid("id").primary_key())
        .col(string("sku"))
        .col(string("name"))
        .col(big_integer("price_minor"))
        .col(char_len("currency", 3))
        .col(integer("stock"))
        .col(boolean("archived"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referable("products_of_tenant_unique"))
        .index(&mut unique("products_sku_unique", &["tenant_id", "sku"]))
        .check(("products_price_not_negative", Expr::col("price_minor").gte(0)))
        .check(("products_stock_not_negative", Expr::col("stock").gte(0)))
        .take()
}

fn orders() -> TableCreateStatement {
    let states = ["pending", "paid", "payment_failed", "cancelled", "refunded"];
    of_tenant("orders")
        .col(uuid("id").primary_key())
        .col(uuid("placed_by"))
        .col(string("state"))
        .col(big_integer("total_minor"))
        .col(char_len("currency", 3))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referable("orders_of_tenant_unique"))
        .foreign_key(&mut reference("orders_placed_by_fkey", "orders", "placed_by", "users"))
        .check(one_of("orders_state_known", "state", &states))
        .take()
}

fn order_items() -> TableCreateStatement {
    of_tenant("order_items")
        .col(uuid("order_id"))
        .col(uuid("product_id"))
        .col(string("sku"))
        .col(string("name"))
        .col(big_integer("unit_price_minor"))
        .col(integer("quantity"))
        .primary_key(Index::create().name("order_items_pkey").col("order_id").col("product_id"))
        .foreign_key(&mut reference("order_items_order_fkey", "order_items", "order_id", "orders"))
        .foreign_key(&mut reference("order_items_product_fkey", "order_items", "product_id", "products"))
        .check(("order_items_quantity_positive", Expr::col("quantity").gte(1)))
        .take()
}

fn payments() -> TableCreateStatement {
    of_tenant("payments")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(big_integer("amount_minor"))
        .col(char_len("currency", 3))
        .col(string("state"))
        .col(string_null("decline_reason"))
        .col(timestamp_with_time_zone_null("refund_requested_at"))
        .col(timestamp_with_time_zone("reconcile_at"))
        .col(string_null("traceparent"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut unique("payments_order_unique", &["order_id"]))
        .foreign_key(&mut reference("payments_order_fkey", "payments", "order_id", "orders"))
        .check(one_of("payments_state_known", "state", &["pending", "succeeded", "declined", "refunded"]))
        .take()
}

fn idempotency_keys() -> TableCreateStatement {
    of_tenant("idempotency_keys")
        .col(string("key"))
        .col(string("request_hash"))
        .col(uuid_null("subject_id"))
        .col(small_integer_null("status"))
        .col(text_null("body"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().name("idempotency_keys_pkey").col("tenant_id").col("key"))
        .take()
}

fn outbox_messages() -> TableCreateStatement {
    of_tenant("outbox_messages")
        .col(uuid("id").primary_key())
        .col(string("kind"))
        .col(json_binary("event"))
        .col(string_null("traceparent"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone("available_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .col(timestamp_with_time_zone("created_at"))
        .take()
}

/// A table whose rows belong to a tenant.
fn of_tenant(table: &'static str) -> TableCreateStatement {
    let mut tenant = ForeignKey::create()
        .name(format!("{table}_tenant_fkey"))
        .from(table, "tenant_id")
        .to("tenants", "id")
        .take();
    Table::create().table(table).col(uuid("tenant_id")).foreign_key(&mut tenant).take()
}

/// A reference to a row of the same tenant. Foreign keys are checked past row-level security, so the tenant is
/// part of the key: a row cannot point to another tenant's.
fn reference(
    name: &str,
    from: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from(from, ("tenant_id", column)).to(to, ("tenant_id", "id")).take()
}

/// What [`reference`] points to.
fn referable(name: &str) -> IndexCreateStatement {
    unique(name, &["tenant_id", "id"])
}

fn unique(name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).unique().take();
    for column in columns {
        index.col(*column);
    }
    index
}

fn one_of(name: &'static str, column: &'static str, texts: &[&'static str]) -> (&'static str, Expr) {
    (name, Expr::col(column).is_in(texts.iter().copied()))
}
