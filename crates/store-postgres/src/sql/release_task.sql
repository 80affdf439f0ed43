-- Deletes a task, or sets when it is due again: returns one row, or none if the lease is another one now.
WITH held AS (
    SELECT order_id, key
    FROM tasks
    WHERE order_id = :order_id::uuid AND key = :key::text AND leased_by = :owner::uuid AND taken = :taken::bigint
    FOR UPDATE
), done AS (
    DELETE FROM tasks USING held
    WHERE tasks.order_id = held.order_id AND tasks.key = held.key AND :due_at::timestamptz IS NULL
), later AS (
    UPDATE tasks
    SET due_at = :due_at, error = :error::text, leased_by = NULL, leased_until = NULL
    FROM held
    WHERE tasks.order_id = held.order_id AND tasks.key = held.key AND :due_at IS NOT NULL
)
SELECT FROM held
