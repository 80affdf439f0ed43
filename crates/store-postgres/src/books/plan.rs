//! Plans of the statements of the books: each finds its rows by an index, whatever the size of the tables was when it was
//! planned.

use paywright_testkit::postgres::Database;
use tokio_postgres::Client;

use super::commit::CommitBooks;
use super::read::{
    CategorySums, ClosedDays, EntriesOfDays, EntriesOfOrder, EntriesOfSource, KnownTransactions, LatestBreaks,
    NamedBreaks, OpenBreaks, OpenItems, OpenItemsOfOrders, OrderNumbers, OrdersOfIntents, PayoutById, PayoutsCreated,
    PresentBreaks, ReadBooks, TransactionsOfDays, TransactionsOfOrder, TransactionsOfPayout, TransactionsOfSource,
    UnequalPayouts, UnsettledPayouts,
};
use crate::PostgresStore;
use crate::connect::SESSION;
use crate::plans::{assert_indexed, has_any, plan, prepare};
use crate::statement::PreparedStatement;

const ID: &str = "'00000000-0000-0000-0000-000000000001'";

/// Books with 20,000 rows of each kind: in one of a thousand payouts and clearing accounts the two sides differ, and one of a
/// thousand breaks is there still.
const BOOKS: &str = "
    CREATE TEMP TABLE numbers AS SELECT n FROM generate_series(1, 20000) AS n;
    INSERT INTO balance_transactions (
        id, created, day, category, balance, currency, amount, fee, net, fees, description, source_kind, source_id,
        order_id, recorded_at
    )
    SELECT 't' || n, now(), DATE '2025-03-01' + n % 365, 'charge', 'payments', 'usd', 1, 0, 1, '[]', '', 'payment',
        'pi_' || n, gen_random_uuid(), now()
    FROM numbers;
    INSERT INTO book_entries (id, order_id, at, day, source_kind, source_id, postings)
    SELECT 'e' || n, gen_random_uuid(), now(), DATE '2025-03-01' + n % 365, 'payment', 'pi_' || n, '[]' FROM numbers;
    INSERT INTO clearing_accounts (
        object, currency, source_kind, order_id, expected, moved, entries, transactions, latest, has_day
    )
    SELECT 'pi_' || n, 'usd', 'payment', gen_random_uuid(), 1, CASE n % 1000 WHEN 0 THEN 0 ELSE 1 END, 1, 1, now(), true
    FROM numbers;
    INSERT INTO payouts (id, currency, amount, created, arrival, status, automatic, reconciliation)
    SELECT 'po_' || n, 'usd', 1, now(), now(), 'paid', true, 'completed' FROM numbers;
    INSERT INTO payout_members (payout_id, transaction_id) SELECT 'po_' || n, 't' || n FROM numbers;
    INSERT INTO payout_sums (payout_id, currency, amount, members, known, net)
    SELECT 'po_' || n, 'usd', 1, 1, 1, CASE n % 1000 WHEN 0 THEN 0 ELSE 1 END FROM numbers;
    INSERT INTO closed_days (day, hash, timezone, closed_at, summary)
    SELECT DATE '2025-03-01' + n, 'h', 'UTC', now(), '{}' FROM numbers;
    INSERT INTO book_breaks (id, class, object, since, first_seen, gone_at)
    SELECT 'b' || n, 'amount', 'o', now(), now(), CASE n % 1000 WHEN 0 THEN NULL ELSE now() END FROM numbers;
    -- Of orders themselves, the columns do not matter: they are known to be many.
    ANALYZE;
    UPDATE pg_class SET reltuples = 20000, relpages = 500 WHERE relname IN ('orders', 'payment_intents');
";

/// Indexes that a statement may go through as a whole: they have nothing else than what is wanted, or it reads the first
/// rows in the order of the index.
const WALKED: [&str; 4] =
    ["using unequal_payouts", "using open_breaks", "using present_breaks", "using breaks_by_time"];

/// Makes a prepared statement of each query and of the commit; returns the arguments and the index of each.
async fn statements(db: &Client) -> Vec<(&'static str, String, &'static str)> {
    let mut statements = Vec::new();
    macro_rules! prepared {
        ($($name:literal $statement:ty: $arguments:expr, $index:literal;)*) => {$(
            prepare::<$statement>(db, $name).await;
            statements.push(($name, $arguments.to_string(), $index));
        )*};
    }
    let page = "'2025-03-02', now(), 't1', 10";
    prepared! {
        "state" ReadBooks: "", "books_pkey";
        "known" KnownTransactions: "'{}'", "balance_transactions_pkey";
        "orders_of_intents" OrdersOfIntents: "'{}'", "order_of_an_intent";
        "numbers_of_orders" OrderNumbers: "'{}'", "orders_pkey";
        "transactions_of_days" TransactionsOfDays: format!("'2025-03-02', {page}"), "balance_transactions_by_day";
        "transactions_of_order" TransactionsOfOrder: format!("{ID}, {page}"), "balance_transactions_of_an_order";
        "transactions_of_source" TransactionsOfSource:
            format!("'payment', 'pi_1', {page}"), "balance_transactions_of_a_source";
        "transactions_of_payout" TransactionsOfPayout: format!("'po_1', {page}"), "balance_transactions_pkey";
        "entries_of_days" EntriesOfDays: format!("'2025-03-02', {page}"), "book_entries_by_day";
        "entries_of_order" EntriesOfOrder: format!("{ID}, {page}"), "book_entries_of_an_order";
        "entries_of_source" EntriesOfSource: format!("'payment', 'pi_1', {page}"), "book_entries_of_a_source";
        "sums" CategorySums: "'2025-03-01', '2025-03-31'", "balance_transactions_by_day";
        "days" ClosedDays: "'2025-03-01', '2025-03-31'", "closed_days_pkey";
        "payout" PayoutById: "'po_1'", "payouts_pkey";
        "payouts_created" PayoutsCreated: "now(), now()", "payouts_by_time";
        "unsettled" UnsettledPayouts: "now(), now()", "payouts_by_time";
        "unequal" UnequalPayouts: "", "unequal_payouts";
        "open_items" OpenItems: "'', '', 10", "open_clearing_accounts";
        "open_items_of_orders" OpenItemsOfOrders: "'', '', 10", "open_clearing_accounts_of_orders";
        "open_breaks" OpenBreaks: "now(), 'b1', 10", "open_breaks";
        "present_breaks" PresentBreaks: "now(), 'b1', 10", "present_breaks";
        "latest_breaks" LatestBreaks: "now(), 'b1', 10", "breaks_by_time";
        "named_breaks" NamedBreaks: "'{}'", "book_breaks_pkey";
        "commit" CommitBooks<'_>: arguments_of_a_commit(), "payout_sums_pkey";
    }
    statements
}

/// The version, and an empty document or array for each other parameter.
fn arguments_of_a_commit() -> String {
    let text = <CommitBooks<'_> as PreparedStatement>::text().whole();
    let has_parameter = |n: &usize| text.contains(&format!("${n}:")) || text.contains(&format!("${n},"));
    let others = (2..200).take_while(has_parameter).count();
    assert!(others > 50, "{others}");
    format!("1{}", ", '{}'".repeat(others))
}

#[tokio::test]
async fn each_statement_of_the_books_finds_its_rows_by_an_index() {
    let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
    let database = Database::migrated(migrate).await;
    for setup in ["", "VACUUM ANALYZE", BOOKS] {
        database.client().await.batch_execute(setup).await.unwrap();
        let db = database.client().await;
        db.batch_execute(SESSION).await.unwrap();
        for (name, arguments, index) in statements(&db).await {
            let plan = plan(&db, name, &arguments).await;
            assert_indexed(name, &plan, &WALKED);
            // For tables that are known to be empty, several indexes are equally good; the plan is made again once they are
            // analyzed with rows.
            assert!(setup == "VACUUM ANALYZE" || has_any(&plan, &format!("{index} on|{index} ")), "{name}: {plan:#?}");
        }
    }
}
