//! Commits of the books.

use std::borrow::Cow;

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::BooksChanges;
use paywright_app::stored::{
    ColumnError, StoredBalanceTransaction, StoredBooksChanges, StoredBreak, StoredClearingAccount, StoredClosedDay,
    StoredEntry, StoredPayout, WithClearing,
};

use crate::account_events::{AccountEvents, store_account_events};
use crate::audit_trail::{Entries as AuditEntries, audited};
use crate::columns::tables;
use crate::failure::Failure;
use crate::statement::{filled, parameters, statement};

tables! {
    /// Balance transactions, as one array for each column.
    Transactions of StoredBalanceTransaction {
        txn_ids: id as SqlText,
        txn_created: created as Timestamptz,
        txn_days: day as Nullable<SqlText>,
        txn_categories: category as SqlText,
        txn_balances: balance as SqlText,
        txn_currencies: currency as SqlText,
        txn_amounts: amount as BigInt,
        txn_fee_sums: fee as BigInt,
        txn_nets: net as BigInt,
        txn_fees: fees as SqlText,
        txn_descriptions: description as SqlText,
        txn_source_kinds: source_kind as SqlText,
        txn_source_ids: source_id as SqlText,
        txn_intents: intent_id as Nullable<SqlText>,
        txn_orders: order_id as Nullable<SqlUuid>,
        txn_presented_currencies: presented_currency as Nullable<SqlText>,
        txn_presented_amounts: presented_amount as Nullable<BigInt>,
        txn_recorded_at: recorded_at as Timestamptz,
    }

    /// Entries of orders, as one array for each column.
    Entries of StoredEntry {
        entry_ids: id as SqlText,
        entry_orders: order_id as SqlUuid,
        entry_at: at as Timestamptz,
        entry_days: day as Nullable<SqlText>,
        entry_source_kinds: source_kind as SqlText,
        entry_source_ids: source_id as SqlText,
        entry_postings: postings as SqlText,
    }

    /// Parts that rows add to clearing accounts, as one array for each column.
    Parts of StoredClearingAccount {
        part_objects: object as SqlText,
        part_currencies: currency as SqlText,
        part_source_kinds: source_kind as SqlText,
        part_orders: order_id as Nullable<SqlUuid>,
        part_expected: expected as BigInt,
        part_moved: moved as BigInt,
        part_entries: entries as BigInt,
        part_transactions: transactions as BigInt,
        part_latest: latest as Timestamptz,
        part_has_day: has_day as Bool,
    }

    /// Payouts, as one array for each column.
    Payouts of StoredPayout {
        payout_ids: id as SqlText,
        payout_currencies: currency as SqlText,
        payout_amounts: amount as BigInt,
        payout_created: created as Timestamptz,
        payout_arrivals: arrival as Timestamptz,
        payout_statuses: status as SqlText,
        payout_automatic: automatic as Bool,
        payout_reconciliations: reconciliation as SqlText,
        payout_balance_transactions: balance_transaction as Nullable<SqlText>,
        payout_failure_balance_transactions: failure_balance_transaction as Nullable<SqlText>,
        payout_failure_codes: failure_code as Nullable<SqlText>,
        payout_trace_ids: trace_id as Nullable<SqlText>,
    }

    /// Closed days, as one array for each column.
    Days of StoredClosedDay {
        day_days: day as SqlText,
        day_hashes: hash as SqlText,
        day_previous: previous as Nullable<SqlText>,
        day_timezones: timezone as SqlText,
        day_closed_at: closed_at as Timestamptz,
        day_summaries: summary as SqlText,
    }

    /// Breaks, as one array for each column.
    Breaks of StoredBreak {
        break_ids: id as SqlText,
        break_classes: class as SqlText,
        break_objects: object as SqlText,
        break_orders: order_id as Nullable<SqlUuid>,
        break_ours_currencies: ours_currency as Nullable<SqlText>,
        break_ours_amounts: ours_amount as Nullable<BigInt>,
        break_theirs_currencies: theirs_currency as Nullable<SqlText>,
        break_theirs_amounts: theirs_amount as Nullable<BigInt>,
        break_since: since as Timestamptz,
        break_first_seen: first_seen as Timestamptz,
        break_gone_at: gone_at as Nullable<Timestamptz>,
        break_resolutions: resolution as Nullable<SqlText>,
    }
}

/// Parts of clearing accounts, each with the id of the row that adds it if the row is new.
struct PartsOfRows<'a> {
    rows: Vec<Cow<'a, str>>,
    parts: Parts<'a>,
}

parameters!(self: PartsOfRows<'_> {
    part_rows: Array<SqlText> = self.rows,
    ..Parts = self.parts,
});

/// Lists of the members of payouts.
#[derive(Default)]
struct Lists<'a> {
    of: Vec<Cow<'a, str>>,
    payouts: Vec<Cow<'a, str>>,
    transactions: Vec<Cow<'a, str>>,
}

parameters!(self: Lists<'_> {
    list_payouts: Array<SqlText> = self.of,
    member_payouts: Array<SqlText> = self.payouts,
    member_transactions: Array<SqlText> = self.transactions,
});

/// Statement of a commit (`commit_books.sql`).
pub(crate) struct CommitBooks<'a> {
    expected: i64,
    state: Cow<'a, str>,
    transactions: Transactions<'a>,
    entries: Entries<'a>,
    parts: PartsOfRows<'a>,
    payouts: Payouts<'a>,
    lists: Lists<'a>,
    days: Days<'a>,
    breaks: Breaks<'a>,
    events: AccountEvents,
    audit: AuditEntries<'a>,
}

statement!(CommitBooks<'_> => (),
    filled!(include_str!("../sql/commit_books.sql"), "{events}" => store_account_events!("head"), "{audited}" => audited!("head")),
    self {
    expected_version: BigInt = self.expected,
    state: SqlText = self.state,
    ..Transactions = self.transactions,
    ..Entries = self.entries,
    ..PartsOfRows = self.parts,
    ..Payouts = self.payouts,
    ..Lists = self.lists,
    ..Days = self.days,
    ..Breaks = self.breaks,
    ..AccountEvents = self.events,
    ..AuditEntries = self.audit,
});

impl<'a> CommitBooks<'a> {
    pub(crate) fn of(changes: &'a BooksChanges) -> Result<Self, Failure> {
        let StoredBooksChanges { expected, state, transactions, entries, payouts, members, days, breaks } =
            StoredBooksChanges::of(changes)?;
        let (mut ids, mut parts) = (Vec::new(), Vec::new());
        let mut add = |id: &Cow<'a, str>, added: Vec<StoredClearingAccount<'a>>| {
            ids.extend(added.iter().map(|_| id.clone()));
            parts.extend(added.into_iter().map(Ok));
        };
        let mut transaction = |WithClearing { row, parts }: WithClearing<'a, StoredBalanceTransaction<'a>>| {
            add(&row.id, parts);
            Ok::<_, ColumnError>(row)
        };
        let transactions = Transactions::of(transactions.into_iter().map(&mut transaction))?;
        let mut entry = |WithClearing { row, parts }: WithClearing<'a, StoredEntry<'a>>| {
            add(&row.id, parts);
            Ok::<_, ColumnError>(row)
        };
        let entries = Entries::of(entries.into_iter().map(&mut entry))?;
        let mut lists = Lists::default();
        for list in members {
            lists.payouts.extend(list.transaction_ids.iter().map(|_| list.payout_id.clone()));
            lists.transactions.extend(list.transaction_ids);
            lists.of.push(list.payout_id);
        }
        Ok(Self {
            expected,
            state,
            transactions,
            entries,
            parts: PartsOfRows { rows: ids, parts: Parts::of(parts.into_iter())? },
            payouts: Payouts::of(payouts.into_iter().map(Ok))?,
            lists,
            days: Days::of(days.into_iter().map(Ok))?,
            breaks: Breaks::of(breaks.into_iter().map(Ok))?,
            events: AccountEvents::of(&changes.events),
            audit: AuditEntries::of_all(changes.audit.as_slice())?,
        })
    }
}
