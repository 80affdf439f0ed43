-- Gives events the positions after the last one, in their order, and extends the lease: returns one row with the last
-- position, or none if the lease is another one now. Without a position in that row, an event is not among the unpositioned
-- ones, and nothing is changed. The lock of the head keeps other appends out until the commit, so no position is left out.
-- `LIMIT 1` and `ctid` make PostgreSQL look each row up, also when it plans for a table that is empty.
WITH held AS MATERIALIZED (
    SELECT position FROM feed_head WHERE only_one AND leased_by = :owner::uuid AND taken = :taken::bigint FOR UPDATE
), given AS MATERIALIZED (
    SELECT
        it.order_id, it.version, it.fact_position, it.ordinality, coalesce(unpositioned.kind, account.kind) AS kind,
        coalesce(fact.at, account.at) AS at, unpositioned.ctid AS row, account.ctid AS account_row
    FROM unnest(:order_ids::uuid[], :versions::bigint[], :indexes::integer[])
        WITH ORDINALITY AS it (order_id, version, fact_position, ordinality)
    LEFT JOIN LATERAL (
        SELECT ctid, kind
        FROM unpositioned_facts AS fact
        WHERE fact.order_id = it.order_id AND fact.version = it.version AND fact.position = it.fact_position
        LIMIT 1
    ) AS unpositioned ON true
    LEFT JOIN LATERAL (
        SELECT at
        FROM facts AS fact
        WHERE fact.order_id = it.order_id AND fact.version = it.version AND fact.position = it.fact_position
        LIMIT 1
    ) AS fact ON true
    LEFT JOIN LATERAL (
        SELECT ctid, kind, at
        FROM account_events AS event
        WHERE unpositioned.ctid IS NULL
            AND event.subject = it.order_id AND event.number = it.version AND NOT event.is_positioned
        LIMIT 1
    ) AS account ON true
), head AS MATERIALIZED (
    SELECT position FROM held WHERE NOT EXISTS (SELECT FROM given WHERE row IS NULL AND account_row IS NULL)
), positioned AS (
    DELETE FROM unpositioned_facts WHERE ctid = ANY (ARRAY(SELECT given.row FROM given, head))
), positioned_of_account AS (
    UPDATE account_events
    SET is_positioned = true
    WHERE ctid = ANY (ARRAY(SELECT given.account_row FROM given, head WHERE account_row IS NOT NULL))
), appended AS (
    INSERT INTO feed (position, order_id, version, fact_position, kind, at)
    SELECT head.position + ordinality, order_id, version, fact_position, kind, at FROM head, given
), moved AS (
    UPDATE feed_head
    SET position = head.position + cardinality(:order_ids), leased_until = :until::timestamptz
    FROM head
    WHERE only_one
    RETURNING feed_head.position
)
SELECT (SELECT position FROM moved) FROM held
