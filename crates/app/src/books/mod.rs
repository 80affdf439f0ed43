//! Books of the installation: what moved the balance at Stripe and what the orders expect, statements of days, and what
//! does not agree.

mod amounts;
mod bookkeeper;
mod breaks;
mod builder;
mod closing;
mod compare;
mod csv_output;
mod days;
mod duplicates;
mod export;
mod figures;
mod history;
mod ledger;
mod orders;
mod payouts;
mod reading;
mod reads;
mod refused;
mod reports;
#[cfg(test)]
mod samples;
mod statement;
mod statements;
mod summary;
mod tax;
mod transactions;
mod views;

pub use self::bookkeeper::{Bookkeeper, BookkeeperPorts, BooksError, BooksSettings};
pub use self::breaks::{Break, BreakClass, Resolution};
pub use self::builder::StatementBuilder;
pub use self::compare::Comparison;
pub use self::days::{BooksZone, UnknownZone};
pub use self::export::{AccountNameError, AccountNames, ExportEntry, ExportError, ExportFormat, ExportRow, Exporter};
pub use self::figures::BooksFigures;
pub use self::ledger::{Ledger, LedgerLine};
pub use self::reads::{BooksAccess, PayoutContent, RowPlace};
pub use self::reports::NoExport;
pub use self::statement::{Period, PeriodError, Statement, StatementStatus, StatementView};
pub use self::statements::NoStatement;
pub use self::summary::{BalanceSummary, Correction, DaySummary, ExchangeSum, PayoutMovement, StatementError, Sums};
pub use self::tax::{TaxFigures, TaxLine, TaxLineView, TaxReport, TaxReportView, TaxTotal, TaxTotalView};
pub use self::views::{
    BreakList, BreakView, LedgerLineView, LedgerSummaryView, LedgerView, PayoutMemberView, PayoutView, PostingView,
    ResolutionView, SignedAmountView,
};
