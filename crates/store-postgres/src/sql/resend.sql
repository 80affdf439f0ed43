-- Puts an event at the end of the resends of its queue: returns one row, or none without an endpoint. The row has whether
-- the event is there now, whether it or an earlier one is still to be delivered instead, and the queue's next attempt in
-- that case. A new queue has no positions of its own.
WITH endpoint AS MATERIALIZED (
    SELECT id, position, disabled_at IS NULL AS is_enabled FROM webhook_endpoints WHERE id = $1::uuid
), queue AS (
    INSERT INTO webhook_queues AS queue (endpoint_id, order_id, done, last, resends, resend_due_at)
    SELECT id, $2::uuid, position, position, ARRAY[$3::bigint], $4::timestamptz
    FROM endpoint
    WHERE position >= $3
    ON CONFLICT (endpoint_id, order_id) DO UPDATE
    SET (resends, resend_due_at) = (
        SELECT
            CASE WHEN it.is_added THEN queue.resends || $3 ELSE queue.resends END,
            CASE WHEN it.is_added THEN coalesce(queue.resend_due_at, $4) ELSE queue.resend_due_at END
        FROM (
            SELECT NOT $3 = ANY (queue.resends) AND cardinality(queue.resends) < $5::bigint
                AND (queue.done >= $3 OR queue.done = queue.last) AS is_added
        ) AS it
    )
    RETURNING $3 = ANY (resends) AS is_accepted, done < $3 AND done < last AS still_waits, next_due_at
)
SELECT is_accepted, still_waits, CASE WHEN is_enabled AND still_waits THEN next_due_at END FROM queue, endpoint
UNION ALL
SELECT
    false, true,
    CASE WHEN is_enabled THEN (
        SELECT queue.next_due_at FROM webhook_queues AS queue WHERE queue.endpoint_id = endpoint.id AND queue.order_id = $2
    ) END
FROM endpoint
WHERE position < $3
