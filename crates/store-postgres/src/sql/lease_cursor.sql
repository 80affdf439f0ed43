-- Leases a cursor that is due and free, creating a missing one: returns one row, or none. A cursor that is not due is
-- not locked, since this runs every second. A due time later than possible ($6), or a lease that is longer ($7), comes
-- from a clock that ran ahead, and is ignored.
INSERT INTO marks AS cursor (name, due_at, leased_by, leased_until)
SELECT $1::text, $2::timestamptz, $3::uuid, $4::timestamptz
WHERE NOT EXISTS (
    SELECT FROM marks
    WHERE name = $1
        AND (
            (due_at > $5::timestamptz AND due_at <= $6::timestamptz)
            OR (leased_until > $2 AND leased_until <= $7::timestamptz)
        )
)
ON CONFLICT (name) DO UPDATE
SET leased_by = excluded.leased_by, leased_until = excluded.leased_until
WHERE (cursor.due_at <= $5 OR cursor.due_at > $6)
    AND (cursor.leased_until IS NULL OR cursor.leased_until <= $2 OR cursor.leased_until > $7)
RETURNING value
