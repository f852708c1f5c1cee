-- The rows of GET /v1/orders?limit=20 in a transaction with four round trips, which the service had at commit c7baa42, for a client
-- with a tenant of its own.
\set number :number + 1
\if :number = 1
SELECT tenant, owner,
       orders[1] AS o1, orders[2] AS o2, orders[3] AS o3, orders[4] AS o4, orders[5] AS o5, orders[6] AS o6, orders[7] AS o7,
       orders[8] AS o8, orders[9] AS o9, orders[10] AS o10, orders[11] AS o11, orders[12] AS o12, orders[13] AS o13,
       orders[14] AS o14, orders[15] AS o15, orders[16] AS o16, orders[17] AS o17, orders[18] AS o18, orders[19] AS o19,
       orders[20] AS o20
FROM bench.clients WHERE client = :client_id \gset
\endif
\startpipeline
BEGIN;
CALL begin_scope('5000', '3000', 'glasshouse/3177e00dcde34225d0f2dcf8cc2b884a', NULL, :owner, :tenant, NULL, NULL, NULL);
\endpipeline
SELECT "orders"."id", "orders"."tenant_id", "orders"."placed_by", "orders"."state", "orders"."total_minor", "orders"."currency", "orders"."created_at" FROM "orders" WHERE "orders"."tenant_id" = :tenant ORDER BY "orders"."id" DESC LIMIT 21;
SELECT "order_items"."order_id", "order_items"."product_id", "order_items"."tenant_id", "order_items"."sku", "order_items"."name", "order_items"."unit_price_minor", "order_items"."quantity" FROM "order_items" WHERE "order_items"."tenant_id" = :tenant AND "order_items"."order_id" IN (:o1, :o2, :o3, :o4, :o5, :o6, :o7, :o8, :o9, :o10, :o11, :o12, :o13, :o14, :o15, :o16, :o17, :o18, :o19, :o20) ORDER BY "order_items"."product_id" ASC;
COMMIT;
