-- Stores an event that changes no order now: returns one row, or none if the event is stored already.
INSERT INTO webhook_inbox (
    event_id, kind, created_at, received_at, via, headers, news, verdict, error, order_id, due_at
)
VALUES (
    $1::text, $2::text, $3::timestamptz, $4::timestamptz, $5::text, $6::jsonb, $7::jsonb, $8::text, $9::text,
    $10::uuid, $11::timestamptz
)
ON CONFLICT DO NOTHING
RETURNING event_id
