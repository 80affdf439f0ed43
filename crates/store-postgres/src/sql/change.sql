-- Changes an order: returns one row, or none if its version differs, or if its revision differs and the content is
-- not written. Rare parts of a change are in `rest.sql`; a statement ends with those, or with
-- `SELECT FROM changed`.
WITH changed AS (
    UPDATE orders
    SET version = version + 1, customer = $1::text, email = $2::text, total = $3::bigint,
        metadata = $4::jsonb, revision = $5::bigint, attempt = $6::bigint, state = $7::text,
        paid_by = $8::text, cancel_reason = $9::text, state_at = $10::timestamptz,
        requested_revision = $11::bigint, requested_attempt = $12::bigint, requested_epoch = $13::bigint,
        operations = $14::bigint, operation = $15::jsonb, updated_at = $16::timestamptz, payer = $17::jsonb
    WHERE id = $18::uuid AND version = $19::bigint AND ($20::boolean OR revision = $5)
    RETURNING id, version
), issued AS (
    INSERT INTO payment_intents AS stored (
        order_id, position, provider_id, revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error, as_of, created_at, confirmed_at
    )
    SELECT
        id, ordinality - 1, provider_id, it.revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error::jsonb, as_of, created_at,
        confirmed_at
    FROM changed, unnest(
        $21::text[], $22::bigint[], $23::text[], $24::bigint[], $25::text[], $26::bigint[],
        $27::bigint[], $28::bigint[], $29::bigint[], $30::text[], $31::bigint[], $32::bigint[],
        $33::text[], $34::timestamptz[], $35::timestamptz[], $36::timestamptz[]
    ) WITH ORDINALITY AS it (
        provider_id, revision, currency, amount, status, received, capturable, refunded, capture_asked,
        balance_currency, balance_gross, balance_fee, last_error, as_of, created_at, confirmed_at, ordinality
    )
    ON CONFLICT (order_id, provider_id) DO UPDATE
    SET status = excluded.status, received = excluded.received, capturable = excluded.capturable,
        amount = excluded.amount, currency = excluded.currency, revision = excluded.revision,
        refunded = excluded.refunded, capture_asked = excluded.capture_asked,
        balance_currency = excluded.balance_currency, balance_gross = excluded.balance_gross,
        balance_fee = excluded.balance_fee, last_error = excluded.last_error, as_of = excluded.as_of,
        confirmed_at = excluded.confirmed_at
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
        OR stored.confirmed_at IS DISTINCT FROM excluded.confirmed_at
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at, cause)
    SELECT id, version, ordinality - 1, kind, payload::jsonb, $37::timestamptz, $38::jsonb
    FROM changed, unnest($39::text[], $40::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
    RETURNING order_id, version, position, kind
), scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM changed, unnest($41::text[], $42::text[], $43::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
), unpositioned AS (
    INSERT INTO unpositioned_facts (order_id, version, position, kind)
    SELECT order_id, version, position, kind FROM happened WHERE position = ANY ($44::integer[])
), shown AS (
    INSERT INTO order_snapshots (order_id, version, view, personal, livemode)
    SELECT id, version, $45::text, $46::text, $47::boolean FROM changed WHERE $45 IS NOT NULL
), finished AS (
    DELETE FROM tasks USING changed WHERE tasks.order_id = changed.id AND tasks.key = ANY ($48::text[])
), received AS (
    INSERT INTO webhook_inbox (
        event_id, kind, created_at, received_at, via, headers, news, verdict, error, order_id, due_at
    )
    SELECT
        $49::text, $50::text, $51::timestamptz, $52::timestamptz, $53::text, $54::jsonb,
        $55::jsonb, $56::text, $57::text, $58::uuid, $59::timestamptz
    FROM changed
    WHERE $49 IS NOT NULL
    ON CONFLICT DO NOTHING
)
