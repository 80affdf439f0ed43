//! Tax reports and exports, read from the books page by page.

use std::collections::BTreeMap;
use std::io::Write;

use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber, PayoutId};
use paywright_domain::{OrderId, Timestamp};
use thiserror::Error;

use super::bookkeeper::BooksError;
use super::reads::{BooksAccess, Pages};
use super::{
    AccountNames, BooksZone, DaySummary, ExportEntry, ExportError, ExportFormat, ExportRow, Exporter, NoStatement,
    Period, TaxReport,
};
use crate::{BooksState, PayoutQuery, RowFilter};

/// Why an export fails.
#[derive(Debug, Error)]
pub enum NoExport {
    /// The books have nothing of the period.
    #[error(transparent)]
    Period(#[from] NoStatement),
    /// The export cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl From<BooksError> for NoExport {
    fn from(error: BooksError) -> Self {
        Self::Period(error.into())
    }
}

impl BooksAccess {
    /// Makes the report of sales and taxes of a period.
    pub async fn tax(&self, period: Period) -> Result<TaxReport, NoStatement> {
        let (first, last) = self.days_of(period.first(), period.last()).await?;
        let mut report = TaxReport::new(period.first(), period.last());
        let mut pages = Pages::of_days(first, last);
        while let Some(entries) = self.next_entries(&mut pages).await? {
            for entry in &entries {
                report.add(entry).map_err(BooksError::Money)?;
            }
        }
        Ok(report)
    }

    /// Writes an export of the days from `from` to `to`, both included; without them, from the first day of the books and
    /// to today. Returns the output.
    pub async fn export<W: Write>(
        &self,
        (format, names): (ExportFormat, AccountNames),
        (from, to): (Option<Day>, Option<Day>),
        output: W,
    ) -> Result<W, NoExport> {
        let (state, zone) = self.begun().await?;
        let today = self.today(&state, &zone);
        let (first, last) = self.days_of(from.unwrap_or(state.first_day), to.unwrap_or(today)).await?;
        let payouts = self.payouts_of_rows(zone.start_of(first)).await?;
        let mut exporter = Exporter::new(format, output, names)?;
        let mut next = Some(first);
        while let Some(day) = next.filter(|it| *it <= last) {
            exporter.start_day(day, &self.summary_of_day(&state, &zone, day).await?)?;
            self.export_rows(&mut exporter, day, &payouts).await?;
            next = day.next();
        }
        Ok(exporter.finish()?)
    }

    async fn export_rows<W: Write>(
        &self,
        exporter: &mut Exporter<W>,
        day: Day,
        payouts: &BTreeMap<BalanceTransactionId, PayoutId>,
    ) -> Result<(), NoExport> {
        let mut pages = Pages::of_days(day, day);
        while let Some(rows) = self.next_transactions(&mut pages).await? {
            let numbers = self.order_numbers(rows.iter().filter_map(|it| it.order)).await?;
            for booked in &rows {
                let order_number = booked.order.and_then(|it| numbers.get(&it));
                exporter.transaction(&ExportRow {
                    booked,
                    payout: payouts.get(&booked.transaction.id),
                    order_number,
                })?;
            }
        }
        let mut pages = Pages::of_days(day, day);
        while let Some(entries) = self.next_entries(&mut pages).await? {
            let numbers = self.order_numbers(entries.iter().map(|it| it.order)).await?;
            for booked in &entries {
                exporter.entry(&ExportEntry { booked, order_number: numbers.get(&booked.order) })?;
            }
        }
        Ok(())
    }

    /// Payouts of the balance transactions that they contain, of payouts that were created since `since`.
    async fn payouts_of_rows(&self, since: Timestamp) -> Result<BTreeMap<BalanceTransactionId, PayoutId>, BooksError> {
        let until = self.clock.now().plus_seconds(u32::MAX);
        let mut of_rows = BTreeMap::new();
        for booked in self.books.payouts(&PayoutQuery::Created { from: since, until }).await? {
            let payout = booked.payout.id;
            let mut pages = Pages::of(RowFilter::Payout(payout.clone()));
            while let Some(rows) = self.next_transactions(&mut pages).await? {
                of_rows.extend(rows.into_iter().map(|it| (it.transaction.id, payout.clone())));
            }
        }
        Ok(of_rows)
    }

    /// Figures of a day: those of its statement if it is closed, else those of its rows.
    async fn summary_of_day(&self, state: &BooksState, zone: &BooksZone, day: Day) -> Result<DaySummary, BooksError> {
        match self.books.closed_days(day, day).await?.into_iter().next() {
            Some(closed) => Ok(closed.summary),
            None => self.summary_of_rows(&self.opening_of_open(state, day).await?, zone, day, day).await,
        }
    }

    /// Numbers of orders.
    pub(super) async fn order_numbers(
        &self,
        orders: impl IntoIterator<Item = OrderId>,
    ) -> Result<BTreeMap<OrderId, OrderNumber>, BooksError> {
        let mut orders: Vec<OrderId> = orders.into_iter().collect();
        orders.sort_unstable();
        orders.dedup();
        Ok(self.books.order_numbers(&orders).await?.into_iter().collect())
    }
}
