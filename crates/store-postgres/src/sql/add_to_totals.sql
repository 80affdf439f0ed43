-- Adds to the daily totals: returns a row, or none if another process has counted meanwhile.
WITH moved AS (
    UPDATE daily_totals_head SET position = :until::bigint WHERE only_one AND position = :after::bigint RETURNING position
), added AS (
    INSERT INTO daily_totals AS stored (
        day, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount
    )
    SELECT day::date, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount
    FROM moved, unnest(
        :days::text[], :livemodes::boolean[], :currencies::text[], :placed::bigint[], :placed_amounts::bigint[],
        :paid::bigint[], :paid_amounts::bigint[], :refunded::bigint[], :refunded_amounts::bigint[]
    ) AS it (day, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount)
    ON CONFLICT (day, livemode, currency) DO UPDATE
    SET placed = stored.placed + excluded.placed, placed_amount = stored.placed_amount + excluded.placed_amount,
        paid = stored.paid + excluded.paid, paid_amount = stored.paid_amount + excluded.paid_amount,
        refunded = stored.refunded + excluded.refunded,
        refunded_amount = stored.refunded_amount + excluded.refunded_amount
)
SELECT FROM moved
