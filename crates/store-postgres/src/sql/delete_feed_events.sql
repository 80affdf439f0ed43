-- Deletes the first events: returns their number, whether an endpoint waits for the next one, which is old enough, and
-- whether the head was read in its latest version. A snapshot goes with the last event of its version. `LIMIT 1`, `ARRAY`
-- and `ctid` make PostgreSQL look each row up, also when it plans for a table that is empty.
--
-- A transaction after which an endpoint waits for earlier events updates the head. If it commits after this statement
-- began and before the lock, the endpoints and queues read here are out of date: the row of the head that is locked is
-- then another one than the statement sees, and nothing is deleted.
WITH head AS MATERIALIZED (
    SELECT deleted, ctid AS row FROM feed_head WHERE only_one FOR UPDATE
), page AS MATERIALIZED (
    SELECT
        feed.position, feed.order_id, feed.version, feed.row, feed.at < :before::timestamptz AS is_old,
        coalesce(feed.position > (SELECT min(position) FROM webhook_endpoints), false) OR EXISTS (
            SELECT FROM webhook_queues AS queue
            WHERE queue.order_id = feed.order_id
                AND (
                    (queue.done < feed.position AND feed.position <= queue.last)
                    OR feed.position = ANY (queue.resends)
                )
        ) AS is_held
    FROM head CROSS JOIN LATERAL (
        SELECT feed.*, feed.ctid AS row
        FROM feed
        WHERE feed.position > head.deleted AND head.row = (SELECT ctid FROM feed_head WHERE only_one)
        ORDER BY feed.position
        LIMIT :limit::bigint + 1
    ) AS feed
), stop AS MATERIALIZED (
    -- Without such an event the last of the page stays, if the page is full.
    SELECT coalesce(
        (SELECT min(position) FROM page WHERE NOT is_old OR is_held),
        (SELECT max(position) FROM page HAVING count(*) > :limit),
        (SELECT max(position) + 1 FROM page)
    ) AS position
), old AS MATERIALIZED (
    SELECT page.position, page.order_id, page.version, page.row FROM page, stop WHERE page.position < stop.position
), deleted AS (
    DELETE FROM feed WHERE ctid = ANY (ARRAY(SELECT row FROM old))
), hidden AS MATERIALIZED (
    SELECT snapshot.row
    FROM (SELECT DISTINCT order_id, version FROM old) AS old CROSS JOIN LATERAL (
        SELECT it.ctid AS row
        FROM order_snapshots AS it
        WHERE it.order_id = old.order_id AND it.version = old.version
        LIMIT 1
    ) AS snapshot
    WHERE ARRAY(
            SELECT it.position
            FROM feed AS it
            WHERE it.order_id = old.order_id AND it.version = old.version
                AND it.position >= (SELECT stop.position FROM stop)
            LIMIT 1
        ) = '{}'
        AND ARRAY(
            SELECT it.position
            FROM unpositioned_facts AS it
            WHERE it.order_id = old.order_id AND it.version = old.version
            LIMIT 1
        ) = '{}'
), forgotten AS (
    DELETE FROM order_snapshots WHERE ctid = ANY (ARRAY(SELECT row FROM hidden))
), forgotten_of_account AS (
    DELETE FROM account_events
    WHERE ctid = ANY (ARRAY(
        SELECT event.row
        FROM old CROSS JOIN LATERAL (
            SELECT it.ctid AS row
            FROM account_events AS it
            WHERE it.subject = old.order_id AND it.number = old.version
            LIMIT 1
        ) AS event
    ))
), moved AS (
    UPDATE feed_head
    SET deleted = (SELECT max(position) FROM old)
    WHERE only_one AND EXISTS (SELECT FROM old)
)
SELECT
    (SELECT count(*) FROM old),
    EXISTS (SELECT FROM page, stop WHERE page.position = stop.position AND is_old AND is_held),
    head.row = (SELECT ctid FROM feed_head WHERE only_one)
FROM head
