-- Reads whole orders, each with all that belongs to it. The caller says which.
SELECT
    id, number, version, customer, email, currency, total, capture, metadata::text, livemode, revision, attempt,
    state, paid_by, cancel_reason, state_at, requested_revision, requested_attempt, placed_at, updated_at,
    ARRAY(
        SELECT ROW (name, description, sku, unit_amount, quantity::bigint)
        FROM order_lines WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (kind, label, amount)
        FROM order_adjustments WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (
            provider_id, revision, currency, amount, status, received, capturable, last_error::text, as_of, created_at
        )
        FROM payment_intents WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (provider_id, payload::text, found_at)
        FROM anomalies WHERE order_id = orders.id ORDER BY position
    )
FROM orders
