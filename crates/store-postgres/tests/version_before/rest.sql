-- Goes on after `change.sql`: anomalies, an idempotency record, and the content, written over the old.
, misfits AS (
    INSERT INTO anomalies (order_id, position, provider_id, name, payload, found_at)
    SELECT id, ordinality - 1, provider_id, name, payload::jsonb, found_at
    FROM changed, unnest($34::text[], $35::text[], $36::text[], $37::timestamptz[])
        WITH ORDINALITY AS it (provider_id, name, payload, found_at, ordinality)
    ON CONFLICT DO NOTHING
), kept AS (
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT $38::uuid, $39::text, $40::bytea, id, $41::text, $27
    FROM changed
    WHERE $39 IS NOT NULL
), edited_lines AS (
    INSERT INTO order_lines (order_id, position, name, description, sku, unit_amount, quantity)
    SELECT id, ordinality - 1, name, description, sku, unit_amount, quantity
    FROM changed, unnest($42::text[], $43::text[], $44::text[], $45::bigint[], $46::bigint[])
        WITH ORDINALITY AS it (name, description, sku, unit_amount, quantity, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET name = excluded.name, description = excluded.description, sku = excluded.sku,
        unit_amount = excluded.unit_amount, quantity = excluded.quantity
), dropped_lines AS (
    DELETE FROM order_lines USING changed
    WHERE order_lines.order_id = changed.id AND position >= cardinality($42)
), edited_adjustments AS (
    INSERT INTO order_adjustments (order_id, position, kind, label, amount)
    SELECT id, ordinality - 1, kind, label, amount
    FROM changed, unnest($47::text[], $48::text[], $49::bigint[])
        WITH ORDINALITY AS it (kind, label, amount, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET kind = excluded.kind, label = excluded.label, amount = excluded.amount
), dropped_adjustments AS (
    DELETE FROM order_adjustments USING changed
    WHERE order_adjustments.order_id = changed.id AND position >= cardinality($47)
)
SELECT FROM changed
