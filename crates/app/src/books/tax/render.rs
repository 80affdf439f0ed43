//! Tax reports as JSON, as CSV and as text.

use paywright_domain::books::SignedMoney;
use paywright_domain::money::MoneyError;
use serde::Serialize;

use super::{TaxFigures, TaxLine, TaxReport};
use crate::books::views::Table;

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

    fn columns(&self) -> [String; 6] {
        let Self { net_sales, tax, net_refunds, tax_refunded, net_base, tax_due } = self;
        [net_sales, tax, net_refunds, tax_refunded, net_base, tax_due].map(String::clone)
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

/// Columns of the text form; those of numbers begin with `>`.
const HEADINGS: [&str; 10] = [
    "country",
    "rate",
    "label",
    ">orders",
    ">net sales",
    ">tax",
    ">net refunds",
    ">tax refunded",
    ">net base",
    ">tax due",
];

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
        let mut table = Table::new(COLUMNS);
        for line in report.lines {
            let [country, percentage, label] =
                [line.country, line.percentage, line.label].map(Option::unwrap_or_default);
            let [net_sales, tax, net_refunds, tax_refunded, net_base, tax_due] = line.figures.columns();
            table.push([
                report.from.clone(),
                report.to.clone(),
                line.currency.to_owned(),
                country,
                percentage,
                label,
                line.orders.to_string(),
                net_sales,
                tax,
                net_refunds,
                tax_refunded,
                net_base,
                tax_due,
                line.allocated,
            ]);
        }
        Ok(table.to_csv())
    }

    /// The report as text for people, with a table for each currency.
    pub fn to_text(&self) -> Result<String, MoneyError> {
        let report = self.view()?;
        let mut text = format!("Sales and taxes from {} to {}\n", report.from, report.to);
        if report.totals.is_empty() {
            text.push_str("\nNo sales and no refunds.\n");
        }
        for (total, sums) in report.totals.iter().zip(self.totals()) {
            let mut table = Table::new(HEADINGS);
            for line in report.lines.iter().filter(|it| it.currency == total.currency) {
                table.push(line_of(line.name(), line.orders, &line.figures));
            }
            table.push(line_of(["total", "", ""].map(str::to_owned), total.orders, &total.figures));
            text.extend(["\n", &total.currency.to_uppercase(), "\n", &table.to_text()]);
            let is_allocated = |it: &TaxLine| it.currency == sums.currency && !it.allocated.is_zero();
            if self.lines().iter().any(is_allocated) {
                text.push_str("Parts of the net base that are allocated, because their orders have several taxes:\n");
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

/// Line of the text form.
fn line_of(name: [String; 3], orders: usize, figures: &TaxFiguresView) -> [String; HEADINGS.len()] {
    let [country, rate, label] = name;
    let [net_sales, tax, net_refunds, tax_refunded, net_base, tax_due] = figures.columns();
    let orders = orders.to_string();
    [country, rate, label, orders, net_sales, tax, net_refunds, tax_refunded, net_base, tax_due]
}
