-- Changes an order: returns one row, or none if its version differs, or if its revision differs and the content is
-- not written. Rare parts of a change are in `rest.sql`; a statement ends with those, or with
-- `SELECT FROM changed`. `orders.rs` has the assignments of the columns of an order.
WITH changed AS (
    UPDATE orders
    SET version = version + 1{assignments}
    WHERE id = :order_id::uuid AND version = :expected_version::bigint
        AND (:edits_content::boolean OR revision = :revision)
    RETURNING id, version
), happened AS (
    INSERT INTO facts (order_id, version, position, kind, payload, at, cause)
    SELECT id, version, ordinality - 1, kind, payload::jsonb, :at::timestamptz, :cause::jsonb
    FROM changed, unnest(:fact_kinds::text[], :facts::text[]) WITH ORDINALITY AS it (kind, payload, ordinality)
    RETURNING order_id, version, position, kind
)
-- if issued
, issued AS (
    INSERT INTO payment_intents AS stored (
        order_id, position, provider_id, revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error, as_of, created_at, confirmed_at
    )
    SELECT
        id, ordinality - 1, provider_id, it.revision, currency, amount, status, received, capturable, refunded,
        capture_asked, balance_currency, balance_gross, balance_fee, last_error::jsonb, as_of, created_at,
        confirmed_at
    FROM changed, unnest(
        :intent_ids::text[], :intent_revisions::bigint[], :intent_currencies::text[], :intent_amounts::bigint[],
        :intent_statuses::text[], :intent_received::bigint[], :intent_capturable::bigint[], :intent_refunded::bigint[],
        :intent_capture_asked::bigint[], :intent_balance_currencies::text[], :intent_balance_gross::bigint[],
        :intent_balance_fees::bigint[], :intent_last_errors::text[], :intent_as_of::timestamptz[],
        :intent_created_at::timestamptz[], :intent_confirmed_at::timestamptz[]
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
)
-- end
-- if scheduled
, scheduled AS (
    INSERT INTO tasks (order_id, key, payload, due_at)
    SELECT id, key, payload::jsonb, due_at
    FROM changed, unnest(:task_keys::text[], :tasks::text[], :task_due_at::timestamptz[]) AS it (key, payload, due_at)
    ON CONFLICT DO NOTHING
)
-- end
-- if public
, unpositioned AS (
    INSERT INTO unpositioned_facts (order_id, version, position, kind)
    SELECT order_id, version, position, kind FROM happened WHERE position = ANY (:public_facts::integer[])
), shown AS (
    INSERT INTO order_snapshots (order_id, version, view, personal, livemode)
    SELECT id, version, :snapshot_view::text, :snapshot_personal::text, :snapshot_livemode::boolean
    FROM changed
    WHERE :snapshot_view IS NOT NULL
)
-- end
-- if finished
, finished AS (
    DELETE FROM tasks USING changed WHERE tasks.order_id = changed.id AND tasks.key = ANY (:finished_tasks::text[])
)
-- end
-- if received
, received AS (
    INSERT INTO webhook_inbox (
        event_id, kind, created_at, received_at, via, headers, news, verdict, error, order_id, due_at
    )
    SELECT
        :event_id::text, :event_kind::text, :event_created_at::timestamptz, :event_received_at::timestamptz,
        :event_via::text, :event_headers::jsonb, :event_news::jsonb, :event_verdict::text, :event_error::text,
        :event_order_id::uuid, :event_due_at::timestamptz
    FROM changed
    WHERE :event_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
-- end
