//! Tax reports as JSON, as CSV and as text.

use paywright_domain::books::SignedMoney;
use paywright_domain::money::MoneyError;
use serde::Serialize;

use super::{TaxFigures, TaxLine, TaxReport};

/// Tax report, as JSON has it. Amounts are decimals in major units, with a sign where they are negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaxReport))]
pub struct TaxReportView {
    /// First day.
    from: String,
    /// Last day.
    to: String,
    /// Lines by currency, country, percentage and label.
    lines: Vec<TaxLineView>,
    /// Sums of each currency.
    totals: Vec<TaxTotalView>,
}

/// Sales and refunds with one tax in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaxReportLine))]
pub struct TaxLineView {
    /// Code of the currency (ISO 4217), in lower case.
    currency: &'static str,
    /// Country that the tax is due in (ISO 3166-1 alpha-2), if the orders tell it.
    country: Option<String>,
    /// Percentage of the tax, if the orders tell it.
    percentage: Option<String>,
    /// Label of the tax on the orders. Null for sales without a tax.
    label: Option<String>,
    /// Number of orders with a sale.
    orders: usize,
    #[serde(flatten)]
    figures: TaxFiguresView,
    /// Part of the net base that was allocated, because its orders have several taxes.
    allocated: String,
}

/// Sums of all lines in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaxReportTotal))]
pub struct TaxTotalView {
    /// Code of the currency (ISO 4217), in lower case.
    currency: &'static str,
    /// Number of orders with a sale.
    orders: usize,
    #[serde(flatten)]
    figures: TaxFiguresView,
    /// Money received less refunded that paid for nothing on an order. It is not in the lines.
    unexpected: String,
}

/// Net amounts and taxes of sales and refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaxFigures))]
struct TaxFiguresView {
    /// Sales without taxes: goods and shipping less discounts.
    net_sales: String,
    /// Taxes on the sales.
    tax: String,
    /// Refunds without taxes.
    net_refunds: String,
    /// Taxes in the refunds.
    tax_refunded: String,
    /// Net sales less net refunds: the tax base.
    net_base: String,
    /// Taxes less refunded taxes.
    tax_due: String,
}

impl TaxFiguresView {
    fn of(figures: &TaxFigures) -> Result<Self, MoneyError> {
        Ok(Self {
            net_sales: figures.net_sales.to_decimal(),
            tax: figures.tax.to_decimal(),
            net_refunds: figures.net_refunds.to_decimal(),
            tax_refunded: figures.tax_refunded.to_decimal(),
            net_base: figures.net_base()?.to_decimal(),
            tax_due: figures.tax_due()?.to_decimal(),
        })
    }

    const fn columns(&self) -> [&String; 6] {
        [&self.net_sales, &self.tax, &self.net_refunds, &self.tax_refunded, &self.net_base, &self.tax_due]
    }
}

impl TaxLineView {
    fn of(line: &TaxLine) -> Result<Self, MoneyError> {
        let rate = line.tax.as_ref().and_then(|it| it.rate);
        Ok(Self {
            currency: line.currency.code(),
            country: rate.and_then(|it| it.country).map(|it| it.to_string()),
            percentage: rate.map(|it| it.percent.to_string()),
            label: line.tax.as_ref().map(|it| it.label.to_string()),
            orders: line.orders,
            figures: TaxFiguresView::of(&line.figures)?,
            allocated: line.allocated.to_decimal(),
        })
    }

    /// Country, rate and label, for people.
    fn name(&self) -> [String; 3] {
        let rate = self.percentage.as_ref().map(|it| format!("{it} %"));
        let no_rate = if self.label.is_some() { "no rate given" } else { "no tax" };
        [
            self.country.clone().unwrap_or_else(|| "-".to_owned()),
            rate.unwrap_or_else(|| no_rate.to_owned()),
            self.label.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

/// Columns of the CSV form.
const COLUMNS: [&str; 14] = [
    "from",
    "to",
    "currency",
    "country",
    "percentage",
    "label",
    "orders",
    "net_sales",
    "tax",
    "net_refunds",
    "tax_refunded",
    "net_base",
    "tax_due",
    "allocated",
];

/// Columns of the text form.
const HEADINGS: [&str; 10] =
    ["country", "rate", "label", "orders", "net sales", "tax", "net refunds", "tax refunded", "net base", "tax due"];

impl TaxReport {
    /// Form of the report for JSON.
    pub fn view(&self) -> Result<TaxReportView, MoneyError> {
        let (from, to) = self.days();
        let total = |it: &super::TaxTotal| {
            Ok(TaxTotalView {
                currency: it.currency.code(),
                orders: it.orders,
                figures: TaxFiguresView::of(&it.figures)?,
                unexpected: it.unexpected.to_decimal(),
            })
        };
        Ok(TaxReportView {
            from: from.to_string(),
            to: to.to_string(),
            lines: self.lines().iter().map(TaxLineView::of).collect::<Result<_, _>>()?,
            totals: self.totals().iter().map(total).collect::<Result<_, MoneyError>>()?,
        })
    }

    /// The lines as CSV (RFC 4180), with a header.
    pub fn to_csv(&self) -> Result<String, MoneyError> {
        let report = self.view()?;
        let mut csv = format!("{}\r\n", COLUMNS.join(","));
        for line in &report.lines {
            let orders = line.orders.to_string();
            let text = |it: &Option<String>| it.as_deref().map(quoted).unwrap_or_default();
            let (country, percentage, label) = (text(&line.country), text(&line.percentage), text(&line.label));
            let first = [&report.from, &report.to, line.currency, &country, &percentage, &label, &orders];
            let figures = line.figures.columns().map(String::as_str);
            let row: Vec<&str> = first.into_iter().chain(figures).chain([line.allocated.as_str()]).collect();
            csv.push_str(&row.join(","));
            csv.push_str("\r\n");
        }
        Ok(csv)
    }

    /// The report as text for people, with a table for each currency.
    pub fn to_text(&self) -> Result<String, MoneyError> {
        let report = self.view()?;
        let mut text = format!("Sales and taxes from {} to {}\n", report.from, report.to);
        if report.totals.is_empty() {
            text.push_str("\nNo sales and no refunds.\n");
        }
        for (total, sums) in report.totals.iter().zip(self.totals()) {
            let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
            let lines = || report.lines.iter().filter(|it| it.currency == total.currency);
            let row = |name: [String; 3], orders: usize, figures: &TaxFiguresView| {
                name.into_iter().chain([orders.to_string()]).chain(figures.columns().map(String::clone)).collect()
            };
            rows.extend(lines().map(|it| row(it.name(), it.orders, &it.figures)));
            let name = ["total", "", ""].map(str::to_owned);
            rows.push(row(name, total.orders, &total.figures));
            text.extend(["\n", &total.currency.to_uppercase(), "\n", &table(&rows)]);
            let is_allocated = |it: &TaxLine| it.currency == sums.currency && !it.allocated.is_zero();
            if self.lines().iter().any(is_allocated) {
                text.push_str("Net amounts of orders with several taxes are allocated to their rates:\n");
                for line in self.lines().iter().filter(|it| is_allocated(it)) {
                    let name = line.tax.as_ref().map(ToString::to_string).unwrap_or_default();
                    text.extend(["  ", &name, ": ", &line.allocated.to_decimal(), "\n"]);
                }
            }
            if sums.unexpected != SignedMoney::zero(sums.currency) {
                text.extend(["Not in the table: ", &total.unexpected, " that paid for nothing on an order.\n"]);
            }
        }
        Ok(text)
    }
}

/// Field of CSV, in quotes if it needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Number of columns with text, which are aligned to the left; the others have numbers.
const TEXT_COLUMNS: usize = 3;

/// Rows with columns of equal width.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().filter_map(|it| it.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..HEADINGS.len()).map(|it| width(it).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(place, (cell, width)): (usize, (&String, &usize))| {
            if place < TEXT_COLUMNS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let cells: Vec<_> = row.iter().zip(&widths).enumerate().map(cell).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
