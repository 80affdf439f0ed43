-- The orders that a customer has completed, as `paywright_app::is_completed` defines it: paid and confirmed, or open after
-- a payment that was processing.
FROM orders
WHERE customer = :customer AND (
    state = 'paid' AND NOT EXISTS (
        SELECT FROM anomalies JOIN payment_intents USING (order_id, provider_id)
        WHERE order_id = orders.id AND provider_id = orders.paid_by AND anomalies.name = 'payment_not_confirmed'
            AND received < least((anomalies.payload #>> '{told,minor}')::bigint, coalesce(capture_asked, orders.total))
    )
    OR state = 'open' AND EXISTS (
        SELECT FROM facts
        WHERE order_id = orders.id AND kind = 'payment_intent.changed' AND payload ->> 'status' = 'processing'
    )
)
