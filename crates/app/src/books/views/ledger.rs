//! Ledger of an order, for people and programs.

use paywright_domain::books::{Posting, SignedMoney};
use serde::Serialize;

use super::{SignedAmountView, Table};
use crate::books::{Ledger, LedgerLine};
use crate::view_value::Time;

/// Ledger of an order: what its facts expect, and what Stripe moved for it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = OrderLedger))]
pub struct LedgerView {
    /// Entries, by time: the first 1,000.
    entries: Vec<LedgerLineView>,
    /// Whether the order has more entries.
    has_more: bool,
    /// Sum of each account that is not zero. A clearing account among them is an amount that was expected and not moved, or
    /// moved and not expected.
    balances: Vec<PostingView>,
}

/// Largest number of entries in a view of a ledger.
const ENTRIES_MAX: usize = 1000;

/// Entry of a ledger: its postings add up to zero in each currency.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = LedgerEntry))]
pub struct LedgerLineView {
    /// Name of the entry; of a balance transaction, Stripe's id.
    id: String,
    /// Time of the order's fact, or at which Stripe created the balance transaction.
    at: Time,
    /// Day of the books, like `2026-11-24`; `null` if it is before the first day.
    day: Option<String>,
    /// Reporting category of the balance transaction; `null` if the order's facts expect the entry.
    category: Option<String>,
    /// Stripe's id of the object.
    object: String,
    postings: Vec<PostingView>,
}

/// Change or sum of an account.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = LedgerPosting))]
pub struct PostingView {
    /// Name of the account, such as `fees:payment`.
    account: String,
    #[serde(flatten)]
    amount: SignedAmountView,
}

impl LedgerView {
    /// View of a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        Self {
            entries: ledger.lines.iter().take(ENTRIES_MAX).map(LedgerLineView::of).collect(),
            has_more: ledger.has_more || ledger.lines.len() > ENTRIES_MAX,
            balances: ledger.balances.iter().map(PostingView::of).collect(),
        }
    }
}

impl LedgerLineView {
    fn of(line: &LedgerLine) -> Self {
        Self {
            id: line.id.clone(),
            at: Time(line.at),
            day: line.day.map(|it| it.to_string()),
            category: line.category.clone(),
            object: line.source.to_string(),
            postings: line.entry.postings().iter().map(PostingView::of).collect(),
        }
    }
}

impl PostingView {
    pub(super) fn of(posting: &Posting) -> Self {
        Self { account: posting.account.to_string(), amount: posting.amount.into() }
    }
}

impl Ledger {
    /// The ledger as text: a line for each posting, and the balances at the end.
    pub fn to_text(&self) -> String {
        let mut table = Table::new(["time", "entry", "account", ">debit", ">credit", "currency"]);
        for line in &self.lines {
            for posting in line.entry.postings() {
                let (debit, credit) = sides(posting);
                table.push([
                    line.at.to_string(),
                    line.id.clone(),
                    posting.account.to_string(),
                    debit,
                    credit,
                    posting.amount.currency().to_string(),
                ]);
            }
        }
        let mut balances = Table::new(["balance", ">debit", ">credit", "currency"]);
        for posting in &self.balances {
            let (debit, credit) = sides(posting);
            balances.push([posting.account.to_string(), debit, credit, posting.amount.currency().to_string()]);
        }
        let more =
            if self.has_more { "\nThere are more entries than these, and they are not in the balances.\n" } else { "" };
        format!("{}\n{}{more}", table.to_text(), balances.to_text())
    }
}

/// Debit and credit of a posting in major units; one of them is empty.
fn sides(posting: &Posting) -> (String, String) {
    let amount = posting.amount;
    if amount.minor() < 0 {
        (String::new(), amount.negated().map(SignedMoney::to_decimal).unwrap_or_default())
    } else {
        (amount.to_decimal(), String::new())
    }
}
