-- Puts an event at the end of the resends of its queue, and makes that due: returns one row with whether the event waits
-- there now, or none without an endpoint. A new queue has no positions of its own.
INSERT INTO webhook_queues AS queue (endpoint_id, order_id, done, last, resends, due_at)
SELECT id, $1::uuid, position, position, ARRAY[$2::bigint], $3::timestamptz
FROM webhook_endpoints
WHERE id = $4::uuid
ON CONFLICT (endpoint_id, order_id) DO UPDATE
SET resends = CASE WHEN $2 = ANY (queue.resends) OR cardinality(queue.resends) >= $5::bigint
        THEN queue.resends ELSE queue.resends || $2 END,
    due_at = CASE WHEN $2 = ANY (queue.resends) OR cardinality(queue.resends) >= $5
        THEN queue.due_at ELSE excluded.due_at END,
    tries = CASE WHEN queue.resends = '{}' THEN 0 ELSE queue.tries END
RETURNING $2 = ANY (resends)
