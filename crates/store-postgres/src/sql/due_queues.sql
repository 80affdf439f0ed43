-- Reads queues that are due after a place, in the order of their due times. A lease that ends later than possible comes
-- from a clock that ran ahead, and is ignored, and so are queues of disabled endpoints, which may be due until
-- `follow_endpoints.sql` has seen them.
SELECT queue.due_at, queue.endpoint_id, queue.order_id
FROM webhook_queues AS queue
WHERE (queue.due_at, queue.endpoint_id, queue.order_id) > (:after_due_at::timestamptz, :after_endpoint::uuid,
    :after_order::uuid)
    AND queue.due_at <= :now::timestamptz
    AND (queue.leased_until IS NULL OR queue.leased_until <= :now OR queue.leased_until > :until_max::timestamptz)
    AND (SELECT endpoint.disabled_at IS NULL FROM webhook_endpoints AS endpoint WHERE endpoint.id = queue.endpoint_id)
ORDER BY queue.due_at, queue.endpoint_id, queue.order_id
LIMIT :limit::bigint
