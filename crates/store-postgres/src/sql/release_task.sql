-- Deletes a task, or sets when it is due again: returns one row, or none if the lease is another one now.
WITH held AS (
    SELECT order_id, key
    FROM tasks
    WHERE order_id = $1::uuid AND key = $2::text AND leased_by = $3::uuid AND taken = $4::bigint
    FOR UPDATE
), done AS (
    DELETE FROM tasks USING held
    WHERE tasks.order_id = held.order_id AND tasks.key = held.key AND $5::timestamptz IS NULL
), later AS (
    UPDATE tasks
    SET due_at = $5, error = $6::text, leased_by = NULL, leased_until = NULL
    FROM held
    WHERE tasks.order_id = held.order_id AND tasks.key = held.key AND $5 IS NOT NULL
)
SELECT FROM held
