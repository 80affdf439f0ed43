-- Leases parked events that are due. A lease or a due time later than possible comes from a clock that ran ahead, and is
-- ignored. Rows that another transaction has locked are skipped.
WITH free AS (
    SELECT event_id
    FROM webhook_inbox
    WHERE verdict = 'parked'
        AND (leased_until IS NULL OR leased_until <= $1::timestamptz OR leased_until > $2::timestamptz)
        AND (due_at <= $1 OR due_at > $3::timestamptz)
    ORDER BY due_at, event_id
    LIMIT $4::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_inbox AS event
SET taken = taken + 1, leased_by = $5::uuid, leased_until = $6::timestamptz
FROM free
WHERE event.event_id = free.event_id
RETURNING event.event_id, event.kind, event.received_at, event.news::text, event.taken::bigint
