-- Reads events without a position: those of the account, which are few, before facts.
SELECT subject, version, index
FROM (
    (
        SELECT subject, number AS version, 0 AS index, false AS is_fact
        FROM account_events
        WHERE NOT is_positioned
        ORDER BY subject, number
        LIMIT :limit::bigint
    )
    UNION ALL
    (
        SELECT order_id, version, position, true
        FROM unpositioned_facts
        ORDER BY order_id, version, position
        LIMIT :limit
    )
) AS event
ORDER BY is_fact, subject, version, index
LIMIT :limit
