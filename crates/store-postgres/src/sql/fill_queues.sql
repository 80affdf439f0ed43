-- Moves enabled endpoints that are behind the feed ahead, and puts what they want into their queues: returns whether one
-- is still behind. The head and the events are of one snapshot, so no event is missing before the head. Endpoints that
-- another transaction has locked are skipped.
WITH head AS MATERIALIZED (
    SELECT position FROM feed_head WHERE only_one
), behind AS MATERIALIZED (
    SELECT endpoint.id, endpoint.kinds, endpoint.position, least(endpoint.position + :events::bigint,
        head.position) AS until
    FROM head JOIN webhook_endpoints AS endpoint ON endpoint.position < head.position
    WHERE endpoint.disabled_at IS NULL
    ORDER BY endpoint.position
    LIMIT greatest(20000 / :events, 1)
    FOR UPDATE OF endpoint SKIP LOCKED
), moved AS (
    UPDATE webhook_endpoints AS endpoint SET position = behind.until FROM behind WHERE endpoint.id = behind.id
), filled AS (
    INSERT INTO webhook_queues AS queue (endpoint_id, order_id, done, last, next_due_at)
    SELECT behind.id, event.order_id, min(event.position) - 1, max(event.position), :now::timestamptz
    FROM behind CROSS JOIN LATERAL (
        SELECT feed.order_id, feed.position
        FROM feed
        WHERE feed.position > behind.position AND feed.position <= behind.until
            AND (behind.kinds = '{}' OR feed.kind = ANY (behind.kinds))
    ) AS event
    GROUP BY behind.id, event.order_id
    ORDER BY behind.id, event.order_id
    ON CONFLICT (endpoint_id, order_id) DO UPDATE
    -- A queue of resends alone has no positions of its own; of any other, earlier positions set it back, and so does that
    -- of the event of which parts are done.
    SET done = CASE WHEN queue.done = queue.last THEN excluded.done ELSE least(queue.done, excluded.done) END,
        last = CASE WHEN queue.done = queue.last THEN excluded.last ELSE greatest(queue.last, excluded.last) END,
        part = CASE WHEN excluded.done < queue.done + least(queue.part, 1) THEN 0 ELSE queue.part END,
        tries = CASE WHEN excluded.done < queue.done + least(queue.part, 1) OR queue.done = queue.last THEN 0
            ELSE queue.tries END,
        next_due_at = CASE WHEN excluded.done < queue.done + least(queue.part, 1) THEN excluded.next_due_at
            ELSE coalesce(queue.next_due_at, excluded.next_due_at) END,
        resend_due_at = CASE WHEN queue.resends <> '{}' THEN coalesce(queue.resend_due_at, excluded.next_due_at) END
)
SELECT EXISTS (
    SELECT FROM head JOIN webhook_endpoints AS endpoint ON endpoint.position < head.position
    WHERE endpoint.disabled_at IS NULL
        AND NOT EXISTS (SELECT FROM behind WHERE behind.id = endpoint.id AND behind.until = head.position)
)
