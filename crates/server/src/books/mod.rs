//! `paywright books`: reads the books, and keeps them up to date for an operator who waits for it.

mod keep;

use std::io::{BufWriter, Write};
use std::sync::Arc;

use paywright_app::{AccountNames, BooksAccess, BreakList, BreakQuery, ExportFormat, PayoutView, Period, Work, WorkId};
use paywright_domain::books::Day;
use paywright_domain::id::PayoutId;
use paywright_domain::text::Note;

pub(crate) use self::keep::keep;
use crate::cli::{BooksCommand, BooksOptions, Month, PeriodOptions, TableFormat};
use crate::database::{Schema, Stores, order_named, order_ref};
use crate::operator::operator;
use crate::serve::{bookkeeper, gateway, use_cases};
use crate::settings::Settings;
use crate::worker::WorkerSignal;
use crate::world::{RandomIds, SystemClock};
use crate::{Failure, say, say_lines};

/// Runs a command; returns whether nothing is wrong.
pub(crate) async fn run(options: BooksOptions) -> Result<bool, Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    if let BooksCommand::Reconcile { since } = options.command {
        return reconcile(&settings, since).await;
    }
    let stores = settings.database()?.open(1, Schema::Check).await?;
    let access = BooksAccess::new(Arc::clone(&stores.books), Arc::new(SystemClock), Arc::new(RandomIds));
    match options.command {
        BooksCommand::Reconcile { .. } => {}
        BooksCommand::Statement { period, format } => print_statement(&access, period, format).await?,
        BooksCommand::Payout { payout, format } => print_payout(&access, &payout, format).await?,
        BooksCommand::Tax { month, format } => print_tax(&access, month, format).await?,
        BooksCommand::Export { format, from, to, month } => {
            let days = month.map_or((from, to), |it| (Some(it.0), Some(it.0.last_of_month())));
            export(&access, (format.into(), settings.books.account_names()), days).await?;
        }
        BooksCommand::Ledger { order } => print_ledger(&stores, &access, &order).await?,
        BooksCommand::Breaks { all, format } => print_breaks(&access, all, format).await?,
        BooksCommand::Resolve { id, note } => resolve(&access, &id, &note).await?,
    }
    Ok(true)
}

/// Keeps the books up to date, and prints what does not agree. Returns whether everything does.
async fn reconcile(settings: &Settings, since: Option<Day>) -> Result<bool, Failure> {
    let (database, stripe) = (settings.database()?, settings.stripe_client()?);
    let Stores { orders, books, installation, .. } = database.open(1, Schema::Check).await?;
    let limits = settings.payments.clone().into_settings(&stripe);
    let books_settings = settings.books.settings(installation, limits.livemode);
    let gateway = gateway(stripe, installation)?;
    let app = use_cases(Arc::clone(&orders), &gateway, limits, &Arc::<WorkerSignal>::default());
    let bookkeeper = bookkeeper((books, orders), &gateway, books_settings, &app);
    let compared = bookkeeper.reconcile(since).await?;
    let now = bookkeeper.access().time().await?;
    let list = BreakList { breaks: &compared.breaks, expected: Some(compared.expected), now };
    say_lines(&list.to_text());
    Ok(compared.breaks.is_empty())
}

async fn print_statement(access: &BooksAccess, period: PeriodOptions, format: TableFormat) -> Result<(), Failure> {
    let period = match (period.day, period.month) {
        (Some(day), _) => Period::day(day),
        (None, Some(month)) => Period::month(month.0),
        (None, None) => return Err("give --day or --month".into()),
    };
    let statement = access.statement(period).await?;
    say_lines(&match format {
        TableFormat::Text => statement.text(),
        TableFormat::Csv => statement.csv()?,
        TableFormat::Json => statement.json()?,
    });
    Ok(())
}

async fn print_tax(access: &BooksAccess, month: Month, format: TableFormat) -> Result<(), Failure> {
    let report = access.tax(Period::month(month.0)).await?;
    say_lines(&match format {
        TableFormat::Text => report.to_text()?,
        TableFormat::Csv => report.to_csv()?,
        TableFormat::Json => serde_json::to_string_pretty(&report.view()?)?,
    });
    Ok(())
}

/// Writes an export to standard output.
async fn export(
    access: &BooksAccess,
    format: (ExportFormat, AccountNames),
    days: (Option<Day>, Option<Day>),
) -> Result<(), Failure> {
    let mut output = access.export(format, days, BufWriter::new(std::io::stdout())).await?;
    Ok(output.flush()?)
}

async fn print_payout(access: &BooksAccess, payout: &PayoutId, format: TableFormat) -> Result<(), Failure> {
    let missing =
        || format!("the books have no payout {payout}: `paywright books reconcile` reads what is new at Stripe");
    let content = access.payout(payout).await?.ok_or_else(missing)?;
    say_lines(&match format {
        TableFormat::Text => content.to_text(),
        TableFormat::Csv => content.to_csv(),
        TableFormat::Json => serde_json::to_string_pretty(&PayoutView::whole(&content))?,
    });
    Ok(())
}

async fn print_ledger(stores: &Stores, access: &BooksAccess, order: &str) -> Result<(), Failure> {
    let order = order_named(&*stores.orders, &order_ref(order)?, order).await?.value;
    let ledger = access.ledger(order.id).await?;
    if ledger.lines.is_empty() {
        say("Nothing of this order is in the books yet.");
    } else {
        say_lines(&ledger.to_text());
    }
    Ok(())
}

async fn print_breaks(access: &BooksAccess, all: bool, format: TableFormat) -> Result<(), Failure> {
    let breaks = access.all_breaks(if all { BreakQuery::Latest } else { BreakQuery::Open }).await?;
    let list = BreakList { breaks: &breaks, expected: None, now: access.time().await? };
    say_lines(&match format {
        TableFormat::Text => list.to_text(),
        TableFormat::Csv => list.to_csv(),
        TableFormat::Json => list.to_json()?,
    });
    Ok(())
}

async fn resolve(access: &BooksAccess, id: &str, note: &str) -> Result<(), Failure> {
    let note = Note::new(note.trim()).map_err(|problem| format!("--note {problem}"))?;
    let by = operator().to_string();
    let resolving = access.resolve(id, &by, &note);
    let found = Work::by(operator(), WorkId::Background("books")).scope(resolving).await?;
    let resolved = found.ok_or_else(|| format!("there is no break {id}: `paywright books breaks` lists them"))?;
    say(match (&resolved.gone_at, &resolved.resolution) {
        (Some(_), _) => "The break is gone already.",
        (None, Some(it)) if it.note == note.as_str() => "Resolved.",
        (None, _) => "The break was resolved before.",
    });
    Ok(())
}
