//! Enables row-level security on Postgres: a query sees only the rows of the tenant whose id the transaction set in
//! `app.tenant_id`, and no rows if it set none. SQLite has no row-level security, so nothing changes there.
//!
//! A few queries run before a tenant is known or across tenants, such as the lookup of a slug and the lease of due
//! messages. Each is a `SECURITY DEFINER` function, which runs as the owner and does only that.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::tables::{allow_service, isolate};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TENANT_TABLES: [&str; 7] =
    ["users", "products", "orders", "order_items", "payments", "idempotency_keys", "outbox_messages"];

/// The group role of the service; its login roles are members of it. If the owner may not create roles, a database
/// administrator creates it before the migration.
const SERVICE_ROLE: &str = "
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'glasshouse_service') THEN
        CREATE ROLE glasshouse_service NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- created concurrently: all databases of a server share their roles
END $$;
GRANT SELECT ON seaql_migrations TO glasshouse_service;
";

const FUNCTIONS: &str = "
CREATE FUNCTION tenant_id_by_slug(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT id FROM tenants WHERE slug = wanted $$;

CREATE FUNCTION lease_outbox_messages(due timestamptz, lease_until timestamptz, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, event jsonb, traceparent varchar, attempts integer)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE outbox_messages AS message
    SET available_at = lease_until, attempts = message.attempts + 1
    WHERE message.id IN (
        SELECT candidate.id FROM outbox_messages AS candidate
        WHERE candidate.delivered_at IS NULL AND candidate.available_at <= due
        ORDER BY candidate.available_at LIMIT at_most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING message.id, message.tenant_id, message.event, message.traceparent, message.attempts
$$;

CREATE FUNCTION lease_open_payments(due timestamptz, lease_until timestamptz, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, traceparent varchar)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE payments AS payment
    SET reconcile_at = lease_until
    WHERE payment.id IN (
        SELECT candidate.id FROM payments AS candidate
        WHERE (candidate.state = 'pending'
               OR (candidate.state = 'succeeded' AND candidate.refund_requested_at IS NOT NULL))
          AND candidate.reconcile_at <= due
        ORDER BY candidate.reconcile_at LIMIT at_most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING payment.id, payment.tenant_id, payment.traceparent
$$;

CREATE FUNCTION outbox_backlog() RETURNS TABLE (pending bigint, oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT count(*), min(created_at) FROM outbox_messages WHERE delivered_at IS NULL $$;

CREATE FUNCTION forget_idempotency_keys(older_than timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ DELETE FROM idempotency_keys WHERE created_at < older_than $$;

-- FORCE applies the policies to the owner too. These allow it what the functions above do, and nothing else.
CREATE POLICY slug_lookup ON tenants FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lease_select ON outbox_messages FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lease_update ON outbox_messages FOR UPDATE TO CURRENT_USER USING (true);
CREATE POLICY lease_select ON payments FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lease_update ON payments FOR UPDATE TO CURRENT_USER USING (true);
CREATE POLICY expiry_select ON idempotency_keys FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY expiry_delete ON idempotency_keys FOR DELETE TO CURRENT_USER USING (true);
";

const FUNCTION_SIGNATURES: [&str; 5] = [
    "outbox_backlog()",
    "tenant_id_by_slug(text)",
    "lease_outbox_messages(timestamptz, timestamptz, integer)",
    "lease_open_payments(timestamptz, timestamptz, integer)",
    "forget_idempotency_keys(timestamptz)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let database = manager.get_connection();
        database.execute_unprepared(SERVICE_ROLE).await?;
        isolate(manager, "tenants", "id").await?;
        for table in TENANT_TABLES {
            isolate(manager, table, "tenant_id").await?;
        }
        database.execute_unprepared(FUNCTIONS).await?;
        for function in FUNCTION_SIGNATURES {
            allow_service(manager, function).await?;
        }
        Ok(())
    }
}
