-- Leases a cursor that is due and free, creating a missing one: returns one row, or none. A cursor that is not due is
-- not locked, since this runs every second. A due time later than possible (`due_max`), or a lease that is longer
-- (`until_max`), comes from a clock that ran ahead, and is ignored.
INSERT INTO marks AS cursor (name, due_at, leased_by, leased_until)
SELECT :name::text, :now::timestamptz, :owner::uuid, :until::timestamptz
WHERE NOT EXISTS (
    SELECT FROM marks
    WHERE name = :name
        AND (
            (due_at > :due_by::timestamptz AND due_at <= :due_max::timestamptz)
            OR (leased_until > :now AND leased_until <= :until_max::timestamptz)
        )
)
ON CONFLICT (name) DO UPDATE
SET leased_by = excluded.leased_by, leased_until = excluded.leased_until
WHERE (cursor.due_at <= :due_by OR cursor.due_at > :due_max)
    AND (cursor.leased_until IS NULL OR cursor.leased_until <= :now OR cursor.leased_until > :until_max)
RETURNING value
