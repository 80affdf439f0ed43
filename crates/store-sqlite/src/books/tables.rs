//! Tables of the books.

use diesel::{allow_tables_to_appear_in_same_query, table};
use paywright_app::stored::{
    StoredBalanceTransaction, StoredBreak, StoredClearingAccount, StoredClosedDay, StoredEntry, StoredPayout,
};

use crate::columns::stored_table;

table! {
    books (only_one) {
        only_one -> Bool,
        version -> BigInt,
        state -> Text,
    }
}

stored_table! {
    /// Row of a balance transaction.
    TransactionRow of StoredBalanceTransaction in balance_transactions (id)
    fixed (id)
    own {}
    columns {
        id: Text,
        created: BigInt,
        day: Nullable<Text>,
        category: Text,
        balance: Text,
        currency: Text,
        amount: BigInt,
        fee: BigInt,
        net: BigInt,
        fees: Text,
        description: Text,
        source_kind: Text,
        source_id: Text,
        intent_id: Nullable<Text>,
        order_id: Nullable<Binary>,
        presented_currency: Nullable<Text>,
        presented_amount: Nullable<BigInt>,
        recorded_at: BigInt,
    }
}

stored_table! {
    /// Row of an entry of an order.
    EntryRow of StoredEntry in book_entries (id)
    fixed (id)
    own {}
    columns {
        id: Text,
        order_id: Binary,
        at: BigInt,
        day: Nullable<Text>,
        source_kind: Text,
        source_id: Text,
        postings: Text,
    }
}

stored_table! {
    /// Row of a clearing account.
    ClearingRow of StoredClearingAccount in clearing_accounts (object, currency)
    fixed (object, currency)
    own {}
    columns {
        object: Text,
        currency: Text,
        source_kind: Text,
        order_id: Nullable<Binary>,
        expected: BigInt,
        moved: BigInt,
        entries: BigInt,
        transactions: BigInt,
        latest: BigInt,
        has_day: Bool,
    }
}

stored_table! {
    /// Row of a payout.
    PayoutRow of StoredPayout in payouts (id)
    fixed (id, currency, amount, created, automatic)
    own {}
    columns {
        id: Text,
        currency: Text,
        amount: BigInt,
        created: BigInt,
        arrival: BigInt,
        status: Text,
        automatic: Bool,
        reconciliation: Text,
        balance_transaction: Nullable<Text>,
        failure_balance_transaction: Nullable<Text>,
        failure_code: Nullable<Text>,
        trace_id: Nullable<Text>,
    }
}

table! {
    payout_members (payout_id, transaction_id) {
        payout_id -> Text,
        transaction_id -> Text,
    }
}

table! {
    payout_sums (payout_id) {
        payout_id -> Text,
        currency -> Text,
        amount -> BigInt,
        members -> BigInt,
        known -> BigInt,
        net -> BigInt,
    }
}

stored_table! {
    /// Row of a closed day.
    ClosedDayRow of StoredClosedDay in closed_days (day)
    fixed (day)
    own {}
    columns {
        day: Text,
        hash: Text,
        previous: Nullable<Text>,
        timezone: Text,
        closed_at: BigInt,
        summary: Text,
    }
}

stored_table! {
    /// Row of a break.
    BreakRow of StoredBreak in book_breaks (id)
    fixed (id)
    own {}
    columns {
        id: Text,
        class: Text,
        object: Text,
        order_id: Nullable<Binary>,
        ours_currency: Nullable<Text>,
        ours_amount: Nullable<BigInt>,
        theirs_currency: Nullable<Text>,
        theirs_amount: Nullable<BigInt>,
        since: BigInt,
        first_seen: BigInt,
        gone_at: Nullable<BigInt>,
        resolution: Nullable<Text>,
    }
}

allow_tables_to_appear_in_same_query!(balance_transactions, payout_members, payouts, payout_sums);
