//! Options of `paywright books`.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use paywright_domain::books::Day;
use paywright_domain::id::PayoutId;

use super::SettingsOptions;

#[derive(Debug, Args)]
pub(crate) struct BooksOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: BooksCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BooksCommand {
    /// Print the statement of a day or a month: opening, movements by category, payouts, closing.
    Statement {
        #[command(flatten)]
        period: PeriodOptions,
        /// Format of the statement.
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Print sales and taxes by country and rate, for a VAT return.
    Tax {
        /// Month, such as 2026-11.
        #[arg(long)]
        month: Month,
        /// Format of the report.
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Print what a payout contains, order by order.
    Payout {
        /// Stripe's id of the payout (po_...).
        payout: PayoutId,
        /// Format of the list.
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Print the entries of an order.
    Ledger {
        /// The order: its id, its number, or one of its PaymentIntents.
        order: String,
    },
    /// Read what is new at Stripe, compare it with the orders, check that the closed days are unchanged, and print what
    /// does not agree; exit code 1 if there is anything.
    Reconcile {
        /// Read again what Stripe lists from this day on, such as 2026-11-01, and check the closed days from it on. Without
        /// it, only what is new is read, and all closed days are checked.
        #[arg(long)]
        since: Option<Day>,
    },
    /// Print breaks: what did not agree when the books were last compared.
    Breaks {
        /// Also those that are gone or resolved.
        #[arg(long)]
        all: bool,
        /// Format of the list.
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Resolve a break with an explanation.
    Resolve {
        /// Name of the break, as `reconcile` prints it.
        id: String,
        /// Explanation.
        #[arg(long)]
        note: String,
    },
    /// Print the entries of the books for an accounting program.
    Export {
        /// Format of the export.
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// First day, such as 2026-11-01; the first day of the books by default.
        #[arg(long)]
        from: Option<Day>,
        /// Last day; today by default.
        #[arg(long)]
        to: Option<Day>,
        /// Month, such as 2026-11, instead of the first and the last day.
        #[arg(long, conflicts_with_all = ["from", "to"])]
        month: Option<Month>,
    },
}

/// The period of a statement.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PeriodOptions {
    /// Day, such as 2026-11-24.
    #[arg(long)]
    pub(crate) day: Option<Day>,
    /// Month, such as 2026-11.
    #[arg(long)]
    pub(crate) month: Option<Month>,
}

/// A month, by its first day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month(pub(crate) Day);

impl FromStr for Month {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        format!("{text}-01").parse().map(Self).map_err(|_| "it must be a month, such as 2026-11")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Text for people.
    Text,
    /// Comma-separated values, in major units.
    Csv,
    /// JSON, in minor units.
    Json,
}

impl From<ExportFormat> for paywright_app::ExportFormat {
    fn from(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Csv => Self::Csv,
            ExportFormat::Journal => Self::Journal,
            ExportFormat::Hledger => Self::Hledger,
            ExportFormat::Beancount => Self::Beancount,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A line for each balance transaction, with the columns of Stripe's reports.
    Csv,
    /// A line for each posting, with debit and credit.
    Journal,
    /// A journal of hledger or ledger, with balance assertions.
    Hledger,
    /// A file of beancount, with balance assertions.
    Beancount,
}
