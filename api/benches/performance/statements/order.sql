-- The statements of POST /v1/orders with two products in 14 round trips, which the service had at commit c7baa42, for a client with a
-- tenant of its own. As with UUIDs of version 7, ids rise with time.
\set number :number + 1
\set id :number * 32 + :client_id
\if :number = 1
SELECT tenant, owner, product_1, product_2 FROM bench.clients WHERE client = :client_id \gset
\endif
\startpipeline
BEGIN;
SELECT set_config('application_name', 'glasshouse/3177e00dcde34225d0f2dcf8cc2b884a', true), set_config('app.tenant_id', :tenant::text, true) AS tenant;
\endpipeline
INSERT INTO idempotent_requests (tenant_id, user_id, key, request_hash, subject_id, created_at) SELECT :tenant::uuid, :owner::uuid, :ids || :id::text, '720e25464a24b5b317d43d7465e1b3ee66ec18887ecf147aa5966529532628c3', (:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, now() WHERE NOT EXISTS (SELECT 1 FROM idempotency_keys WHERE tenant_id = :tenant::uuid AND key = :ids || :id::text AND request_hash = '720e25464a24b5b317d43d7465e1b3ee66ec18887ecf147aa5966529532628c3') ON CONFLICT (tenant_id, user_id, key) DO NOTHING RETURNING key;
UPDATE "products" SET "stock" = "stock" + CAST((CASE WHEN ("id" = :product_1) THEN -1 WHEN ("id" = :product_2) THEN -1 ELSE 0 END) AS integer) WHERE "products"."tenant_id" = :tenant AND "products"."id" IN (SELECT "products"."id" FROM "products" WHERE "products"."tenant_id" = :tenant AND "products"."id" IN (:product_1, :product_2) AND "products"."archived" = false ORDER BY "products"."id" ASC FOR UPDATE) AND "stock" + CAST((CASE WHEN ("id" = :product_1) THEN -1 WHEN ("id" = :product_2) THEN -1 ELSE 0 END) AS integer) >= 0 RETURNING "id", "tenant_id", "sku", "name", "price_minor", "currency", "stock", "archived", "version", "created_at", "received";
INSERT INTO "orders" ("id", "tenant_id", "placed_by", "state", "total_minor", "currency", "created_at") VALUES ((:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, :tenant, :owner, 'pending', 750, 'USD', now());
INSERT INTO "order_items" ("order_id", "product_id", "tenant_id", "sku", "name", "unit_price_minor", "quantity") VALUES ((:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, :product_1::uuid, :tenant::uuid, 'SEED-1', 'Product 1', 250, 1), ((:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, :product_2::uuid, :tenant::uuid, 'SEED-2', 'Product 2', 500, 1);
INSERT INTO "payments" ("id", "tenant_id", "order_id", "amount_minor", "currency", "state", "decline_reason", "refund_requested_at", "reconcile_at", "traceparent", "created_at") VALUES ((:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, :tenant, (:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, 750, 'USD', 'pending', NULL, NULL, now() + interval '30 seconds', '00-299d8c56ddae9b3a427bbd0820fa1410-cdbf1093f19c5ff6-00', now());
COMMIT;
\startpipeline
BEGIN;
SELECT set_config('application_name', 'glasshouse/3177e00dcde34225d0f2dcf8cc2b884a', true), set_config('app.tenant_id', :tenant::text, true) AS tenant;
\endpipeline
SELECT "payments"."id" AS "A_id", "payments"."tenant_id" AS "A_tenant_id", "payments"."order_id" AS "A_order_id", "payments"."amount_minor" AS "A_amount_minor", "payments"."currency" AS "A_currency", "payments"."state" AS "A_state", "payments"."decline_reason" AS "A_decline_reason", "payments"."refund_requested_at" AS "A_refund_requested_at", "payments"."reconcile_at" AS "A_reconcile_at", "payments"."traceparent" AS "A_traceparent", "payments"."created_at" AS "A_created_at", "orders"."id" AS "B_id", "orders"."tenant_id" AS "B_tenant_id", "orders"."placed_by" AS "B_placed_by", "orders"."state" AS "B_state", "orders"."total_minor" AS "B_total_minor", "orders"."currency" AS "B_currency", "orders"."created_at" AS "B_created_at" FROM "payments" INNER JOIN "orders" ON "payments"."order_id" = "orders"."id" WHERE "payments"."tenant_id" = :tenant AND "orders"."tenant_id" = :tenant AND "payments"."id" = (:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid LIMIT 1 FOR UPDATE;
UPDATE "payments" SET "state" = 'succeeded' WHERE "payments"."tenant_id" = :tenant AND "payments"."id" = (:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid;
UPDATE "orders" SET "state" = 'paid' WHERE "orders"."tenant_id" = :tenant AND "orders"."id" = (:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid;
INSERT INTO "outbox_messages" ("id", "tenant_id", "kind", "event", "traceparent", "attempts", "available_at", "delivered_at", "dead_lettered_at", "dead_letter_reason", "created_at") VALUES ((:ids || lpad(to_hex(:id::bigint), 12, '0'))::uuid, :tenant, 'order_paid', ('{"kind": "order_paid", "order": "' || :ids || lpad(to_hex(:id::bigint), 12, '0') || '"}')::jsonb, '00-299d8c56ddae9b3a427bbd0820fa1410-dbc7865816409071-00', 0, now(), NULL, NULL, NULL, now());
UPDATE "idempotent_requests" SET "status" = 201, "body" = '{"id":"01a219a2-ef58-7021-96e4-0f6bf5da7691","status":"paid","placed_by":"01a219a2-ece5-71db-9c49-1faea5671c47","items":[{"product_id":"01a219a2-ed0d-7532-9a2c-cd70b46a16ad","sku":"SEED-1","name":"Product 1","quantity":1,"unit_price_minor":250},{"product_id":"01a219a2-ed0e-72a3-9895-2bed54ddaba3","sku":"SEED-2","name":"Product 2","quantity":1,"unit_price_minor":500}],"total_minor":750,"currency":"USD","created_at":"2026-11-26T20:53:58.232653Z"}' WHERE "idempotent_requests"."tenant_id" = :tenant AND "idempotent_requests"."user_id" = :owner AND "idempotent_requests"."key" = :ids || :id::text;
COMMIT;
