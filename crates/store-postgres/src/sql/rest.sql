-- Continues `change.sql`: refunds, disputes, anomalies, an idempotency record, and the content, which replaces the old.
, given_back AS (
    INSERT INTO refunds (
        order_id, number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure,
        requested_at, epoch, request
    )
    SELECT
        id, number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
        epoch, request
    FROM changed, unnest(
        $60::bigint[], $61::text[], $62::text[], $63::text[], $64::bigint[], $65::text[],
        $66::text[], $67::text[], $68::bigint[], $69::text[], $70::timestamptz[], $71::bigint[], $72::uuid[]
    ) AS it (
        number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
        epoch, request
    )
    ON CONFLICT (order_id, number) DO UPDATE
    SET provider_id = excluded.provider_id, amount = excluded.amount, status = excluded.status,
        attempt = excluded.attempt, failure = excluded.failure
), disputed AS (
    INSERT INTO disputes (
        order_id, position, provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated
    )
    SELECT
        id, ordinality - 1, provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated
    FROM changed, unnest(
        $73::text[], $74::text[], $75::text[], $76::bigint[], $77::text[], $78::text[],
        $79::timestamptz[], $80::boolean[], $81::boolean[]
    ) WITH ORDINALITY AS it (
        provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated, ordinality
    )
    ON CONFLICT (order_id, provider_id) DO UPDATE
    SET amount = excluded.amount, status = excluded.status, due_by = excluded.due_by,
        withdrawn = excluded.withdrawn, reinstated = excluded.reinstated
), misfits AS (
    INSERT INTO anomalies (order_id, position, provider_id, name, payload, policy, reason, found_at)
    SELECT id, ordinality - 1, provider_id, name, payload::jsonb, policy, reason, found_at
    FROM changed, unnest(
        $82::text[], $83::text[], $84::text[], $85::text[], $86::text[], $87::timestamptz[]
    ) WITH ORDINALITY AS it (provider_id, name, payload, policy, reason, found_at, ordinality)
    ON CONFLICT DO NOTHING
), kept AS (
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT $88::uuid, $89::text, $90::bytea, id, $91::text, $37
    FROM changed
    WHERE $89 IS NOT NULL
), edited_lines AS (
    INSERT INTO order_lines (order_id, position, name, description, sku, unit_amount, quantity)
    SELECT id, ordinality - 1, name, description, sku, unit_amount, quantity
    FROM changed, unnest($92::text[], $93::text[], $94::text[], $95::bigint[], $96::bigint[])
        WITH ORDINALITY AS it (name, description, sku, unit_amount, quantity, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET name = excluded.name, description = excluded.description, sku = excluded.sku,
        unit_amount = excluded.unit_amount, quantity = excluded.quantity
), dropped_lines AS (
    DELETE FROM order_lines USING changed
    WHERE order_lines.order_id = changed.id AND position >= cardinality($92)
), edited_adjustments AS (
    INSERT INTO order_adjustments (order_id, position, kind, label, amount)
    SELECT id, ordinality - 1, kind, label, amount
    FROM changed, unnest($97::text[], $98::text[], $99::bigint[])
        WITH ORDINALITY AS it (kind, label, amount, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET kind = excluded.kind, label = excluded.label, amount = excluded.amount
), dropped_adjustments AS (
    DELETE FROM order_adjustments USING changed
    WHERE order_adjustments.order_id = changed.id AND position >= cardinality($97)
)
SELECT FROM changed
