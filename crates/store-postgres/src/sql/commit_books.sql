-- Commits to the books: returns one row, or none if their version differs; then nothing is written. The lock of the row of
-- `books` keeps other commits out until the end, so all other tables are read as the commit before left them. Rows that are
-- append only and stored already are left out, and what only new rows add to sums is added once.
WITH begun AS (
    INSERT INTO books (version, state)
    SELECT 1, :state::jsonb WHERE :expected_version::bigint = 0
    ON CONFLICT DO NOTHING
    RETURNING version
), moved AS (
    UPDATE books SET version = version + 1, state = :state::jsonb
    WHERE only_one AND version = :expected_version::bigint
    RETURNING version
), head AS MATERIALIZED (
    SELECT version FROM begun UNION ALL SELECT version FROM moved
), new_transactions AS MATERIALIZED (
    INSERT INTO balance_transactions (
        id, created, day, category, balance, currency, amount, fee, net, fees, description, source_kind, source_id,
        intent_id, order_id, presented_currency, presented_amount, recorded_at
    )
    SELECT
        id, created, day::date, category, balance, currency, amount, fee, net, fees::jsonb, description, source_kind,
        source_id, intent_id, order_id, presented_currency, presented_amount, recorded_at
    FROM head, unnest(
        :txn_ids::text[], :txn_created::timestamptz[], :txn_days::text[], :txn_categories::text[],
        :txn_balances::text[], :txn_currencies::text[], :txn_amounts::bigint[], :txn_fee_sums::bigint[],
        :txn_nets::bigint[], :txn_fees::text[], :txn_descriptions::text[], :txn_source_kinds::text[],
        :txn_source_ids::text[], :txn_intents::text[], :txn_orders::uuid[], :txn_presented_currencies::text[],
        :txn_presented_amounts::bigint[], :txn_recorded_at::timestamptz[]
    ) AS it (
        id, created, day, category, balance, currency, amount, fee, net, fees, description, source_kind, source_id,
        intent_id, order_id, presented_currency, presented_amount, recorded_at
    )
    ON CONFLICT DO NOTHING
    RETURNING id, currency, net
), new_entries AS MATERIALIZED (
    INSERT INTO book_entries (id, order_id, at, day, source_kind, source_id, postings)
    SELECT id, order_id, at, day::date, source_kind, source_id, postings::jsonb
    FROM head, unnest(
        :entry_ids::text[], :entry_orders::uuid[], :entry_at::timestamptz[], :entry_days::text[],
        :entry_source_kinds::text[], :entry_source_ids::text[], :entry_postings::text[]
    ) AS it (id, order_id, at, day, source_kind, source_id, postings)
    ON CONFLICT DO NOTHING
    RETURNING id
), new_rows AS MATERIALIZED (
    SELECT id, 0 AS entries FROM new_transactions UNION ALL SELECT id, 1 FROM new_entries
), cleared AS (
    INSERT INTO clearing_accounts AS stored (
        object, currency, source_kind, order_id, expected, moved, entries, transactions, latest, has_day
    )
    SELECT
        object, currency, (array_agg(source_kind ORDER BY ordinality))[1],
        (array_agg(order_id ORDER BY ordinality) FILTER (WHERE order_id IS NOT NULL))[1], sum(expected), sum(moved),
        sum(part.entries), sum(transactions), max(latest), bool_or(has_day)
    FROM unnest(
        :part_rows::text[], :part_objects::text[], :part_currencies::text[], :part_source_kinds::text[],
        :part_orders::uuid[], :part_expected::bigint[], :part_moved::bigint[], :part_entries::bigint[],
        :part_transactions::bigint[], :part_latest::timestamptz[], :part_has_day::boolean[]
    ) WITH ORDINALITY AS part (
        row_id, object, currency, source_kind, order_id, expected, moved, entries, transactions, latest, has_day,
        ordinality
    )
    -- `IS TRUE` has the new rows hashed: as a join, each part would be compared with each of them.
    WHERE ((row_id, part.entries) IN (SELECT id, new_rows.entries FROM new_rows)) IS TRUE
    GROUP BY object, currency
    ON CONFLICT (object, currency) DO UPDATE
    SET order_id = coalesce(stored.order_id, excluded.order_id), expected = stored.expected + excluded.expected,
        moved = stored.moved + excluded.moved, entries = stored.entries + excluded.entries,
        transactions = stored.transactions + excluded.transactions, latest = greatest(stored.latest, excluded.latest),
        has_day = stored.has_day OR excluded.has_day
), given_payouts AS MATERIALIZED (
    INSERT INTO payouts (
        id, currency, amount, created, arrival, status, automatic, reconciliation, balance_transaction,
        failure_balance_transaction, failure_code, trace_id
    )
    SELECT it.*
    FROM head, unnest(
        :payout_ids::text[], :payout_currencies::text[], :payout_amounts::bigint[], :payout_created::timestamptz[],
        :payout_arrivals::timestamptz[], :payout_statuses::text[], :payout_automatic::boolean[],
        :payout_reconciliations::text[], :payout_balance_transactions::text[],
        :payout_failure_balance_transactions::text[], :payout_failure_codes::text[], :payout_trace_ids::text[]
    ) AS it
    ON CONFLICT (id) DO UPDATE
    SET arrival = excluded.arrival, status = excluded.status, reconciliation = excluded.reconciliation,
        balance_transaction = excluded.balance_transaction,
        failure_balance_transaction = excluded.failure_balance_transaction, failure_code = excluded.failure_code,
        trace_id = excluded.trace_id
    RETURNING id, currency, amount
), new_lists AS MATERIALIZED (
    -- A payout that is neither stored nor given has no amount, which its sum must have.
    SELECT list.payout_id, payout.currency, payout.amount
    FROM head, unnest(:list_payouts::text[]) AS list (payout_id)
    LEFT JOIN LATERAL (
        SELECT currency, amount FROM given_payouts WHERE id = list.payout_id
        UNION ALL
        SELECT currency, amount FROM payouts WHERE id = list.payout_id
        LIMIT 1
    ) AS payout ON true
    -- Not `NOT EXISTS`: as a join, it could go through all sums.
    WHERE (SELECT true FROM payout_sums AS stored WHERE stored.payout_id = list.payout_id) IS NULL
), new_members AS MATERIALIZED (
    INSERT INTO payout_members (payout_id, transaction_id)
    SELECT new_lists.payout_id, it.transaction_id
    FROM unnest(:member_payouts::text[], :member_transactions::text[]) AS it (payout_id, transaction_id)
    JOIN new_lists ON new_lists.payout_id = it.payout_id
    RETURNING payout_id, transaction_id
), known_members AS MATERIALIZED (
    -- Stored members of new lists, new members of new lists, and new members of stored lists.
    SELECT new_members.payout_id, stored.currency, stored.net
    FROM new_members, LATERAL (
        SELECT currency, net FROM balance_transactions WHERE id = new_members.transaction_id LIMIT 1
    ) AS stored
    UNION ALL
    SELECT new_members.payout_id, new_transactions.currency, new_transactions.net
    FROM new_members JOIN new_transactions ON new_transactions.id = new_members.transaction_id
    UNION ALL
    SELECT stored.payout_id, new_transactions.currency, new_transactions.net
    FROM new_transactions, LATERAL (
        SELECT payout_id FROM payout_members WHERE transaction_id = new_transactions.id OFFSET 0
    ) AS stored
), changed_sums AS MATERIALIZED (
    SELECT
        payout_id, currency, amount,
        (SELECT count(*) FROM new_members WHERE new_members.payout_id = new_lists.payout_id) AS members
    FROM new_lists
    UNION ALL
    SELECT stored.payout_id, stored.currency, stored.amount, stored.members
    FROM (SELECT DISTINCT payout_id FROM known_members) AS known, LATERAL (
        SELECT * FROM payout_sums WHERE payout_sums.payout_id = known.payout_id LIMIT 1
    ) AS stored
), summed AS (
    INSERT INTO payout_sums AS stored (payout_id, currency, amount, members, known, net)
    SELECT
        it.payout_id, it.currency, it.amount, it.members, count(known.payout_id),
        coalesce(sum(known.net) FILTER (WHERE known.currency = it.currency), 0)
    FROM changed_sums AS it
    LEFT JOIN known_members AS known ON known.payout_id = it.payout_id
    GROUP BY it.payout_id, it.currency, it.amount, it.members
    ON CONFLICT (payout_id) DO UPDATE SET known = stored.known + excluded.known, net = stored.net + excluded.net
), closed AS (
    INSERT INTO closed_days (day, hash, previous, timezone, closed_at, summary)
    SELECT day::date, hash, previous, timezone, closed_at, summary::jsonb
    FROM head, unnest(
        :day_days::text[], :day_hashes::text[], :day_previous::text[], :day_timezones::text[],
        :day_closed_at::timestamptz[], :day_summaries::text[]
    ) AS it (day, hash, previous, timezone, closed_at, summary)
    ON CONFLICT DO NOTHING
), found AS (
    INSERT INTO book_breaks (
        id, class, object, order_id, ours_currency, ours_amount, theirs_currency, theirs_amount, since, first_seen,
        gone_at, resolution
    )
    SELECT
        id, class, object, order_id, ours_currency, ours_amount, theirs_currency, theirs_amount, since, first_seen,
        gone_at, resolution::jsonb
    FROM head, unnest(
        :break_ids::text[], :break_classes::text[], :break_objects::text[], :break_orders::uuid[],
        :break_ours_currencies::text[], :break_ours_amounts::bigint[], :break_theirs_currencies::text[],
        :break_theirs_amounts::bigint[], :break_since::timestamptz[], :break_first_seen::timestamptz[],
        :break_gone_at::timestamptz[], :break_resolutions::text[]
    ) AS it (
        id, class, object, order_id, ours_currency, ours_amount, theirs_currency, theirs_amount, since, first_seen,
        gone_at, resolution
    )
    ON CONFLICT (id) DO UPDATE
    SET class = excluded.class, object = excluded.object, order_id = excluded.order_id,
        ours_currency = excluded.ours_currency, ours_amount = excluded.ours_amount,
        theirs_currency = excluded.theirs_currency, theirs_amount = excluded.theirs_amount, since = excluded.since,
        first_seen = excluded.first_seen, gone_at = excluded.gone_at, resolution = excluded.resolution
),
{events},
{audited}
SELECT FROM head
