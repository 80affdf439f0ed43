-- Reads queues of one endpoint that are due, in the order of their due times, as `due_queues.sql` does for all.
SELECT queue.due_at, queue.endpoint_id, queue.order_id
FROM webhook_queues AS queue
WHERE queue.endpoint_id = $1::uuid AND queue.due_at <= $2::timestamptz
    AND (queue.leased_until IS NULL OR queue.leased_until <= $2 OR queue.leased_until > $3::timestamptz)
    AND (SELECT endpoint.disabled_at IS NULL FROM webhook_endpoints AS endpoint WHERE endpoint.id = $1)
ORDER BY queue.due_at
LIMIT $4::bigint
