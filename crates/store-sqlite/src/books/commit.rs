//! Commits of the books.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::upsert::excluded;
use paywright_app::stored::{StoredBooksChanges, StoredClearingAccount, StoredMembers, WithClearing};
use paywright_app::{BooksChanges, Version};

use super::tables::{
    BreakRow, ClearingRow, ClosedDayRow, EntryRow, PayoutRow, TransactionRow, balance_transactions, book_breaks,
    book_entries, books, clearing_accounts, closed_days, payout_members, payout_sums, payouts,
};
use crate::audit_trail;
use crate::failure::Failure;
use crate::feed::append_account_events;
use crate::rows::Column;

/// Writes a commit to all its tables.
pub(super) fn changes(db: &mut SqliteConnection, changes: &BooksChanges) -> Result<(), Failure> {
    let rows = StoredBooksChanges::of(changes)?;
    replace_state(db, changes.expected, &rows.state)?;
    for WithClearing { row, parts } in rows.transactions {
        let (id, currency, net) = (row.id.clone(), row.currency.clone(), row.net);
        let insert = diesel::insert_into(balance_transactions::table).values(TransactionRow::of(row));
        if insert.on_conflict_do_nothing().execute(db)? > 0 {
            add_to_clearing_accounts(db, parts)?;
            add_to_payouts(db, &id, &currency, net)?;
        }
    }
    for WithClearing { row, parts } in rows.entries {
        let insert = diesel::insert_into(book_entries::table).values(EntryRow::of(row));
        if insert.on_conflict_do_nothing().execute(db)? > 0 {
            add_to_clearing_accounts(db, parts)?;
        }
    }
    for payout in rows.payouts {
        let row = PayoutRow::of(payout);
        diesel::insert_into(payouts::table).values(&row).on_conflict(payouts::id).do_update().set(&row).execute(db)?;
    }
    for members in rows.members {
        insert_members(db, &members)?;
    }
    for day in rows.days {
        let insert = diesel::insert_into(closed_days::table).values(ClosedDayRow::of(day));
        insert.on_conflict_do_nothing().execute(db)?;
    }
    for found in rows.breaks {
        let row = BreakRow::of(found);
        diesel::insert_into(book_breaks::table)
            .values(&row)
            .on_conflict(book_breaks::id)
            .do_update()
            .set(&row)
            .execute(db)?;
    }
    append_account_events(db, &changes.events)?;
    audit_trail::add(db, changes.audit.as_ref())
}

/// Replaces the state, unless the books have another version than `expected`.
fn replace_state(db: &mut SqliteConnection, expected: Version, state: &str) -> Result<(), Failure> {
    let next = (books::version.eq(i64::from(expected.next().0)), books::state.eq(state));
    let written = if expected == Version::NEW {
        let insert = diesel::insert_into(books::table).values((books::only_one.eq(true), next));
        insert.on_conflict_do_nothing().execute(db)?
    } else {
        let stored = books::table.filter(books::version.eq(i64::from(expected.0)));
        diesel::update(stored).set(next).execute(db)?
    };
    if written == 0 { Err(Failure::StaleVersion) } else { Ok(()) }
}

/// Adds what a new row says to clearing accounts.
fn add_to_clearing_accounts(db: &mut SqliteConnection, parts: Vec<StoredClearingAccount<'_>>) -> Result<(), Failure> {
    for part in parts {
        diesel::insert_into(clearing_accounts::table)
            .values(ClearingRow::of(part))
            .on_conflict((clearing_accounts::object, clearing_accounts::currency))
            .do_update()
            .set((
                clearing_accounts::order_id.eq(sql("coalesce(clearing_accounts.order_id, excluded.order_id)")),
                clearing_accounts::expected.eq(clearing_accounts::expected + excluded(clearing_accounts::expected)),
                clearing_accounts::moved.eq(clearing_accounts::moved + excluded(clearing_accounts::moved)),
                clearing_accounts::entries.eq(clearing_accounts::entries + excluded(clearing_accounts::entries)),
                clearing_accounts::transactions
                    .eq(clearing_accounts::transactions + excluded(clearing_accounts::transactions)),
                clearing_accounts::latest.eq(sql::<BigInt>("max(clearing_accounts.latest, excluded.latest)")),
                clearing_accounts::has_day.eq(sql::<Bool>("max(clearing_accounts.has_day, excluded.has_day)")),
            ))
            .execute(db)?;
    }
    Ok(())
}

/// Adds a new balance transaction to the sums of the payouts whose members it is one of.
fn add_to_payouts(db: &mut SqliteConnection, id: &str, currency: &str, net: i64) -> Result<(), Failure> {
    let of_transaction =
        payout_members::table.filter(payout_members::transaction_id.eq(id)).select(payout_members::payout_id);
    let in_its_currency = sql::<BigInt>("iif(currency = ").bind::<Text, _>(currency);
    diesel::update(payout_sums::table.filter(payout_sums::payout_id.eq_any(of_transaction)))
        .set((
            payout_sums::known.eq(payout_sums::known + 1),
            payout_sums::net.eq(payout_sums::net + in_its_currency.sql(", ").bind::<BigInt, _>(net).sql(", 0)")),
        ))
        .execute(db)?;
    Ok(())
}

/// Stores the members of a payout, unless they are stored, with their sum.
fn insert_members(db: &mut SqliteConnection, members: &StoredMembers<'_>) -> Result<(), Failure> {
    let id = members.payout_id.as_ref();
    let stored: Option<String> = payout_sums::table.find(id).select(payout_sums::payout_id).first(db).optional()?;
    if stored.is_some() {
        return Ok(());
    }
    let payout: Option<(String, i64)> =
        payouts::table.find(id).select((payouts::currency, payouts::amount)).first(db).optional()?;
    let (currency, amount) = Column("payout_members", "payout_id").read(payout.ok_or("is not a stored payout"))?;
    let (mut known, mut net) = (0, 0_i64);
    for transaction in &members.transaction_ids {
        let transaction = transaction.as_ref();
        diesel::insert_into(payout_members::table)
            .values((payout_members::payout_id.eq(id), payout_members::transaction_id.eq(transaction)))
            .execute(db)?;
        let row: Option<(String, i64)> = balance_transactions::table
            .find(transaction)
            .select((balance_transactions::currency, balance_transactions::net))
            .first(db)
            .optional()?;
        if let Some((its_currency, its_net)) = row {
            known += 1;
            let part = if its_currency == currency { its_net } else { 0 };
            net = Column("payout_sums", "net").read(net.checked_add(part).ok_or("is too large"))?;
        }
    }
    let count = Column("payout_sums", "members").read(i64::try_from(members.transaction_ids.len()))?;
    diesel::insert_into(payout_sums::table)
        .values((
            payout_sums::payout_id.eq(id),
            payout_sums::currency.eq(currency),
            payout_sums::amount.eq(amount),
            payout_sums::members.eq(count),
            payout_sums::known.eq(known),
            payout_sums::net.eq(net),
        ))
        .execute(db)?;
    Ok(())
}
