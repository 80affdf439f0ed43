-- Reads queues of one endpoint that are due, in the order of their due times, as `due_queues.sql` does for all.
SELECT queue.due_at, queue.endpoint_id, queue.order_id
FROM webhook_queues AS queue
WHERE queue.endpoint_id = :endpoint::uuid AND queue.due_at <= :now::timestamptz
    AND (queue.leased_until IS NULL OR queue.leased_until <= :now OR queue.leased_until > :until_max::timestamptz)
    AND (SELECT endpoint.disabled_at IS NULL FROM webhook_endpoints AS endpoint WHERE endpoint.id = :endpoint)
ORDER BY queue.due_at
LIMIT :limit::bigint
