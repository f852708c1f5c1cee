//! Background work: a dead-letter state and a retention of outbox messages, and the age of open payments.
//!
//! The previous version leases no dead letters either, because the function that it calls is replaced. Its index of
//! undelivered messages stays for it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text_null, timestamp_with_time_zone_null};
use sea_orm_migration::sea_orm::DbBackend;

use crate::tables::allow_service;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: [&str; 3] = [
    "CREATE INDEX outbox_due ON outbox_messages (available_at) \
     WHERE delivered_at IS NULL AND dead_lettered_at IS NULL",
    "CREATE INDEX outbox_dead_letters ON outbox_messages (dead_lettered_at) WHERE dead_lettered_at IS NOT NULL",
    "CREATE INDEX outbox_delivered ON outbox_messages (delivered_at) WHERE delivered_at IS NOT NULL",
];

const FUNCTIONS: &str = "
CREATE OR REPLACE FUNCTION lease_outbox_messages(due timestamptz, lease_until timestamptz, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, event jsonb, traceparent varchar, attempts integer)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE outbox_messages AS message
    SET available_at = lease_until, attempts = message.attempts + 1
    WHERE message.id IN (
        SELECT candidate.id FROM outbox_messages AS candidate
        WHERE candidate.delivered_at IS NULL AND candidate.dead_lettered_at IS NULL
          AND candidate.available_at <= due
        ORDER BY candidate.available_at LIMIT at_most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING message.id, message.tenant_id, message.event, message.traceparent, message.attempts
$$;

CREATE OR REPLACE FUNCTION outbox_backlog() RETURNS TABLE (pending bigint, oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT count(*), min(created_at) FROM outbox_messages
    WHERE delivered_at IS NULL AND dead_lettered_at IS NULL
$$;

CREATE FUNCTION count_dead_letters() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT count(*) FROM outbox_messages WHERE dead_lettered_at IS NOT NULL $$;

CREATE FUNCTION list_dead_letters(at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, kind varchar, attempts integer, created_at timestamptz,
               dead_lettered_at timestamptz, reason text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT id, tenant_id, kind, attempts, created_at, dead_lettered_at, dead_letter_reason
    FROM outbox_messages WHERE dead_lettered_at IS NOT NULL ORDER BY dead_lettered_at LIMIT at_most
$$;

CREATE FUNCTION requeue_dead_letters(message uuid, due timestamptz) RETURNS TABLE (id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE outbox_messages AS dead
    SET dead_lettered_at = NULL, dead_letter_reason = NULL, attempts = 0, available_at = due
    WHERE dead.dead_lettered_at IS NOT NULL AND (message IS NULL OR dead.id = message)
    RETURNING dead.id
$$;

CREATE FUNCTION delete_delivered_outbox_messages(delivered_before timestamptz, at_most integer)
RETURNS TABLE (id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM outbox_messages AS message
    WHERE message.id IN (
        SELECT candidate.id FROM outbox_messages AS candidate
        WHERE candidate.delivered_at < delivered_before
        ORDER BY candidate.delivered_at LIMIT at_most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING message.id
$$;

CREATE FUNCTION open_payments() RETURNS TABLE (open bigint, oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT count(*), min(CASE WHEN state = 'pending' THEN created_at ELSE refund_requested_at END)
    FROM payments
    WHERE state = 'pending' OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)
$$;

-- FORCE applies the policies to the owner too: see m0002_tenant_isolation.
CREATE POLICY retention_delete ON outbox_messages FOR DELETE TO CURRENT_USER USING (delivered_at IS NOT NULL);
";

const FUNCTION_SIGNATURES: [&str; 5] = [
    "count_dead_letters()",
    "list_dead_letters(integer)",
    "requeue_dead_letters(uuid, timestamptz)",
    "delete_delivered_outbox_messages(timestamptz, integer)",
    "open_payments()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column per statement.
        for column in [timestamp_with_time_zone_null("dead_lettered_at"), text_null("dead_letter_reason")] {
            let add = Table::alter().table("outbox_messages").add_column(column).take();
            manager.alter_table(add).await?;
        }
        let database = manager.get_connection();
        for index in INDEXES {
            database.execute_unprepared(index).await?;
        }
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        database.execute_unprepared(FUNCTIONS).await?;
        for function in FUNCTION_SIGNATURES {
            allow_service(manager, function).await?;
        }
        Ok(())
    }
}
