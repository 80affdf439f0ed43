anomalies.policy = 'hold_for_review' AND (
    anomalies.name = 'wrong_livemode'
    OR EXISTS (
        SELECT FROM payment_intents CROSS JOIN LATERAL (
            -- What is neither refunded nor lost in a dispute, and went back in no other way.
            SELECT received - refunded - coalesce((
                SELECT sum(disputes.amount) FROM disputes
                WHERE disputes.order_id = orders.id
                    AND disputes.intent_id = anomalies.provider_id
                    AND disputes.status = 'lost' AND withdrawn AND NOT reinstated
            ), 0) - coalesce((
                SELECT sum(closed_amount) FROM refunds
                WHERE refunds.order_id = orders.id
                    AND refunds.intent_id = anomalies.provider_id
                    AND refunds.status = 'failed'
            ), 0) AS to_decide
        ) AS money
        WHERE payment_intents.order_id = orders.id
            AND payment_intents.provider_id = anomalies.provider_id
            AND CASE WHEN anomalies.name = 'payment_not_confirmed'
                THEN received < least(
                    (anomalies.payload #>> '{told,minor}')::bigint,
                    coalesce(capture_asked, orders.total)
                ) OR to_decide > 0 AND EXISTS (
                    SELECT FROM refunds
                    WHERE refunds.order_id = orders.id
                        AND refunds.intent_id = anomalies.provider_id
                        AND origin = 'policy' AND refunds.status = 'failed'
                        AND failure = 'payment_not_confirmed'
                )
                -- An accepted amount is in the payload.
                ELSE to_decide > 0 AND (
                    accepted_at IS NULL OR received <> (anomalies.payload #>> '{received,minor}')::bigint
                )
            END
    )
)
