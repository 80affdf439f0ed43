-- Reads the facts of a part of the feed that daily totals count, with the mode of the order and the refund that each is about,
-- if that is one of the payment that paid the order.
-- `LIMIT 1` makes PostgreSQL look each row up, also when it plans for a table that is empty.
SELECT
    event.position, fact.at, placed.livemode, fact.payload::text,
    refund.currency AS refund_currency, refund.amount AS refund_amount
FROM (
    SELECT position, order_id, version, fact_position, kind
    FROM feed
    WHERE position > :after::bigint AND position <= :until::bigint
        AND kind IN ('order.placed', 'order.paid', 'refund.changed')
    ORDER BY position
    LIMIT :limit::bigint
) AS event
CROSS JOIN LATERAL (
    SELECT at, payload
    FROM facts
    WHERE order_id = event.order_id AND version = event.version AND position = event.fact_position
    LIMIT 1
) AS fact
CROSS JOIN LATERAL (SELECT livemode, paid_by FROM orders WHERE id = event.order_id LIMIT 1) AS placed
LEFT JOIN LATERAL (
    SELECT currency, amount
    FROM refunds
    WHERE event.kind = 'refund.changed' AND order_id = event.order_id
        AND number = (fact.payload ->> 'refund')::bigint AND intent_id = placed.paid_by
    LIMIT 1
) AS refund ON true
ORDER BY event.position
