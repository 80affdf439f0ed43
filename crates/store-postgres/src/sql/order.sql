-- Reads complete orders. The caller appends the condition. `orders.rs` has the columns of an order, and `parts.rs` those of
-- its rows in other tables, in their order.
SELECT
    version, (SELECT epoch FROM installation),
    ARRAY(
        SELECT ROW (name, description, sku, unit_amount, quantity::bigint)
        FROM order_lines WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (kind, label, amount, tax_percent, tax_country, tax_revision)
        FROM order_adjustments WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (
            provider_id, revision, currency, amount, status, received, capturable, refunded, capture_asked,
            balance_currency, balance_gross, balance_fee, last_error::text, as_of, created_at, confirmed_at
        )
        FROM payment_intents WHERE order_id = orders.id ORDER BY position
    ),
    ARRAY(
        SELECT ROW (
            number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
            epoch, request, closed_at, closed_amount
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
        SELECT ROW (provider_id, name, payload::text, policy, reason, found_at, accepted_at)
        FROM anomalies WHERE order_id = orders.id ORDER BY position
    ),
    id{columns}
FROM orders
