-- Places an order: returns one row, or none if the idempotency key is taken, or belongs to a lost order. A taken id or
-- number is an error, which rolls back the statement.
WITH kept AS (
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT $1::uuid, $2::text, $3::bytea, $4::uuid, $5::text, $6::timestamptz
    WHERE $2 IS NOT NULL
        AND NOT EXISTS (SELECT FROM lost_orders WHERE tail = substring(uuid_send($4::uuid) FROM 7))
    ON CONFLICT DO NOTHING
    RETURNING order_id
), placed AS (
    INSERT INTO orders (
        id, version, number, currency, capture, livemode, placed_at, customer, email, total, metadata, revision,
        attempt, state, paid_by, cancel_reason, state_at, requested_revision, requested_attempt,
        requested_epoch, operations, operation, updated_at, payer
    )
    SELECT
        $4, 1, $7::text, $8::text, $9::text, $10::boolean, $11::timestamptz,
        $12::text, $13::text, $14::bigint, $15::jsonb, $16::bigint, $17::bigint,
        $18::text, $19::text, $20::text, $21::timestamptz, $22::bigint, $23::bigint,
        $24::bigint, $25::bigint, $26::jsonb, $27::timestamptz, $28::jsonb
    WHERE $2 IS NULL OR EXISTS (SELECT FROM kept)
    RETURNING id
), content_lines AS (
    INSERT INTO order_lines (order_id, position, name, description, sku, unit_amount, quantity)
    SELECT id, ordinality - 1, name, description, sku, unit_amount, quantity
    FROM placed, unnest($29::text[], $30::text[], $31::text[], $32::bigint[], $33::bigint[])
        WITH ORDINALITY AS it (name, description, sku, unit_amount, quantity, ordinality)
), content_adjustments AS (
    INSERT INTO order_adjustments (order_id, position, kind, label, amount)
    SELECT id, ordinality - 1, kind, label, amount
    FROM placed, unnest($34::text[], $35::text[], $36::bigint[])
        WITH ORDINALITY AS it (kind, label, amount, ordinality)
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at, cause)
    SELECT id, 1, ordinality - 1, kind, payload::jsonb, $6, $37::jsonb
    FROM placed, unnest($38::text[], $39::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
    RETURNING order_id, version, position, kind
), scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM placed, unnest($40::text[], $41::text[], $42::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
), unpositioned AS (
    INSERT INTO unpositioned_facts (order_id, version, position, kind)
    SELECT order_id, version, position, kind FROM happened WHERE position = ANY ($43::integer[])
), shown AS (
    INSERT INTO order_snapshots (order_id, version, view, personal, livemode)
    SELECT id, 1, $44::text, $45::text, $46::boolean FROM placed WHERE $44 IS NOT NULL
)
SELECT FROM placed
