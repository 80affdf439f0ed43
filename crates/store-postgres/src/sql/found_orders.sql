-- The orders that a filter admits, as `paywright_app::OrderFilter` defines it. The caller prepends the columns, and `{updated}`
-- is the condition on the time of the last change. What is derived of an order is read only if the filter needs it.
FROM orders
WHERE {updated} AND placed_at >= :placed_from AND placed_at < :placed_until
    AND (:number::text IS NULL OR number = :number)
    AND (:email::text IS NULL OR email = :email)
    AND (NOT :has_intent OR EXISTS (SELECT FROM payment_intents WHERE order_id = orders.id))
    AND (:any_state OR (
        SELECT (:completion::text IS NULL OR :completion = CASE
                WHEN state = 'canceled' THEN 'canceled'
                WHEN is_paid OR awaits_money THEN 'complete'
                ELSE 'open'
            END)
            AND (:balance::text IS NULL OR :balance = CASE
                WHEN state = 'canceled' THEN 'void'
                WHEN is_paid THEN (
                    -- Less the amount due, which is another one after an acceptance.
                    SELECT CASE sign(received - refunded - CASE WHEN EXISTS (
                            SELECT FROM anomalies
                            WHERE anomalies.order_id = orders.id AND anomalies.provider_id = orders.paid_by
                                AND anomalies.name = 'amount_differs' AND accepted_at IS NOT NULL
                                AND (anomalies.payload #>> '{received,minor}')::bigint = received
                        ) THEN received ELSE orders.total END)
                        WHEN -1 THEN 'balance_due'
                        WHEN 0 THEN 'paid'
                        ELSE 'credit_owed'
                    END
                    FROM payment_intents WHERE order_id = orders.id AND provider_id = orders.paid_by
                )
                ELSE 'balance_due'
            END)
            AND (:any_completed_at OR (
                CASE WHEN is_paid THEN state_at WHEN awaits_money THEN placed_at END >= :completed_from
                AND CASE WHEN is_paid THEN state_at WHEN awaits_money THEN placed_at END < :completed_until
            ))
        FROM (
            SELECT
                -- Paid, and confirmed by Stripe if an event reported the payment.
                state = 'paid' AND NOT EXISTS (
                    SELECT FROM anomalies JOIN payment_intents USING (order_id, provider_id)
                    WHERE order_id = orders.id AND provider_id = orders.paid_by
                        AND anomalies.name = 'payment_not_confirmed'
                        AND received < least(
                            (anomalies.payload #>> '{told,minor}')::bigint, coalesce(capture_asked, orders.total)
                        )
                ) AS is_paid,
                -- Open, with a payment that is processing, and not held for review.
                state = 'open' AND EXISTS (
                    SELECT FROM payment_intents WHERE order_id = orders.id AND status = 'processing'
                ) AND NOT EXISTS (
                    SELECT FROM anomalies
                    WHERE anomalies.order_id = orders.id AND {held}
                ) AS awaits_money
        ) AS progress
    ))
