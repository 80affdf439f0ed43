-- Puts an event at the end of the resends of its queue: returns one row, or none without an endpoint. The row has whether
-- the event is there now, whether it or an earlier one is still to be delivered instead, whether it was deleted, and the
-- queue's next attempt. A new queue has no positions of its own. The update of the head makes a deletion of events that
-- goes on at the same time begin again (`delete_feed_events.sql`).
WITH head AS MATERIALIZED (
    UPDATE feed_head SET deleted = deleted WHERE only_one RETURNING deleted
), endpoint AS MATERIALIZED (
    SELECT id, position, disabled_at IS NULL AS is_enabled FROM webhook_endpoints WHERE id = :endpoint::uuid
), queue AS (
    INSERT INTO webhook_queues AS queue (endpoint_id, order_id, done, last, resends, resend_due_at)
    SELECT id, :order::uuid, position, position, ARRAY[:position::bigint], :now::timestamptz
    FROM endpoint, head
    WHERE position >= :position AND deleted < :position
    ON CONFLICT (endpoint_id, order_id) DO UPDATE
    SET (resends, resend_due_at) = (
        SELECT
            CASE WHEN it.is_added THEN queue.resends || :position ELSE queue.resends END,
            CASE WHEN it.is_added THEN coalesce(queue.resend_due_at, :now) ELSE queue.resend_due_at END
        FROM (
            SELECT NOT :position = ANY (queue.resends) AND cardinality(queue.resends) < :resends_max::bigint
                AND (queue.done >= :position OR queue.done = queue.last) AS is_added
        ) AS it
    )
    RETURNING :position = ANY (resends) AS is_accepted, done < :position AND done < last AS still_waits, next_due_at
), accepted AS (
    SELECT FROM queue WHERE is_accepted
),
{audited}
SELECT is_accepted, still_waits, false, CASE WHEN is_enabled AND still_waits THEN next_due_at END FROM queue, endpoint
UNION ALL
SELECT
    false, deleted < :position, deleted >= :position,
    CASE WHEN is_enabled THEN (
        SELECT queue.next_due_at FROM webhook_queues AS queue WHERE queue.endpoint_id = endpoint.id
            AND queue.order_id = :order
    ) END
FROM endpoint, head
WHERE position < :position OR deleted >= :position
