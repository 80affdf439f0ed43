-- Ends leases of queues, and deletes those with nothing left. Locked rows are read in their latest version: what another
-- transaction has added meanwhile stays, a queue that was set back is not moved, and a retry delays no other event that is
-- first now. The queues of a disabled endpoint are due at no time.
WITH held AS MATERIALIZED (
    SELECT
        queue.endpoint_id, queue.order_id, queue.last, queue.row,
        CASE WHEN queue.done = it.done AND NOT it.is_resend THEN coalesce(it.passed, queue.done) ELSE queue.done END
            AS done,
        CASE WHEN it.is_resend THEN array_remove(queue.resends, it.passed) ELSE queue.resends END AS resends,
        it.passed IS NOT NULL AS is_passed,
        CASE WHEN other.is_first THEN queue.tries ELSE it.tries END AS tries,
        CASE WHEN other.is_first OR queue.due_at IS NULL THEN queue.due_at ELSE it.due_at END AS due_at
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[], $8::bigint[],
        $9::timestamptz[]
    ) AS it (endpoint_id, order_id, owner, taken, done, passed, is_resend, tries, due_at)
    CROSS JOIN LATERAL (
        SELECT queue.*, queue.ctid AS row
        FROM webhook_queues AS queue
        WHERE queue.endpoint_id = it.endpoint_id AND queue.order_id = it.order_id
            AND queue.leased_by = it.owner AND queue.taken = it.taken
        LIMIT 1
        FOR UPDATE
    ) AS queue
    CROSS JOIN LATERAL (
        SELECT queue.done < it.done OR (NOT queue.is_resend AND queue.resends <> '{}') AS is_first
    ) AS other
), drained AS (
    -- A row that was changed after the statement began is not found: it is left without events, and deleted after its
    -- next lease.
    DELETE FROM webhook_queues
    WHERE ctid = ANY (ARRAY(SELECT row FROM held WHERE is_passed AND done >= last AND resends = '{}'))
    RETURNING endpoint_id, order_id
), left_over AS (
    -- Each of these rows exists and is locked, so that none is inserted.
    INSERT INTO webhook_queues AS queue (endpoint_id, order_id, done, last, resends, tries, due_at)
    SELECT endpoint_id, order_id, least(done, last), last, resends, tries, due_at
    FROM held
    WHERE (endpoint_id, order_id) NOT IN (SELECT endpoint_id, order_id FROM drained)
    ON CONFLICT (endpoint_id, order_id) DO UPDATE
    SET done = excluded.done, resends = excluded.resends, tries = excluded.tries, due_at = excluded.due_at,
        leased_by = NULL, leased_until = NULL
), attempted AS (
    INSERT INTO webhook_attempts (
        endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, status, error, answer, outcome
    )
    SELECT *
    FROM unnest(
        $10::uuid[], $11::timestamptz[], $12::uuid[], $13::text[], $14::bigint[], $15::uuid[], $16::bigint[],
        $17::bigint[], $18::bigint[], $19::text[], $20::text[], $21::text[]
    )
    ON CONFLICT DO NOTHING
)
SELECT FROM held
