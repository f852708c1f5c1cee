CREATE TABLE orders (id uuid_text PRIMARY KEY, tenant_id uuid_text NOT NULL, title text NOT NULL);

CREATE TABLE outbox_messages (
    id uuid_text PRIMARY KEY,
    tenant_id uuid_text NOT NULL,
    kind text NOT NULL,
    event json_text NOT NULL,
    traceparent text,
    attempts integer NOT NULL,
    available_at timestamp_with_timezone_text NOT NULL,
    delivered_at timestamp_with_timezone_text,
    dead_lettered_at timestamp_with_timezone_text,
    dead_letter_reason text,
    created_at timestamp_with_timezone_text NOT NULL
);
