-- Leases parked events that are due. A lease or a due time later than possible comes from a clock that ran ahead, and is
-- ignored. Rows that another transaction has locked are skipped.
WITH free AS (
    SELECT event_id
    FROM webhook_inbox
    WHERE verdict = 'parked'
        AND (leased_until IS NULL OR leased_until <= :now::timestamptz OR leased_until > :until_max::timestamptz)
        AND (due_at <= :now OR due_at > :event_due_max::timestamptz)
    ORDER BY due_at, event_id
    LIMIT :limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_inbox AS event
SET taken = taken + 1, leased_by = :owner::uuid, leased_until = :until::timestamptz
FROM free
WHERE event.event_id = free.event_id
RETURNING event.event_id, event.kind, event.received_at, event.news::text, event.taken::bigint
