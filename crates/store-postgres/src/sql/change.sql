-- Changes an order: one row, or none if it is in another version, or in another revision where its content
-- stays. What seldom comes with a change is in `rest.sql`; a statement ends with that, or with no more than
-- `SELECT FROM changed`.
WITH changed AS (
    UPDATE orders
    SET version = version + 1, customer = $1::text, email = $2::text, total = $3::bigint,
        metadata = $4::jsonb, revision = $5::bigint, attempt = $6::bigint, state = $7::text,
        paid_by = $8::text, cancel_reason = $9::text, state_at = $10::timestamptz,
        requested_revision = $11::bigint, requested_attempt = $12::bigint, operations = $13::bigint,
        operation = $14::jsonb, updated_at = $15::timestamptz, payer = $16::jsonb
    WHERE id = $17::uuid AND version = $18::bigint AND ($19::boolean OR revision = $5)
    RETURNING id, version
), issued AS (
    INSERT INTO payment_intents AS stored (
        order_id, position, provider_id, revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error, as_of, created_at
    )
    SELECT
        id, ordinality - 1, provider_id, it.revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error::jsonb, as_of, created_at
    FROM changed, unnest(
        $20::text[], $21::bigint[], $22::text[], $23::bigint[], $24::text[], $25::bigint[],
        $26::bigint[], $27::bigint[], $28::bigint[], $29::text[], $30::bigint[], $31::bigint[],
        $32::text[], $33::timestamptz[], $34::timestamptz[]
    ) WITH ORDINALITY AS it (
        provider_id, revision, currency, amount, status, received, capturable, refunded, capture_asked,
        balance_currency, balance_gross, balance_fee, last_error, as_of, created_at, ordinality
    )
    ON CONFLICT (order_id, provider_id) DO UPDATE
    SET status = excluded.status, received = excluded.received, capturable = excluded.capturable,
        amount = excluded.amount, currency = excluded.currency, revision = excluded.revision,
        refunded = excluded.refunded, capture_asked = excluded.capture_asked,
        balance_currency = excluded.balance_currency, balance_gross = excluded.balance_gross,
        balance_fee = excluded.balance_fee, last_error = excluded.last_error, as_of = excluded.as_of
    WHERE (
        stored.status, stored.received, stored.capturable, stored.amount, stored.currency, stored.revision,
        stored.refunded, stored.as_of
    ) <> (
        excluded.status, excluded.received, excluded.capturable, excluded.amount, excluded.currency,
        excluded.revision, excluded.refunded, excluded.as_of
    )
        OR stored.capture_asked IS DISTINCT FROM excluded.capture_asked
        OR stored.balance_gross IS DISTINCT FROM excluded.balance_gross
        OR stored.last_error IS DISTINCT FROM excluded.last_error
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at, cause)
    SELECT id, version, ordinality - 1, kind, payload::jsonb, $35::timestamptz, $36::jsonb
    FROM changed, unnest($37::text[], $38::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
), scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM changed, unnest($39::text[], $40::text[], $41::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
), finished AS (
    DELETE FROM tasks USING changed WHERE tasks.order_id = changed.id AND tasks.key = ANY ($42::text[])
), received AS (
    INSERT INTO webhook_inbox (
        event_id, kind, created_at, received_at, via, headers, news, verdict, error, order_id, due_at
    )
    SELECT
        $43::text, $44::text, $45::timestamptz, $46::timestamptz, $47::text, $48::jsonb,
        $49::jsonb, $50::text, $51::text, $52::uuid, $53::timestamptz
    FROM changed
    WHERE $43 IS NOT NULL
    ON CONFLICT DO NOTHING
)
