//! CSV of balance transactions, with the names of the columns of Stripe's itemized reports.

use std::io::Write;

use paywright_domain::IntentId;
use paywright_domain::books::{Day, SignedMoney, Source};

use super::ExportRow;
use crate::books::csv_output::CsvOutput;

/// Names of the columns. Those of Stripe have Stripe's meaning, but for `source_id`, which of a charge is its
/// PaymentIntent; `balance_type`, `order_id` and `books_day` are ours.
const COLUMNS: [&str; 17] = [
    "automatic_payout_id",
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "customer_facing_amount",
    "customer_facing_currency",
    "payment_intent_id",
    "payment_metadata[order_number]",
    "order_id",
    "balance_type",
    "books_day",
];

/// Writer of the CSV.
pub(super) struct Itemized<W: Write>(CsvOutput<W>);

impl<W: Write> Itemized<W> {
    pub(super) fn new(output: W) -> Result<Self, csv::Error> {
        Ok(Self(CsvOutput::new(output, COLUMNS)?))
    }

    pub(super) fn row(
        &mut self,
        day: Day,
        ExportRow { booked, payout, order_number }: &ExportRow<'_>,
    ) -> Result<(), csv::Error> {
        let row = &booked.transaction;
        let is_of_customer =
            matches!(row.source, Source::Payment { .. } | Source::Refund { .. } | Source::Dispute { .. });
        let of_customer = is_of_customer.then(|| row.presented.unwrap_or(row.amount));
        let source = if row.source == Source::None { String::new() } else { row.source.to_string() };
        self.0.row([
            payout.map(ToString::to_string).unwrap_or_default().as_str(),
            row.id.as_str(),
            // As Stripe writes it: 2026-11-24 09:00:00.
            row.created.to_string().replace('T', " ").trim_end_matches('Z'),
            row.net.currency().code(),
            &row.amount.to_decimal(),
            &row.fee.to_decimal(),
            &row.net.to_decimal(),
            row.category.as_str(),
            &source,
            &row.description,
            &of_customer.map(SignedMoney::to_decimal).unwrap_or_default(),
            of_customer.map(|it| it.currency().code()).unwrap_or_default(),
            booked.intent.as_ref().map(IntentId::as_str).unwrap_or_default(),
            &order_number.map(ToString::to_string).unwrap_or_default(),
            &booked.order.map(|it| it.to_string()).unwrap_or_default(),
            row.balance.name(),
            &day.to_string(),
        ])
    }

    pub(super) fn finish(self) -> Result<W, csv::Error> {
        self.0.finish()
    }
}
