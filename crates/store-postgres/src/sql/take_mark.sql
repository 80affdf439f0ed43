-- Takes a mark that is due and free, making it where there is none: one row, or none. One that is not due is not even
-- locked, since it is asked for every second.
INSERT INTO marks AS mark (name, due_at, leased_by, leased_until)
SELECT $1::text, $2::timestamptz, $3::uuid, $4::timestamptz
WHERE NOT EXISTS (
    SELECT FROM marks WHERE name = $1 AND (due_at > $5::timestamptz OR leased_until > $2)
)
ON CONFLICT (name) DO UPDATE
SET leased_by = excluded.leased_by, leased_until = excluded.leased_until
WHERE mark.due_at <= $5 AND (mark.leased_until IS NULL OR mark.leased_until <= $2)
RETURNING value
