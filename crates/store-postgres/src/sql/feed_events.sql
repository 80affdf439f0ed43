-- Reads events with their facts, or ids of account events, and snapshots: `LIMIT 1` makes PostgreSQL look each of these up by its key, also when it
-- plans for tables that are empty.
SELECT
    feed.position, feed.kind, account.id, feed.order_id, feed.version, feed.fact_position::bigint, fact.payload::text,
    feed.at, fact.cause::text, snapshot.view, snapshot.personal, snapshot.livemode
FROM feed
LEFT JOIN LATERAL (
    SELECT it.payload, it.cause
    FROM facts AS it
    WHERE it.order_id = feed.order_id AND it.version = feed.version AND it.position = feed.fact_position
    LIMIT 1
) AS fact ON true
LEFT JOIN LATERAL (
    SELECT it.id
    FROM account_events AS it
    WHERE fact.payload IS NULL AND it.subject = feed.order_id AND it.number = feed.version
    LIMIT 1
) AS account ON true
LEFT JOIN LATERAL (
    SELECT it.view, it.personal, it.livemode
    FROM order_snapshots AS it
    WHERE it.order_id = feed.order_id AND it.version = feed.version
    LIMIT 1
) AS snapshot ON true
WHERE feed.position > :after::bigint AND feed.position <= :until::bigint
    AND (:kinds::text[] = '{}' OR feed.kind = ANY (:kinds))
