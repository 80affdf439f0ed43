-- What the version before epochs was about to do: make an intent, edit one, and make a refund.
CREATE TABLE __diesel_schema_migrations (version TEXT PRIMARY KEY NOT NULL, run_on TIMESTAMP);
INSERT INTO __diesel_schema_migrations (version)
VALUES ('20261121000001'), ('20261121000002'), ('20261121000003');
PRAGMA application_id = 1348565367;

INSERT INTO orders (
    id, number, version, currency, total, capture, metadata, livemode, revision, attempt, state, paid_by, state_at,
    requested_revision, requested_attempt, operations, operation, placed_at, updated_at
) VALUES
(
    X'0195ead7000170008000000000000001', 'ORD-20250331-000001', 2, 'usd', 500, 'automatic', '{}', 0, 1, 1, 'open',
    NULL, NULL, 1, 1, 0, NULL, 1, 1
),
(
    X'0195ead7000270008000000000000002', 'ORD-20250331-000002', 4, 'usd', 500, 'automatic', '{}', 0, 1, 1, 'open',
    NULL, NULL, NULL, NULL, 1,
    '{"number":1,"intent":"pi_2","since":1,"kind":{"name":"edit","content":{"lines":[{"name":"Bone","description":"",
    "sku":null,"unit_amount":{"minor":600,"currency":"usd"},"quantity":1}],"adjustments":[],"email":null,"metadata":{},
    "total":{"minor":600,"currency":"usd"},"revision":2}}}', 1, 1
),
(
    X'0195ead7000370008000000000000003', 'ORD-20250331-000003', 5, 'usd', 500, 'automatic', '{}', 0, 1, 1, 'paid',
    'pi_3', 1, NULL, NULL, 0, NULL, 1, 1
);
INSERT INTO order_lines SELECT id, 0, 'Bone', '', NULL, 500, 1 FROM orders;
INSERT INTO payment_intents (
    order_id, position, id, revision, currency, amount, status, received, capturable, as_of, created_at, refunded
) VALUES
(X'0195ead7000270008000000000000002', 0, 'pi_2', 1, 'usd', 500, 'requires_payment_method', 0, 0, 1, 1, 0),
(X'0195ead7000370008000000000000003', 0, 'pi_3', 1, 'usd', 500, 'succeeded', 500, 0, 1, 1, 200);
INSERT INTO refunds (order_id, number, intent_id, currency, amount, origin, status, attempt, requested_at)
VALUES (X'0195ead7000370008000000000000003', 1, 'pi_3', 'usd', 200, 'shop', 'requested', 1, 1);
INSERT INTO tasks (order_id, key, payload, due_at) VALUES
(
    X'0195ead7000170008000000000000001', 'create_intent:1:1',
    '{"kind":"create_intent","request":{"revision":1,"attempt":1}}', 1
),
(X'0195ead7000270008000000000000002', 'update_intent:1', '{"kind":"update_intent","operation":1}', 1),
(X'0195ead7000370008000000000000003', 'refund:1', '{"kind":"refund","refund":1}', 1);
