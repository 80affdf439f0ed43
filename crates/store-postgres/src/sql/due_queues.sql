-- Reads queues that are due after a place, in the order of their due times. A lease that ends later than possible comes
-- from a clock that ran ahead, and is ignored, and so are queues of disabled endpoints, which may be due until
-- `follow_endpoints.sql` has seen them.
SELECT queue.due_at, queue.endpoint_id, queue.order_id
FROM webhook_queues AS queue
WHERE (queue.due_at, queue.endpoint_id, queue.order_id) > ($1::timestamptz, $2::uuid, $3::uuid)
    AND queue.due_at <= $4::timestamptz
    AND (queue.leased_until IS NULL OR queue.leased_until <= $4 OR queue.leased_until > $5::timestamptz)
    AND (SELECT endpoint.disabled_at IS NULL FROM webhook_endpoints AS endpoint WHERE endpoint.id = queue.endpoint_id)
ORDER BY queue.due_at, queue.endpoint_id, queue.order_id
LIMIT $6::bigint
