//! Payouts and what they contain.

use std::collections::BTreeMap;

use paywright_domain::Timestamp;
use paywright_domain::books::{Payout, Reconciliation};
use paywright_domain::id::{BalanceTransactionId, PayoutId};

use super::bookkeeper::{Bookkeeper, BooksError};
use crate::{
    BalancePage, BookedPayout, BooksChanges, BooksState, CreatedRange, GatewayError, PAYOUT_CHANGES_SECONDS,
    PayoutQuery, RefusedObject, Versioned,
};

impl Bookkeeper {
    /// Reads the payouts that are new or may have changed, and once each what a payout contains when Stripe has listed
    /// it. Reading it again would cost as many calls each time.
    pub(super) async fn read_payouts(
        &self,
        books: Versioned<BooksState>,
        now: Timestamp,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let settled = now.minus_seconds(PAYOUT_CHANGES_SECONDS);
        let range = CreatedRange { from: books.value.payouts_until.min(settled), until: now.plus_seconds(1) };
        let books = self.read_new_payouts(books, range, now).await?;
        let since = books.value.start.minus_seconds(PAYOUT_CHANGES_SECONDS);
        let unsettled = self.books.payouts(&PayoutQuery::Unsettled { since, now }).await?;
        let mut books = books;
        for BookedPayout { payout: stored, members } in unsettled {
            let payout = if stored.created < range.from { self.read_payout(&stored).await? } else { stored.clone() };
            if payout != stored {
                books = self.store_payouts(books, vec![payout.clone()], now).await?;
            }
            if members.is_none() && payout.reconciliation == Reconciliation::Completed {
                books = self.read_members(books, payout).await?;
            }
        }
        Ok(books)
    }

    async fn read_new_payouts(
        &self,
        mut books: Versioned<BooksState>,
        range: CreatedRange,
        now: Timestamp,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let mut after = None;
        loop {
            let page = self.balance.payouts(range, after.as_deref()).await?;
            books = self.store_payouts(books, page.items, now).await?;
            books = self.tell_refused(books, page.refused).await?;
            after = page.next;
            if after.is_none() {
                // Another process may have read later ones since this time was taken.
                let payouts_until = books.value.payouts_until.max(now);
                let state = BooksState { payouts_until, ..books.value };
                return self.commit(BooksChanges::new(books.version, state)).await;
            }
        }
    }

    /// Stores those of `payouts` that are not stored, or differ from what is stored, with the events that tell what became
    /// of them. A payout of long ago that is read for the first time is not told.
    pub(super) async fn store_payouts(
        &self,
        books: Versioned<BooksState>,
        payouts: Vec<Payout>,
        now: Timestamp,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let times = || payouts.iter().map(|it| it.created);
        let (Some(from), Some(last)) = (times().min(), times().max()) else { return Ok(books) };
        let stored = self.books.payouts(&PayoutQuery::Created { from, until: last.plus_seconds(1) }).await?;
        let stored: BTreeMap<PayoutId, Payout> =
            stored.into_iter().map(|it: BookedPayout| (it.payout.id.clone(), it.payout)).collect();
        let differing: Vec<Payout> = payouts.into_iter().filter(|it| stored.get(&it.id) != Some(it)).collect();
        if differing.is_empty() {
            return Ok(books);
        }
        let told_from = now.minus_seconds(PAYOUT_CHANGES_SECONDS).max(books.value.start);
        let is_told = |it: &&Payout| match stored.get(&it.id) {
            Some(before) => before.status != it.status,
            None => it.created >= told_from,
        };
        let context = self.event_context();
        let events = differing.iter().filter(is_told).filter_map(|it| context.payout_changed(it)).collect();
        let changes = BooksChanges { payouts: differing, events, ..BooksChanges::new(books.version, books.value) };
        self.commit(changes).await
    }

    /// Reads a payout again; as it is stored if Stripe no longer has it, or has a value that the books cannot hold.
    async fn read_payout(&self, stored: &Payout) -> Result<Payout, BooksError> {
        match self.balance.payout(&stored.id).await {
            Ok(payout) => Ok(payout),
            Err(GatewayError::NotFound(_)) => Ok(stored.clone()),
            Err(GatewayError::NotUnderstood(problem)) => {
                self.warnings.warn(format!("This payout is booked as it was before: {problem}."));
                Ok(stored.clone())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what a payout contains. A balance transaction of it that no walk has found, because Stripe listed it too late,
    /// is booked now.
    pub(super) async fn read_members(
        &self,
        mut books: Versioned<BooksState>,
        payout: Payout,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let mut members: Vec<BalanceTransactionId> = Vec::new();
        let mut after = None;
        loop {
            let page = self.balance.members(&payout.id, after.as_deref()).await?;
            if let Some(RefusedObject { problem, .. }) = page.refused.into_iter().next() {
                // What it contains is not known, as long as one of its rows cannot be named.
                let (id, created) = (payout.id.to_string(), Some(payout.created));
                return self.tell_refused(books, vec![RefusedObject { id, created, problem }]).await;
            }
            members.extend(page.items.iter().map(|it| it.id.clone()));
            let items = page.items.into_iter().filter_map(|it| it.transaction).collect();
            books = self.store_transactions(books, BalancePage { items, refused: vec![], next: None }).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let members = vec![(payout.id.clone(), members)];
        let payouts = vec![payout];
        self.commit(BooksChanges { payouts, members, ..BooksChanges::new(books.version, books.value) }).await
    }
}
