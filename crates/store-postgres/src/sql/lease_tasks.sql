-- Leases tasks that are due. A lease that ends later than possible comes from a clock that ran ahead, and is ignored.
-- Rows that another transaction has locked are skipped.
WITH free AS (
    SELECT order_id, key
    FROM tasks
    WHERE due_at <= :now::timestamptz
        AND (leased_until IS NULL OR leased_until <= :now OR leased_until > :until_max::timestamptz)
    ORDER BY due_at, order_id, key
    LIMIT :limit::bigint
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE tasks
    SET taken = taken + 1, leased_by = :owner::uuid, leased_until = :until::timestamptz
    FROM free
    WHERE tasks.order_id = free.order_id AND tasks.key = free.key
    RETURNING tasks.order_id, tasks.key, tasks.payload, tasks.taken, tasks.due_at
)
SELECT order_id, payload::text, taken::bigint FROM taken ORDER BY due_at, order_id, key
