-- Takes parked messages that are due. What another transaction is taking at this moment is passed over.
WITH free AS (
    SELECT event_id
    FROM webhook_inbox
    WHERE verdict = 'parked' AND due_at <= $1::timestamptz AND (leased_until IS NULL OR leased_until <= $1)
    ORDER BY due_at, event_id
    LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_inbox AS event
SET taken = taken + 1, leased_by = $3::uuid, leased_until = $4::timestamptz
FROM free
WHERE event.event_id = free.event_id
RETURNING event.event_id, event.kind, event.received_at, event.news::text, event.taken::bigint
