-- Goes on after `change.sql`, where the content is another one: writes it over the old.
, edited_lines AS (
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
