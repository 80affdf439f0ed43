-- Ends leases of queues, and deletes those with nothing left. Locked rows are read in their latest version: what another
-- transaction has added meanwhile stays, and a queue that was set back is neither moved nor delayed. The end of a resend
-- changes nothing of the queue's next event, and the reverse. The queues of a disabled endpoint are due at no time.
WITH released AS MATERIALIZED (
    SELECT
        queue.endpoint_id, queue.order_id, queue.last, queue.row, it.is_resend, it.due_at,
        it.passed IS NOT NULL AS is_passed,
        queue.is_next,
        CASE WHEN queue.is_next THEN coalesce(it.passed, queue.done) ELSE queue.done END AS done,
        CASE WHEN queue.is_next THEN coalesce(it.part, queue.part) ELSE queue.part END AS part,
        CASE WHEN it.is_resend THEN array_remove(queue.resends, it.passed) ELSE queue.resends END AS resends,
        CASE WHEN queue.is_next THEN it.tries ELSE queue.tries END AS tries,
        CASE WHEN it.is_resend THEN it.tries ELSE queue.resend_tries END AS resend_tries,
        CASE WHEN it.is_resend THEN coalesce(it.part, queue.resend_part) ELSE queue.resend_part END AS resend_part,
        queue.due_at IS NULL AS is_disabled, queue.next_due_at, queue.resend_due_at
    FROM unnest(
        :endpoints::uuid[], :orders::uuid[], :owners::uuid[], :taken::bigint[], :done::bigint[], :leased_part::bigint[],
        :passed::bigint[], :part::bigint[], :is_resend::boolean[], :tries::bigint[],
        :due_at::timestamptz[]
    ) AS it (endpoint_id, order_id, owner, taken, done, leased_part, passed, part, is_resend, tries, due_at)
    CROSS JOIN LATERAL (
        -- The next event and its parts, unless the queue was set back since the lease.
        SELECT
            queue.*, queue.ctid AS row,
            NOT it.is_resend AND queue.done = it.done AND it.leased_part IN (0, queue.part) AS is_next
        FROM webhook_queues AS queue
        WHERE queue.endpoint_id = it.endpoint_id AND queue.order_id = it.order_id
            AND queue.leased_by = it.owner AND queue.taken = it.taken
        LIMIT 1
        FOR UPDATE
    ) AS queue
), held AS MATERIALIZED (
    -- A queue with nothing left is due until it is deleted.
    SELECT
        endpoint_id, order_id, last, row, is_passed, done, part, resends, tries, resend_tries, resend_part,
        CASE
            WHEN is_disabled OR (done >= last AND resends <> '{}') THEN NULL
            WHEN is_next THEN due_at
            ELSE coalesce(next_due_at, due_at)
        END AS next_due_at,
        CASE
            WHEN is_disabled OR resends = '{}' THEN NULL
            WHEN is_resend THEN due_at
            ELSE coalesce(resend_due_at, due_at)
        END AS resend_due_at
    FROM released
), drained AS (
    -- A row that was changed after the statement began is not found: it is left without events, and deleted after its
    -- next lease.
    DELETE FROM webhook_queues
    WHERE ctid = ANY (ARRAY(SELECT row FROM held WHERE is_passed AND done >= last AND resends = '{}'))
    RETURNING endpoint_id, order_id
), left_over AS (
    -- Each of these rows exists and is locked, so that none is inserted.
    INSERT INTO webhook_queues AS queue (
        endpoint_id, order_id, done, last, part, resends, tries, next_due_at, resend_tries, resend_due_at, resend_part
    )
    SELECT
        endpoint_id, order_id, least(done, last), last, part, resends, tries, next_due_at, resend_tries, resend_due_at,
        resend_part
    FROM held
    WHERE (endpoint_id, order_id) NOT IN (SELECT endpoint_id, order_id FROM drained)
    ON CONFLICT (endpoint_id, order_id) DO UPDATE
    SET done = excluded.done, part = excluded.part, resends = excluded.resends, tries = excluded.tries, next_due_at = excluded.next_due_at,
        resend_tries = excluded.resend_tries, resend_due_at = excluded.resend_due_at,
        resend_part = excluded.resend_part, leased_by = NULL, leased_until = NULL
), attempted AS (
    INSERT INTO webhook_attempts (
        endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, status, error, answer, outcome
    )
    SELECT it.*
    FROM unnest(
        :attempt_endpoints::uuid[], :attempt_times::timestamptz[], :attempt_events::uuid[], :attempt_kinds::text[],
        :attempt_positions::bigint[], :attempt_orders::uuid[], :attempt_numbers::bigint[],
        :attempt_durations::bigint[], :attempt_statuses::bigint[], :attempt_errors::text[], :attempt_answers::text[],
        :attempt_outcomes::text[]
    ) AS it (endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, status, error, answer, outcome)
    WHERE (SELECT true FROM webhook_endpoints AS endpoint WHERE endpoint.id = it.endpoint_id LIMIT 1)
    ON CONFLICT DO NOTHING
)
SELECT FROM held
