-- Changes an order: one row, or none if it is in another version, or in another revision where its content
-- stays. What seldom comes with a change is in `rest.sql`; a statement ends with that, or with no more than
-- `SELECT FROM changed`.
WITH changed AS (
    UPDATE orders
    SET version = version + 1, customer = $1::text, email = $2::text, total = $3::bigint, metadata = $4::jsonb,
        revision = $5::bigint, attempt = $6::bigint, state = $7::text, paid_by = $8::text,
        cancel_reason = $9::text, state_at = $10::timestamptz, requested_revision = $11::bigint,
        requested_attempt = $12::bigint, updated_at = $13::timestamptz
    WHERE id = $14::uuid AND version = $15::bigint AND ($16::boolean OR revision = $5)
    RETURNING id, version
), issued AS (
    INSERT INTO payment_intents AS stored (
        order_id, position, provider_id, revision, currency, amount, status, received, capturable, last_error,
        as_of, created_at
    )
    SELECT
        id, ordinality - 1, provider_id, it.revision, currency, amount, status, received, capturable,
        last_error::jsonb, as_of, created_at
    FROM changed, unnest(
        $17::text[], $18::bigint[], $19::text[], $20::bigint[], $21::text[], $22::bigint[], $23::bigint[],
        $24::text[], $25::timestamptz[], $26::timestamptz[]
    ) WITH ORDINALITY AS it (
        provider_id, revision, currency, amount, status, received, capturable, last_error, as_of, created_at,
        ordinality
    )
    ON CONFLICT (order_id, provider_id) DO UPDATE
    SET status = excluded.status, received = excluded.received, capturable = excluded.capturable,
        amount = excluded.amount, currency = excluded.currency, last_error = excluded.last_error,
        as_of = excluded.as_of
    WHERE (stored.status, stored.received, stored.capturable, stored.amount, stored.currency, stored.as_of) <> (
        excluded.status, excluded.received, excluded.capturable, excluded.amount, excluded.currency, excluded.as_of
    )
        OR stored.last_error IS DISTINCT FROM excluded.last_error
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at)
    SELECT id, version, ordinality - 1, kind, payload::jsonb, $27::timestamptz
    FROM changed, unnest($28::text[], $29::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
), scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM changed, unnest($30::text[], $31::text[], $32::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
), finished AS (
    DELETE FROM tasks USING changed WHERE tasks.order_id = changed.id AND tasks.key = ANY ($33::text[])
)
