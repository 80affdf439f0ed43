//! A payout with what it contains, for people and programs.

use std::collections::BTreeMap;

use paywright_domain::OrderId;
use paywright_domain::books::SignedMoney;
use paywright_domain::id::OrderNumber;
use serde::Serialize;
use uuid::Uuid;

use super::{SignedAmountView, Table};
use crate::books::{PayoutContent, RowPlace};
use crate::view_value::Time;
use crate::{BookedPayout, BookedTransaction, MemberSum};

/// Payout, with the balance transactions that it contains.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookPayout))]
pub struct PayoutView {
    /// Stripe's id of the payout.
    id: String,
    /// Status, as Stripe names it.
    status: &'static str,
    #[serde(flatten)]
    amount: SignedAmountView,
    /// Whether Stripe made it by the account's schedule. Only then is known what it contains.
    automatic: bool,
    created: Time,
    /// Day on which the bank is expected to receive it, as its start in UTC.
    arrival: Time,
    /// Reference of the transfer at the bank.
    trace_id: Option<String>,
    /// Stripe's code of a failure.
    failure_code: Option<String>,
    /// Whether what it contains is known.
    is_reconciled: bool,
    /// Amount of the payout less the sum of what it contains; `null` as long as that is not known.
    difference: Option<SignedAmountView>,
    /// Balance transactions of the page, by day of the books and creation time. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    balance_transactions: Option<Vec<PayoutMemberView>>,
    /// `cursor` of the next page of balance transactions. Absent on the last page and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    next_cursor: Option<String>,
}

/// Balance transaction that a payout contains.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookPayoutTransaction))]
pub struct PayoutMemberView {
    /// Stripe's id of the balance transaction.
    id: String,
    created: Time,
    /// Reporting category, as Stripe names it.
    reporting_category: String,
    /// Stripe's id of the object that caused it.
    source: String,
    order: Option<Uuid>,
    /// Number of the order, for people.
    order_number: Option<String>,
    gross: i64,
    fee: i64,
    net: i64,
}

impl PayoutView {
    /// View of a payout without what it contains.
    pub fn of(booked: &BookedPayout) -> Self {
        let payout = &booked.payout;
        let difference = booked.members.and_then(|it| payout.amount.minus(it.net).ok());
        Self {
            id: payout.id.to_string(),
            status: payout.status.name(),
            amount: payout.amount.into(),
            automatic: payout.automatic,
            created: Time(payout.created),
            arrival: Time(payout.arrival),
            trace_id: payout.trace_id.clone(),
            failure_code: payout.failure_code.clone(),
            is_reconciled: booked.members.is_some(),
            difference: difference.map(Into::into),
            balance_transactions: None,
            next_cursor: None,
        }
    }

    /// View of a payout with what it contains. `cursor_of` makes the cursor of the next page.
    pub fn with_content(content: &PayoutContent, cursor_of: impl FnOnce(&RowPlace) -> String) -> Self {
        let members = content.members.iter().map(|it| PayoutMemberView::of(it, &content.numbers)).collect();
        let next_cursor = content.next.as_ref().map(cursor_of);
        Self { balance_transactions: Some(members), next_cursor, ..Self::of(&content.payout) }
    }

    /// View of a payout with all that it contains.
    pub fn whole(content: &PayoutContent) -> Self {
        Self::with_content(content, |it| it.id.to_string())
    }
}

impl PayoutMemberView {
    fn of(row: &BookedTransaction, numbers: &BTreeMap<OrderId, OrderNumber>) -> Self {
        let it = &row.transaction;
        Self {
            id: it.id.to_string(),
            created: Time(it.created),
            reporting_category: it.category.to_string(),
            source: it.source.to_string(),
            order: row.order.map(|it| it.0),
            order_number: row.order.and_then(|it| numbers.get(&it)).map(ToString::to_string),
            gross: it.amount.minor(),
            fee: it.fee.minor(),
            net: it.net.minor(),
        }
    }
}

impl PayoutContent {
    fn table(&self) -> Table<8> {
        let mut table = Table::new(["order", "category", "object", "transaction", "created", ">gross", ">fee", ">net"]);
        for row in &self.members {
            let it = &row.transaction;
            let number = row.order.and_then(|it| self.numbers.get(&it)).map(ToString::to_string);
            table.push([
                number.unwrap_or_else(|| "none".to_owned()),
                it.category.to_string(),
                it.source.to_string(),
                it.id.to_string(),
                it.created.to_string(),
                it.amount.to_decimal(),
                it.fee.to_decimal(),
                it.net.to_decimal(),
            ]);
        }
        table
    }

    /// The payout as text: its own facts, a line for each balance transaction, and the proof that they add up to it.
    pub fn to_text(&self) -> String {
        let payout = &self.payout.payout;
        let mut lines = vec![
            format!("Payout {}: {}, {}", payout.id, payout.amount, payout.status.name()),
            format!("created {}, arrives {}", payout.created, payout.arrival),
        ];
        lines.extend(payout.trace_id.as_ref().map(|it| format!("reference at the bank: {it}")));
        lines.extend(payout.failure_code.as_ref().map(|it| format!("failed: {it}")));
        lines.push(String::new());
        match self.payout.members {
            None if payout.automatic => lines.push("Stripe has not listed yet what it contains.".to_owned()),
            None => lines
                .push("It was not made by the account's schedule: Stripe does not know what it contains.".to_owned()),
            Some(MemberSum { count, net, .. }) => {
                let difference = payout.amount.minus(net).unwrap_or(SignedMoney::zero(net.currency()));
                let (amount, table) = (payout.amount, self.table().to_text());
                lines.push(table);
                lines.push(format!("{count} balance transactions: {net}; payout: {amount}; difference: {difference}"));
            }
        }
        lines.join("\n") + "\n"
    }

    /// Content of the payout as CSV, amounts in major units.
    pub fn to_csv(&self) -> String {
        self.table().to_csv()
    }
}
