-- Adds up the balance transactions of days, by the index alone that has their amounts.
SELECT
    balance, currency, category, count(*), sum(amount)::bigint, sum(fee)::bigint, sum(net)::bigint
FROM balance_transactions
WHERE day >= :from::text::date AND day <= :to::text::date
GROUP BY balance, currency, category
