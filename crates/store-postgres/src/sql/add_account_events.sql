-- Parts of a statement that store account events without a position, each after the earlier ones of its subject, if
-- `{gate}` has a row. One whose id is stored already is left out. Two transactions that store events of one subject at the
-- same time are in conflict.
new_events AS MATERIALIZED (
    SELECT
        it.subject, it.id, it.kind, it.at, it.livemode, it.data,
        coalesce((SELECT max(number) FROM account_events AS stored WHERE stored.subject = it.subject), 0)
            + row_number() OVER (PARTITION BY it.subject ORDER BY it.ordinality) AS number
    FROM {gate}, unnest(
        :account_subjects::uuid[], :account_ids::uuid[], :account_kinds::text[], :account_times::timestamptz[],
        :account_livemode::boolean[], :account_data::text[]
    ) WITH ORDINALITY AS it (subject, id, kind, at, livemode, data, ordinality)
    -- Not `NOT EXISTS`: as a join, it could go through all events.
    WHERE (SELECT true FROM account_events AS stored WHERE stored.id = it.id) IS NULL
), new_account_events AS (
    INSERT INTO account_events (subject, number, id, kind, at) SELECT subject, number, id, kind, at FROM new_events
), new_snapshots AS (
    INSERT INTO order_snapshots (order_id, version, view, livemode)
    SELECT subject, number, data, livemode FROM new_events
)
