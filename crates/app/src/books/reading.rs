//! Readings of Stripe's balance, with which the books are compared.

use paywright_domain::Timestamp;

use super::amounts::Balances;
use super::bookkeeper::{Bookkeeper, BooksError};
use crate::{BalancePage, BalanceReading, BooksChanges, BooksState, CreatedRange, ReportedTransaction, Versioned};

/// Largest number of attempts to read the balance while balance transactions are being made.
const READS_MAX: u32 = 3;

/// Time that is added to Stripe's clock as it is known here, in seconds, so that the newest balance transaction is read
/// whatever the clocks say.
pub(super) const NEWEST_SECONDS: u32 = 3600;

impl Bookkeeper {
    /// Reads Stripe's balance between two readings of the newest balance transactions that find the same ones: only then
    /// it contains those that are stored. The first reading gives the opening balances. On an account that is never
    /// quiet, the last reading stays. A reading that differs from the books is repeated.
    pub(super) async fn read_balance(
        &self,
        mut books: Versioned<BooksState>,
    ) -> Result<Versioned<BooksState>, BooksError> {
        for attempt in 1..=READS_MAX {
            let newest;
            (books, newest) = self.read_newest(books).await?;
            let sums = self.balance.balance().await?;
            let again = self.balance.transactions(self.since_the_walk(&books.value), None).await?;
            if ids(&again) != newest {
                continue;
            }
            let now = self.stripe_now();
            let moved = self.moved(&books.value, now).await?;
            let theirs = Balances::reported(&sums)?;
            let opening = match &books.value.opening {
                Some(opening) => Balances::of(opening)?,
                None => theirs.clone().less(&moved.clone().of_reported_balances())?,
            };
            let ours = if books.value.opening.is_some() { moved } else { moved.with(&opening)? };
            let ours = ours.of_reported_balances();
            if attempt < READS_MAX && !theirs.less(&ours)?.amounts().is_empty() {
                // The balance and the list are two answers, and Stripe may show a movement in one before the other.
                self.clock.pause(attempt).await;
                continue;
            }
            let reading = Some(BalanceReading { until: now, sums, ours: ours.amounts() });
            let state = BooksState { opening: Some(opening.amounts()), reading, ..books.value };
            return self.commit(BooksChanges::new(books.version, state)).await;
        }
        Ok(books)
    }

    fn since_the_walk(&self, state: &BooksState) -> CreatedRange {
        CreatedRange { from: state.transactions_until, until: self.stripe_now().plus_seconds(NEWEST_SECONDS) }
    }

    /// Reads the balance transactions since the walk's end, and returns the ids of the newest ones.
    async fn read_newest(
        &self,
        books: Versioned<BooksState>,
    ) -> Result<(Versioned<BooksState>, Vec<String>), BooksError> {
        let range = self.since_the_walk(&books.value);
        let page = self.balance.transactions(range, None).await?;
        let (newest, has_more) = (ids(&page), page.next.is_some());
        let books = self.store_transactions(books, page).await?;
        let books = if has_more { self.read_range(books, range).await? } else { books };
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

/// Ids of all balance transactions of a page: of those of one second, a new one is not always the first.
fn ids(page: &BalancePage<ReportedTransaction>) -> Vec<String> {
    let items = page.items.iter().map(|it| it.transaction.id.to_string());
    items.chain(page.refused.iter().map(|it| it.id.clone())).collect()
}
