-- Leases those of some queues that are due, with the next event of each. A lease that ends later than possible comes from
-- a clock that ran ahead, and is ignored. Rows that another transaction has locked or has just changed are skipped, and so
-- are queues of disabled endpoints, which may be due until `follow_endpoints.sql` has seen them. `LIMIT 1` and `ctid` make
-- PostgreSQL look each row up, also when it plans for a table that is empty; so does `least`, which no index has.
WITH free AS (
    SELECT queue.row
    FROM unnest(:endpoints::uuid[], :orders::uuid[]) AS it (endpoint_id, order_id) CROSS JOIN LATERAL (
        SELECT queue.ctid AS row
        FROM webhook_queues AS queue
        WHERE queue.endpoint_id = it.endpoint_id AND queue.order_id = it.order_id
            AND least(queue.next_due_at, queue.resend_due_at) <= :now::timestamptz
            AND (queue.leased_until IS NULL OR queue.leased_until <= :now OR queue.leased_until > :until_max::timestamptz)
            AND (
                SELECT endpoint.disabled_at IS NULL
                FROM webhook_endpoints AS endpoint
                WHERE endpoint.id = queue.endpoint_id
            )
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS queue
), leased AS (
    UPDATE webhook_queues AS queue
    SET taken = queue.taken + 1, leased_by = :owner::uuid, leased_until = :until::timestamptz
    WHERE queue.ctid = ANY (ARRAY(SELECT row FROM free))
    -- The first resend, if it is due.
    RETURNING queue.*, CASE WHEN resend_due_at <= :now THEN resends[1] END AS resend
)
SELECT
    leased.endpoint_id, leased.order_id, leased.taken,
    CASE WHEN leased.resend IS NULL THEN leased.tries ELSE leased.resend_tries END,
    CASE
        WHEN leased.resend IS NOT NULL THEN leased.resend_part
        WHEN feed.position = leased.done + 1 THEN leased.part
        ELSE 0
    END,
    leased.done,
    coalesce(leased.resend, feed.position, leased.last), leased.resend IS NOT NULL,
    feed.position, feed.kind, account.id, feed.order_id, feed.version, feed.fact_position::bigint, fact.payload::text,
    feed.at, fact.cause::text, snapshot.view, snapshot.personal, snapshot.livemode
FROM leased
LEFT JOIN LATERAL (
    SELECT it.* FROM feed AS it WHERE it.position = leased.resend
    UNION ALL
    (
        SELECT it.*
        FROM feed AS it
        WHERE leased.resend IS NULL AND it.order_id = leased.order_id
            AND it.position > leased.done AND it.position <= leased.last
            AND (
                SELECT endpoint.kinds = '{}' OR it.kind = ANY (endpoint.kinds)
                FROM webhook_endpoints AS endpoint
                WHERE endpoint.id = leased.endpoint_id
            )
        ORDER BY it.version, it.fact_position
        LIMIT 1
    )
) AS feed ON true
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
ORDER BY leased.due_at, leased.endpoint_id, leased.order_id
