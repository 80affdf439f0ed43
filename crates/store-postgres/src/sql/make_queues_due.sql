-- Makes queues of an endpoint due that are due later: returns the last order that was looked at, if there may be more.
-- Rows that another transaction has locked or has just changed are left as they are.
WITH page AS MATERIALIZED (
    SELECT
        queue.ctid AS row, queue.order_id,
        coalesce(greatest(queue.next_due_at, queue.resend_due_at) > :now::timestamptz, false) AS is_later
    FROM webhook_queues AS queue
    WHERE queue.endpoint_id = :endpoint::uuid AND queue.order_id > :after::uuid
    ORDER BY queue.order_id
    LIMIT :limit::bigint
), later AS MATERIALIZED (
    SELECT queue.ctid AS row
    FROM webhook_queues AS queue
    WHERE queue.ctid = ANY (ARRAY(SELECT row FROM page WHERE is_later))
    FOR UPDATE SKIP LOCKED
), due AS (
    UPDATE webhook_queues
    SET tries = 0, next_due_at = CASE WHEN next_due_at IS NOT NULL THEN least(next_due_at, :now) END,
        resend_tries = 0, resend_due_at = CASE WHEN resend_due_at IS NOT NULL THEN least(resend_due_at, :now) END
    WHERE ctid = ANY (ARRAY(SELECT row FROM later))
)
SELECT order_id FROM page ORDER BY order_id OFFSET :limit - 1 LIMIT 1
