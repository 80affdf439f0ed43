//! Objects of Stripe's that the books cannot hold: each is told once, holds up no other, and is read again by the next
//! process, which may be of a version that can.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use paywright_domain::Timestamp;
use paywright_domain::books::Reconciliation;
use paywright_domain::id::{BalanceTransactionId, PayoutId};

use super::bookkeeper::{Bookkeeper, BooksError};
use super::{Break, BreakClass};
use crate::{BooksChanges, BooksState, BreakQuery, CreatedRange, GatewayError, PayoutQuery, RefusedObject, Versioned};

impl Bookkeeper {
    /// Stores a break for each of `refused` that has none yet. Objects from before the first day are part of the opening
    /// balance.
    pub(super) async fn tell_refused(
        &self,
        books: Versioned<BooksState>,
        refused: Vec<RefusedObject>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        let now = self.stripe_now();
        let mut found = BTreeMap::new();
        for RefusedObject { id, created, problem } in refused {
            let created = created.unwrap_or(now);
            if created >= books.value.start {
                self.warnings.warn(format!("This object of Stripe's is not booked: {problem}."));
                let of = Break::new(BreakClass::Unreadable, &id, created, now);
                found.insert(of.id.clone(), of);
            }
        }
        if found.is_empty() {
            return Ok(books);
        }
        let names = found.keys().cloned().collect();
        for known in self.books.breaks(&BreakQuery::Named(names)).await?.iter().filter(|it| it.gone_at.is_none()) {
            found.remove(&known.id);
        }
        let breaks: Vec<Break> = found.into_values().collect();
        if breaks.is_empty() {
            return Ok(books);
        }
        let context = self.event_context();
        let events = breaks.iter().map(|it| context.break_found(it)).collect();
        self.commit(BooksChanges { breaks, events, ..BooksChanges::new(books.version, books.value) }).await
    }

    /// Reads once more, if this process has not done so yet, what could not be booked earlier. The breaks of what can be
    /// booked now are gone.
    pub(super) async fn read_refused_again(
        &self,
        mut books: Versioned<BooksState>,
        now: Timestamp,
    ) -> Result<Versioned<BooksState>, BooksError> {
        if self.has_read_refused.load(Ordering::Relaxed) {
            return Ok(books);
        }
        let mut gone = Vec::new();
        for told in self.present_breaks().await?.into_iter().filter(|it| it.class == BreakClass::Unreadable) {
            let is_booked;
            (books, is_booked) = match PayoutId::new(&told.object).ok().filter(|it| it.as_str().starts_with("po_")) {
                Some(payout) => self.read_refused_payout(books, &payout, now).await?,
                None => self.read_refused_transaction(books, &told).await?,
            };
            if is_booked {
                gone.push(Break { gone_at: Some(now), ..told });
            }
        }
        if !gone.is_empty() {
            let state = books.value;
            books = self.commit(BooksChanges { breaks: gone, ..BooksChanges::new(books.version, state) }).await?;
        }
        self.has_read_refused.store(true, Ordering::Relaxed);
        Ok(books)
    }

    async fn read_refused_transaction(
        &self,
        books: Versioned<BooksState>,
        told: &Break,
    ) -> Result<(Versioned<BooksState>, bool), BooksError> {
        let Ok(id) = BalanceTransactionId::new(&told.object) else { return Ok((books, false)) };
        let range = CreatedRange { from: told.since, until: told.since.plus_seconds(1) };
        let books = self.read_range(books, range).await?;
        Ok((books, !self.books.known_transactions(&[id]).await?.is_empty()))
    }

    async fn read_refused_payout(
        &self,
        books: Versioned<BooksState>,
        id: &PayoutId,
        now: Timestamp,
    ) -> Result<(Versioned<BooksState>, bool), BooksError> {
        let payout = match self.balance.payout(id).await {
            Ok(payout) => payout,
            Err(GatewayError::NotUnderstood(_) | GatewayError::NotFound(_)) => return Ok((books, false)),
            Err(error) => return Err(error.into()),
        };
        let mut books = self.store_payouts(books, vec![payout.clone()], now).await?;
        if payout.reconciliation != Reconciliation::Completed {
            return Ok((books, true));
        }
        books = self.read_members(books, payout).await?;
        let stored = self.books.payouts(&PayoutQuery::Id(id.clone())).await?;
        Ok((books, stored.iter().any(|it| it.members.is_some())))
    }
}
