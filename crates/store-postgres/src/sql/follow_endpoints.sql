-- Makes queues due or not, as the state of their endpoint demands: returns whether there may be more of them. These are
-- queues that `change_endpoint.sql` left out, or that were inserted at the same moment.
WITH resumed AS MATERIALIZED (
    SELECT queue.row
    FROM (SELECT id FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id) AS endpoint
    CROSS JOIN LATERAL (
        SELECT it.ctid AS row
        FROM webhook_queues AS it
        WHERE it.endpoint_id = endpoint.id AND it.due_at IS NULL
        ORDER BY it.due_at
        LIMIT 5000
        FOR UPDATE SKIP LOCKED
    ) AS queue
    LIMIT 5000
), paused AS MATERIALIZED (
    SELECT queue.row
    FROM (SELECT id FROM webhook_endpoints WHERE disabled_at IS NOT NULL ORDER BY id) AS endpoint
    CROSS JOIN LATERAL (
        SELECT it.ctid AS row
        FROM webhook_queues AS it
        WHERE it.endpoint_id = endpoint.id AND it.due_at > '-infinity'
        ORDER BY it.due_at
        LIMIT 5000
        FOR UPDATE SKIP LOCKED
    ) AS queue
    LIMIT 5000
), due AS (
    UPDATE webhook_queues
    SET tries = 0, next_due_at = CASE WHEN done < last OR resends = '{}' THEN :now::timestamptz END,
        resend_tries = 0, resend_due_at = CASE WHEN resends <> '{}' THEN :now END
    WHERE ctid = ANY (ARRAY(SELECT row FROM resumed))
), not_due AS (
    UPDATE webhook_queues SET next_due_at = NULL, resend_due_at = NULL WHERE ctid = ANY (ARRAY(SELECT row FROM paused))
)
SELECT (SELECT count(*) FROM resumed) >= 5000 OR (SELECT count(*) FROM paused) >= 5000
