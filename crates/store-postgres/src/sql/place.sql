-- Places an order: returns one row, or none if the idempotency key is taken, or belongs to a lost order. A taken id or
-- number is an error, which rolls back the statement. `orders.rs` has the columns of an order and their values.
WITH
-- if keyed
kept AS (
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT
        :idempotency_scope::uuid, :idempotency_key::text, :idempotency_fingerprint::bytea, :order_id::uuid,
        :idempotency_answer::text, :at::timestamptz
    WHERE NOT EXISTS (SELECT FROM lost_orders WHERE tail = substring(uuid_send(:order_id::uuid) FROM 7))
    ON CONFLICT DO NOTHING
    RETURNING order_id
),
-- end
placed AS (
    INSERT INTO orders (id, version{columns})
    SELECT :order_id::uuid, 1{values}
    -- if keyed
    WHERE EXISTS (SELECT FROM kept)
    -- end
    RETURNING id
), content_lines AS (
    INSERT INTO order_lines (order_id, position, name, description, sku, unit_amount, quantity)
    SELECT id, ordinality - 1, name, description, sku, unit_amount, quantity
    FROM placed, unnest(
        :line_names::text[], :line_descriptions::text[], :line_skus::text[], :line_unit_amounts::bigint[],
        :line_quantities::bigint[]
    ) WITH ORDINALITY AS it (name, description, sku, unit_amount, quantity, ordinality)
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at, cause)
    SELECT id, 1, ordinality - 1, kind, payload::jsonb, :at::timestamptz, :cause::jsonb
    FROM placed, unnest(:fact_kinds::text[], :facts::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
    RETURNING order_id, version, position, kind
)
-- if adjusted
, content_adjustments AS (
    INSERT INTO order_adjustments (order_id, position, kind, label, amount, tax_percent, tax_country, tax_revision)
    SELECT id, ordinality - 1, kind, label, amount, tax_percent, tax_country, tax_revision
    FROM placed, unnest(
        :adjustment_kinds::text[], :adjustment_labels::text[], :adjustment_amounts::bigint[],
        :adjustment_tax_percents::text[], :adjustment_tax_countries::text[], :adjustment_tax_revisions::bigint[]
    ) WITH ORDINALITY AS it (kind, label, amount, tax_percent, tax_country, tax_revision, ordinality)
)
-- end
-- if scheduled
, scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM placed, unnest(:task_keys::text[], :tasks::text[], :task_due_at::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
)
-- end
-- if public
, unpositioned AS (
    INSERT INTO unpositioned_facts (order_id, version, position, kind)
    SELECT order_id, version, position, kind FROM happened WHERE position = ANY (:public_facts::integer[])
), shown AS (
    INSERT INTO order_snapshots (order_id, version, view, personal, livemode)
    SELECT id, 1, :snapshot_view::text, :snapshot_personal::text, :snapshot_livemode::boolean
    FROM placed
)
-- end
SELECT FROM placed
