-- Checks tasks that are not due yet, in the order of their due times, and makes those due now that are due later than
-- their kind allows: returns one row with the due time of the last one, if there may be more, and the number of tasks
-- that became due. Rows that another transaction has locked are skipped.
WITH page AS (
    SELECT order_id, key, due_at
    FROM tasks
    WHERE due_at > :after::timestamptz
    ORDER BY due_at
    LIMIT :limit::bigint
), late AS MATERIALIZED (
    SELECT page.order_id, page.key
    FROM page
    JOIN unnest(:kinds::text[], :due_max::timestamptz[]) AS longest (kind, due_max)
        ON split_part(page.key, ':', 1) = longest.kind
    WHERE page.due_at > longest.due_max
), free AS (
    SELECT tasks.order_id, tasks.key
    FROM late JOIN tasks ON tasks.order_id = late.order_id AND tasks.key = late.key
    FOR UPDATE OF tasks SKIP LOCKED
), rescheduled AS (
    UPDATE tasks
    SET due_at = :now::timestamptz
    FROM free
    WHERE tasks.order_id = free.order_id AND tasks.key = free.key
    RETURNING tasks.key
)
SELECT CASE WHEN count(*) >= :limit THEN max(due_at) END, (SELECT count(*) FROM rescheduled) FROM page
