-- Stores an event that changes no order now: returns one row, or none if the event is stored already.
INSERT INTO webhook_inbox (
    event_id, kind, created_at, received_at, via, headers, news, verdict, error, order_id, due_at
)
VALUES (
    :event_id::text, :event_kind::text, :event_created_at::timestamptz, :event_received_at::timestamptz,
    :event_via::text, :event_headers::jsonb, :event_news::jsonb, :event_verdict::text, :event_error::text,
    :event_order_id::uuid, :event_due_at::timestamptz
)
ON CONFLICT DO NOTHING
RETURNING event_id
