-- Reads complete orders. The caller appends the condition.
SELECT
    id, number, version, customer, email, currency, total, capture, metadata::text, livemode, revision, attempt,
    state, paid_by, cancel_reason, state_at, requested_revision, requested_attempt, requested_epoch, operations,
    operation::text, payer::text, placed_at, updated_at, (SELECT epoch FROM installation),
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
            provider_id, revision, currency, amount, status, received, capturable, capture_asked, balance_currency,
            balance_gross, balance_fee, last_error::text, as_of, created_at, confirmed_at
        )
        FROM payment_intents WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (
            number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
            epoch, request
        )
        FROM refunds WHERE order_id = orders.id ORDER BY number
    ),
    ARRAY(
        SELECT ROW (
            provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated
        )
        FROM disputes WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (provider_id, payload::text, policy, reason, found_at)
        FROM anomalies WHERE order_id = orders.id ORDER BY position
    )
FROM orders
