//! Books of the store in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paywright_app::stored::clearing_sums;
use paywright_app::{
    BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakPage, BreakPlace,
    BreakQuery, CategorySum, ClearingItem, ClearingKey, ClosedDay, MemberSum, OpenItemQuery, PAYOUT_CHANGES_SECONDS,
    PayoutQuery, RowFilter, RowQuery, StoreError, Versioned,
};
use paywright_domain::books::{
    Day, Entry, Payout, PayoutStatus, Reconciliation, ReportingCategory, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, OrderNumber, PayoutId};
use paywright_domain::money::MoneyError;
use paywright_domain::{IntentId, OrderId, Timestamp};

use super::MemoryStore;
use super::tables::Tables;

/// Tables of the books.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct BooksTables {
    pub(crate) state: Option<Versioned<BooksState>>,
    pub(crate) transactions: BTreeMap<BalanceTransactionId, BookedTransaction>,
    pub(crate) entries: BTreeMap<String, BookedEntry>,
    pub(crate) clearing: BTreeMap<ClearingKey, ClearingItem>,
    pub(crate) payouts: BTreeMap<PayoutId, Payout>,
    pub(crate) members: BTreeMap<PayoutId, Vec<BalanceTransactionId>>,
    pub(crate) days: BTreeMap<Day, ClosedDay>,
    pub(crate) breaks: BTreeMap<String, Break>,
}

/// Row of a table that is read in pages.
trait Row {
    /// Day, time and id, by which rows are ordered.
    fn key(&self) -> (Option<Day>, Timestamp, &str);
    fn order(&self) -> Option<OrderId>;
    fn source(&self) -> &Source;
}

impl Row for BookedTransaction {
    fn key(&self) -> (Option<Day>, Timestamp, &str) {
        (self.day, self.transaction.created, self.transaction.id.as_str())
    }

    fn order(&self) -> Option<OrderId> {
        self.order
    }

    fn source(&self) -> &Source {
        &self.transaction.source
    }
}

impl Row for BookedEntry {
    fn key(&self) -> (Option<Day>, Timestamp, &str) {
        (self.day, self.at, &self.id)
    }

    fn order(&self) -> Option<OrderId> {
        Some(self.order)
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

/// Error for values that no store can hold.
fn refused(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt(problem.into())
}

impl BooksTables {
    /// Writes all of the changes, or nothing.
    fn commit(&mut self, changes: &BooksChanges) -> Result<(), StoreError> {
        let version = self.state.as_ref().map_or(paywright_app::Version::NEW, |it| it.version);
        if version != changes.expected {
            return Err(StoreError::Conflict);
        }
        let mut after = self.clone();
        after.state = Some(Versioned { version: version.next(), value: changes.state.clone() });
        for row in &changes.transactions {
            after.add_transaction(row)?;
        }
        for row in &changes.entries {
            after.add_entry(row)?;
        }
        for payout in &changes.payouts {
            let stored = after.payouts.entry(payout.id.clone()).or_insert_with(|| payout.clone());
            let (amount, created, automatic) = (stored.amount, stored.created, stored.automatic);
            *stored = Payout { amount, created, automatic, ..payout.clone() };
        }
        for (payout, members) in &changes.members {
            if !after.payouts.contains_key(payout) {
                return Err(refused("members of a payout that is not stored"));
            }
            let mut members = members.clone();
            members.sort();
            members.dedup();
            after.members.entry(payout.clone()).or_insert(members);
        }
        for day in &changes.days {
            after.days.entry(day.day).or_insert_with(|| day.clone());
        }
        after.breaks.extend(changes.breaks.iter().map(|it| (it.id.clone(), it.clone())));
        *self = after;
        Ok(())
    }

    fn add_transaction(&mut self, row: &BookedTransaction) -> Result<(), StoreError> {
        if self.transactions.contains_key(&row.transaction.id) {
            return Ok(());
        }
        let entry = Entry::of_balance_transaction(&row.transaction).map_err(refused)?;
        for (source, sum) in clearing_sums(&entry) {
            let item = self.account(source, sum);
            item.moved = item.moved.minus(sum).map_err(refused)?;
            item.transactions += 1;
            touch(item, row);
        }
        self.transactions.insert(row.transaction.id.clone(), row.clone());
        Ok(())
    }

    fn add_entry(&mut self, row: &BookedEntry) -> Result<(), StoreError> {
        if self.entries.contains_key(&row.id) {
            return Ok(());
        }
        for (source, sum) in clearing_sums(&row.entry) {
            let item = self.account(source, sum);
            item.expected = item.expected.plus(sum).map_err(refused)?;
            item.entries += 1;
            touch(item, row);
        }
        self.entries.insert(row.id.clone(), row.clone());
        Ok(())
    }

    /// Clearing account of an object in the currency of an amount.
    fn account(&mut self, source: Source, amount: SignedMoney) -> &mut ClearingItem {
        let zero = SignedMoney::zero(amount.currency());
        let key = ClearingKey { object: source.to_string(), currency: amount.currency() };
        self.clearing.entry(key).or_insert(ClearingItem {
            source,
            order: None,
            expected: zero,
            moved: zero,
            entries: 0,
            transactions: 0,
            latest: Timestamp::EPOCH,
            has_day: false,
        })
    }

    fn page<'a, R: Row + Clone + 'a>(&self, rows: impl Iterator<Item = &'a R>, query: &RowQuery) -> Vec<R> {
        let after = query.after.as_ref().map(|(day, time, id)| (*day, *time, id.as_str()));
        let is_wanted = |row: &&R| match &query.filter {
            RowFilter::Days { from, to } => row.key().0.is_some_and(|it| *from <= it && it <= *to),
            RowFilter::Order(order) => row.order() == Some(*order),
            RowFilter::Source(source) => row.source() == source,
            RowFilter::Payout(payout) => {
                let members = self.members.get(payout);
                members.is_some_and(|it| it.iter().any(|member| member.as_str() == row.key().2))
            }
        };
        let mut page: Vec<&R> =
            rows.filter(is_wanted).filter(|it| after.is_none_or(|after| it.key() > after)).collect();
        page.sort_by(|one, other| one.key().cmp(&other.key()));
        page.into_iter().take(usize::from(query.limit)).cloned().collect()
    }

    fn entries(&self, query: &RowQuery) -> Vec<BookedEntry> {
        match query.filter {
            RowFilter::Payout(_) => Vec::new(),
            RowFilter::Days { .. } | RowFilter::Order(_) | RowFilter::Source(_) => {
                self.page(self.entries.values(), query)
            }
        }
    }

    fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, MoneyError> {
        let mut sums: BTreeMap<_, CategorySum> = BTreeMap::new();
        let is_within = |it: &&BookedTransaction| it.day.is_some_and(|it| from <= it && it <= to);
        for row in self.transactions.values().filter(is_within).map(|it| &it.transaction) {
            let (balance, zero) = (row.balance, SignedMoney::zero(row.net.currency()));
            let category: &ReportingCategory = &row.category;
            let sum = sums.entry((balance, zero.currency(), category)).or_insert_with(|| CategorySum {
                balance,
                category: category.clone(),
                count: 0,
                gross: zero,
                fee: zero,
                net: zero,
            });
            sum.count += 1;
            sum.gross = sum.gross.plus(row.amount)?;
            sum.fee = sum.fee.plus(row.fee)?;
            sum.net = sum.net.plus(row.net)?;
        }
        Ok(sums.into_values().collect())
    }

    fn booked(&self, payout: &Payout) -> BookedPayout {
        let members = self.members.get(&payout.id).map(|members| {
            let known = members.iter().filter_map(|it| self.transactions.get(it));
            let mut sum = MemberSum { count: 0, known: 0, net: SignedMoney::zero(payout.amount.currency()) };
            sum.count = members.iter().fold(0, |count, _| count + 1);
            for row in known {
                sum.known += 1;
                // One in another currency, or that makes the sum too large, adds nothing.
                sum.net = sum.net.plus(row.transaction.net).unwrap_or(sum.net);
            }
            sum
        });
        BookedPayout { payout: payout.clone(), members }
    }

    fn payouts(&self, query: &PayoutQuery) -> Vec<BookedPayout> {
        let is_wanted = |it: &BookedPayout| match query {
            PayoutQuery::Id(id) => it.payout.id == *id,
            PayoutQuery::Created { from, until } => *from <= it.payout.created && it.payout.created < *until,
            PayoutQuery::Unsettled { since, now } => {
                let is_over = matches!(it.payout.status, PayoutStatus::Failed | PayoutStatus::Canceled);
                let has_members =
                    matches!(it.payout.reconciliation, Reconciliation::Completed | Reconciliation::InProgress);
                let may_change = it.payout.created > now.minus_seconds(PAYOUT_CHANGES_SECONDS);
                *since <= it.payout.created && !is_over && (may_change || (has_members && it.members.is_none()))
            }
            PayoutQuery::Unequal => it.members.is_some_and(|members| members.net != it.payout.amount),
        };
        let mut payouts: Vec<_> = self.payouts.values().map(|it| self.booked(it)).filter(is_wanted).collect();
        payouts
            .sort_by(|one, other| (one.payout.created, &one.payout.id).cmp(&(other.payout.created, &other.payout.id)));
        payouts
    }

    fn open_items(&self, query: &OpenItemQuery) -> Vec<ClearingItem> {
        let open = self.clearing.iter().filter(|(_, it)| it.expected != it.moved);
        let wanted = open.filter(|(_, it)| !query.of_orders || it.order.is_some());
        let page = wanted.filter(|(key, _)| query.after.as_ref().is_none_or(|after| *key > after));
        page.take(usize::from(query.limit)).map(|(_, it)| it.clone()).collect()
    }

    fn breaks(&self, query: &BreakQuery) -> Vec<Break> {
        let mut breaks: Vec<&Break> = self.breaks.values().collect();
        breaks.sort_by(|one, other| (one.first_seen, &one.id).cmp(&(other.first_seen, &other.id)));
        let comes_after =
            |it: &Break, page: &BreakPage| page.after.as_ref().is_none_or(|place| BreakPlace::of(it) > *place);
        let limit = match query {
            BreakQuery::Open(page) => {
                breaks.retain(|it| it.is_open() && comes_after(it, page));
                page.limit
            }
            BreakQuery::Present(page) => {
                breaks.retain(|it| it.gone_at.is_none() && comes_after(it, page));
                page.limit
            }
            BreakQuery::Latest(page) => {
                breaks.retain(|it| page.after.as_ref().is_none_or(|place| BreakPlace::of(it) < *place));
                breaks.reverse();
                page.limit
            }
            BreakQuery::Named(names) => {
                breaks.retain(|it| names.contains(&it.id));
                u16::MAX
            }
        };
        breaks.into_iter().take(usize::from(limit)).cloned().collect()
    }
}

/// Order, time and day of a clearing account with one more row.
fn touch(item: &mut ClearingItem, row: &impl Row) {
    let (day, time, _) = row.key();
    item.order = item.order.or(row.order());
    item.latest = item.latest.max(time);
    item.has_day |= day.is_some();
}

impl Tables {
    fn orders_of_intents(&self, intents: &[IntentId]) -> Vec<(IntentId, OrderId)> {
        let orders: BTreeMap<_, _> =
            intents.iter().filter_map(|it| Some((it.clone(), *self.intents.get(it)?))).collect();
        orders.into_iter().collect()
    }
}

#[async_trait]
impl Books for MemoryStore {
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError> {
        Ok(self.read(|it| it.books.state.clone()))
    }

    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        let changes = changes.clone();
        self.write(move |it| {
            it.books.commit(&changes)?;
            it.feed.add_account_events(&changes.events);
            it.audit.extend(changes.audit.clone());
            Ok(())
        })
    }

    async fn known_transactions(&self, ids: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError> {
        let mut known = self.read(|it| {
            let is_known = |id: &&BalanceTransactionId| it.books.transactions.contains_key(*id);
            ids.iter().filter(is_known).cloned().collect::<Vec<_>>()
        });
        known.sort();
        known.dedup();
        Ok(known)
    }

    async fn orders_of_intents(&self, intents: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError> {
        Ok(self.read(|it| it.orders_of_intents(intents)))
    }

    async fn order_numbers(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError> {
        let number = |tables: &Tables, id: &OrderId| Some((*id, tables.orders.get(id)?.value.number.clone()));
        Ok(self.read(|it| orders.iter().filter_map(|id| number(it, id)).collect()))
    }

    async fn transactions(&self, query: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError> {
        Ok(self.read(|it| it.books.page(it.books.transactions.values(), query)))
    }

    async fn entries(&self, query: &RowQuery) -> Result<Vec<BookedEntry>, StoreError> {
        Ok(self.read(|it| it.books.entries(query)))
    }

    async fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, StoreError> {
        self.read(|it| it.books.category_sums(from, to)).map_err(refused)
    }

    async fn closed_days(&self, from: Day, to: Day) -> Result<Vec<ClosedDay>, StoreError> {
        let is_within = |it: &&ClosedDay| from <= it.day && it.day <= to;
        Ok(self.read(|it| it.books.days.values().filter(is_within).cloned().collect()))
    }

    async fn payouts(&self, query: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError> {
        Ok(self.read(|it| it.books.payouts(query)))
    }

    async fn open_items(&self, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError> {
        Ok(self.read(|it| it.books.open_items(query)))
    }

    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError> {
        Ok(self.read(|it| it.books.breaks(query)))
    }
}
