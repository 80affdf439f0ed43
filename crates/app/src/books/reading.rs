//! Readings of Stripe's balance, with which the books are compared.

use paywright_domain::Timestamp;

use super::amounts::Balances;
use super::bookkeeper::{Bookkeeper, BooksError};
use crate::{BalanceReading, BooksChanges, BooksState, CreatedRange, ReportedTransaction, Versioned};

/// Largest number of attempts to read the balance while balance transactions are being made.
const READS_MAX: u32 = 3;

/// Time that is added to Stripe's clock as it is known here, in seconds, so that the newest balance transaction is read
/// whatever the clocks say.
pub(super) const NEWEST_SECONDS: u32 = 3600;

impl Bookkeeper {
    /// Reads Stripe's balance between two readings of the newest balance transactions that find the same one: only then
    /// it contains those that are stored. The first reading gives the opening balances. On an account that is never
    /// quiet, the last reading stays.
    pub(super) async fn read_balance(
        &self,
        mut books: Versioned<BooksState>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        for _ in 0..READS_MAX {
            let newest;
            (books, newest) = self.read_newest(books).await?;
            let sums = self.balance.balance().await?;
            let again = self.balance.transactions(self.since_the_walk(&books.value), None).await?;
            if again.items.first().map(id) != newest {
                continue;
            }
            let now = self.stripe_now();
            let moved = self.moved(&books.value, now).await?;
            let theirs = Balances::reported(&sums)?;
            let opening = match &books.value.opening {
                Some(opening) => Balances::of(opening)?,
                None => theirs.less(&moved.clone().of_reported_balances())?,
            };
            let ours = if books.value.opening.is_some() { moved } else { moved.with(&opening)? };
            let reading = Some(BalanceReading { until: now, sums, ours: ours.of_reported_balances().amounts() });
            let state = BooksState { opening: Some(opening.amounts()), reading, ..books.value };
            return self.commit(BooksChanges::new(books.version, state)).await;
        }
        Ok(books)
    }

    fn since_the_walk(&self, state: &BooksState) -> CreatedRange {
        CreatedRange { from: state.transactions_until, until: self.stripe_now().plus_seconds(NEWEST_SECONDS) }
    }

    /// Reads the balance transactions since the walk's end, and returns the id of the newest one.
    async fn read_newest(
        &self,
        books: Versioned<BooksState>,
    ) -> Result<(Versioned<BooksState>, Option<String>), BooksError> {
        let range = self.since_the_walk(&books.value);
        let page = self.balance.transactions(range, None).await?;
        let newest = page.items.first().map(id);
        let books = self.store_transactions(books, page.items).await?;
        let books = if page.next.is_some() { self.read_range(books, range).await? } else { books };
        Ok((books, newest))
    }

    /// Amounts of the last closed day's end, if one is closed, with all that is in the open days.
    async fn moved(&self, state: &BooksState, now: Timestamp) -> Result<Balances, BooksError> {
        let from = state.first_open_day();
        let mut sums = self.access().before_open_days(state).await?;
        let to = self.settings.zone.day_of(now.plus_seconds(NEWEST_SECONDS)).max(from);
        for each in self.books.category_sums(from, to).await? {
            sums.add(each.balance, each.net)?;
        }
        Ok(sums)
    }
}

fn id(reported: &ReportedTransaction) -> String {
    reported.transaction.id.to_string()
}
