-- Run by the owner of the tables. The service logs in as a member of `tenancy_service`.

CREATE TABLE orders (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, title varchar NOT NULL);

CREATE TABLE outbox_messages (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    kind varchar NOT NULL,
    event jsonb NOT NULL,
    traceparent varchar,
    attempts integer NOT NULL,
    available_at timestamptz NOT NULL,
    delivered_at timestamptz,
    dead_lettered_at timestamptz,
    dead_letter_reason varchar,
    created_at timestamptz NOT NULL
);

-- What `isolate` of migrations/src/tables.rs does, for each table of tenants.
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON orders USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO tenancy_service;

ALTER TABLE outbox_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox_messages FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON outbox_messages
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_messages TO tenancy_service;

-- The lease concerns all tenants: a function that runs as the owner, whom the policies below allow this alone.
CREATE FUNCTION lease_outbox_messages(due timestamptz, lease_until timestamptz, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, event jsonb, traceparent varchar, attempts integer)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE outbox_messages AS message
    SET available_at = lease_until, attempts = message.attempts + 1
    WHERE message.id IN (
        SELECT candidate.id FROM outbox_messages AS candidate
        WHERE candidate.delivered_at IS NULL AND candidate.dead_lettered_at IS NULL AND candidate.available_at <= due
        ORDER BY candidate.available_at LIMIT at_most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING message.id, message.tenant_id, message.event, message.traceparent, message.attempts
$$;
REVOKE ALL ON FUNCTION lease_outbox_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lease_outbox_messages TO tenancy_service;
CREATE POLICY lease_select ON outbox_messages FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lease_update ON outbox_messages FOR UPDATE TO CURRENT_USER USING (true);
