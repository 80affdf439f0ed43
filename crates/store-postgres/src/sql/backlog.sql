-- What waits in the database (`paywright_app::Backlog`): rows of what is counted, a name within that, a number and the
-- oldest time. Each part reads a limited number of rows, by an index.
SELECT 'due_task', split_part(key, ':', 1), count(*), min(due_at)
FROM (
    SELECT key, due_at FROM tasks WHERE due_at <= :now::timestamptz ORDER BY due_at LIMIT :count_max::bigint
) AS due
GROUP BY split_part(key, ':', 1)
UNION ALL
SELECT 'failing_task', split_part(key, ':', 1), count(*), NULL
FROM (
    SELECT key FROM tasks WHERE error IS NOT NULL ORDER BY key LIMIT :count_max
) AS failing
GROUP BY split_part(key, ':', 1)
UNION ALL
SELECT 'parked_event', '', count(*), min(received_at)
FROM (
    SELECT received_at FROM webhook_inbox WHERE verdict = 'parked' ORDER BY due_at LIMIT :count_max
) AS parked
UNION ALL
SELECT 'unpositioned_event', 'fact', count(*), min(at)
FROM (
    SELECT (
        SELECT it.at
        FROM facts AS it
        WHERE it.order_id = unpositioned.order_id AND it.version = unpositioned.version
            AND it.position = unpositioned.position
    ) AS at
    FROM unpositioned_facts AS unpositioned
    ORDER BY unpositioned.order_id, unpositioned.version, unpositioned.position
    LIMIT :count_max
) AS unpositioned
UNION ALL
SELECT 'unpositioned_event', 'account', count(*), min(at)
FROM (
    SELECT at FROM account_events WHERE NOT is_positioned ORDER BY subject, number LIMIT :count_max
) AS unpositioned
UNION ALL
-- The oldest event that a queue has left.
SELECT 'delivery', 'queue', count(*), min(at)
FROM (
    SELECT (
        SELECT it.at
        FROM feed AS it
        WHERE it.order_id = queue.order_id AND it.position > queue.done AND it.position <= queue.last
            AND (endpoint.kinds = '{}' OR it.kind = ANY (endpoint.kinds))
        ORDER BY it.version, it.fact_position
        LIMIT 1
    ) AS at
    FROM (
        SELECT order_id, endpoint_id, done, last
        FROM webhook_queues
        WHERE next_due_at IS NOT NULL
            AND (SELECT disabled_at IS NULL FROM webhook_endpoints WHERE webhook_endpoints.id = endpoint_id)
        ORDER BY done
        LIMIT :queues_max::bigint
    ) AS queue
    CROSS JOIN LATERAL (
        SELECT kinds FROM webhook_endpoints WHERE webhook_endpoints.id = queue.endpoint_id LIMIT 1
    ) AS endpoint
) AS delivery
UNION ALL
-- The event after the position of an endpoint, which is in no queue yet.
SELECT 'delivery', 'endpoint', count(*), (SELECT at FROM feed WHERE feed.position = min(endpoint.position) + 1)
FROM webhook_endpoints AS endpoint
WHERE disabled_at IS NULL AND endpoint.position < (SELECT position FROM feed_head WHERE only_one)
UNION ALL
SELECT
    'endpoint',
    CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'enabled' END,
    count(*), NULL
FROM webhook_endpoints
GROUP BY 2
UNION ALL
SELECT 'feed', '', position, NULL FROM feed_head WHERE only_one
