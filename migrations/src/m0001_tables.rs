//! Creates the tables and their indexes.
//!
//! Each row of a tenant has a `tenant_id`, even where a join would yield it: a policy of row-level security sees a
//! single row.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, char_len, integer, json_binary, small_integer_null, string, string_null, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::tables::{one_of, referenced_key, tenant_foreign_key, tenant_table, unique};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The indexes, as SQL that both Postgres and SQLite accept. The schema builder cannot express partial indexes for both.
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
    tenant_table("users")
        .col(uuid("id").primary_key())
        .col(string("email"))
        .col(string("password_hash"))
        .col(string("role"))
        .col(boolean("active"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referenced_key("users_of_tenant_unique"))
        .index(&mut unique("users_email_unique", &["tenant_id", "email"]))
        .check(one_of("users_role_known", "role", &["member", "admin", "owner"]))
        .take()
}

fn products() -> TableCreateStatement {
    tenant_table("products")
        .col(uuid("id").primary_key())
        .col(string("sku"))
        .col(string("name"))
        .col(big_integer("price_minor"))
        .col(char_len("currency", 3))
        .col(integer("stock"))
        .col(boolean("archived"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referenced_key("products_of_tenant_unique"))
        .index(&mut unique("products_sku_unique", &["tenant_id", "sku"]))
        .check(("products_price_not_negative", Expr::col("price_minor").gte(0)))
        .check(("products_stock_not_negative", Expr::col("stock").gte(0)))
        .take()
}

fn orders() -> TableCreateStatement {
    let states = ["pending", "paid", "payment_failed", "cancelled", "refunded"];
    tenant_table("orders")
        .col(uuid("id").primary_key())
        .col(uuid("placed_by"))
        .col(string("state"))
        .col(big_integer("total_minor"))
        .col(char_len("currency", 3))
        .col(timestamp_with_time_zone("created_at"))
        .index(&mut referenced_key("orders_of_tenant_unique"))
        .foreign_key(&mut tenant_foreign_key("orders_placed_by_fkey", "orders", "placed_by", "users"))
        .check(one_of("orders_state_known", "state", &states))
        .take()
}

fn order_items() -> TableCreateStatement {
    tenant_table("order_items")
        .col(uuid("order_id"))
        .col(uuid("product_id"))
        .col(string("sku"))
        .col(string("name"))
        .col(big_integer("unit_price_minor"))
        .col(integer("quantity"))
        .primary_key(Index::create().name("order_items_pkey").col("order_id").col("product_id"))
        .foreign_key(&mut tenant_foreign_key("order_items_order_fkey", "order_items", "order_id", "orders"))
        .foreign_key(&mut tenant_foreign_key(
            "order_items_product_fkey",
            "order_items",
            "product_id",
            "products",
        ))
        .check(("order_items_quantity_positive", Expr::col("quantity").gte(1)))
        .take()
}

fn payments() -> TableCreateStatement {
    tenant_table("payments")
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
        .foreign_key(&mut tenant_foreign_key("payments_order_fkey", "payments", "order_id", "orders"))
        .check(one_of("payments_state_known", "state", &["pending", "succeeded", "declined", "refunded"]))
        .take()
}

fn idempotency_keys() -> TableCreateStatement {
    tenant_table("idempotency_keys")
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
    tenant_table("outbox_messages")
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
