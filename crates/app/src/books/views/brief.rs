//! Summary of an order's ledger, for the explanation of the order.

use paywright_domain::books::{Account, Posting, SalesPart};
use serde::Serialize;

use super::{PostingView, in_words};
use crate::books::{Ledger, LedgerLine};
use crate::view_value::Time;

/// Summary of what an order has in the books: a sentence for each entry, and the accounts that are open.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ExplanationBooks))]
pub struct LedgerSummaryView {
    /// Entries, by time: the first 100.
    entries: Vec<LedgerSummaryLineView>,
    /// Whether the order has more entries.
    has_more: bool,
    /// Clearing accounts that are not zero: what was expected and not moved, or moved and not expected.
    open: Vec<PostingView>,
}

/// Entry of an order, as a sentence.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ExplanationBooksEntry))]
struct LedgerSummaryLineView {
    /// Time of the order's fact, or at which Stripe created the balance transaction.
    at: Time,
    /// Name of the entry; of a balance transaction, Stripe's id.
    entry: String,
    /// The entry in a sentence.
    what: String,
}

/// Largest number of entries of a summary.
const ENTRIES_MAX: usize = 100;

impl LedgerSummaryView {
    /// View of a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let line =
            |it: &LedgerLine| LedgerSummaryLineView { at: Time(it.at), entry: it.id.clone(), what: it.sentence() };
        Self {
            entries: ledger.lines.iter().take(ENTRIES_MAX).map(line).collect(),
            has_more: ledger.has_more || ledger.lines.len() > ENTRIES_MAX,
            open: ledger.open().map(PostingView::of).collect(),
        }
    }
}

impl Ledger {
    /// The ledger in short: a line for each entry, and one for each clearing account that is open.
    pub fn to_summary(&self) -> String {
        let line = |it: &LedgerLine| format!("{}  {}\n", it.at, it.sentence());
        let lines = self.lines.iter().take(ENTRIES_MAX).map(line);
        let has_more = self.has_more || self.lines.len() > ENTRIES_MAX;
        let more = has_more.then(|| "There are more: `paywright books ledger` prints them.\n".to_owned());
        let open = self.open().map(|Posting { account, amount }| format!("Open: {account}, {amount}\n"));
        lines.chain(more).chain(open).collect()
    }

    /// Clearing accounts that are not zero.
    fn open(&self) -> impl Iterator<Item = &Posting> {
        self.balances.iter().filter(|it| matches!(it.account, Account::Clearing(_)))
    }
}

impl LedgerLine {
    fn sentence(&self) -> String {
        let object = &self.source;
        let sum_of = |is_of: fn(&Account) -> bool| {
            let mut amounts = self.entry.postings().iter().filter(|it| is_of(&it.account)).map(|it| it.amount);
            let first = amounts.next()?;
            Some(amounts.fold(first, |sum, it| sum.plus(it).unwrap_or(sum)))
        };
        let of_balance = |it: &Account| matches!(it, Account::Balance(_));
        let of_clearing = |it: &Account| matches!(it, Account::Clearing(_));
        match (&self.category, &self.transaction) {
            (Some(category), Some(id)) => {
                format!("{id} ({category}) moved {} for {object}.", in_words(sum_of(of_balance)))
            }
            _ if sum_of(of_clearing).is_none() => {
                let of_sales = |it: &Account| matches!(it, Account::Sales(part) if *part != SalesPart::Unexpected);
                let sale = sum_of(of_sales).and_then(|it| it.negated().ok());
                let difference = sum_of(|it| *it == Account::PaymentDifferences);
                let difference = difference.map_or_else(String::new, |it| format!(", with a difference of {it}"));
                format!("{object} was accepted as a sale of {}{difference}.", in_words(sale))
            }
            _ => format!("{} is expected for {object}.", in_words(sum_of(of_clearing))),
        }
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::Currency;
    use paywright_domain::books::{Entry, SignedMoney};

    use super::*;
    use crate::books::samples::{payment, row, with_source};

    #[test]
    fn an_entry_is_a_sentence_and_an_open_account_is_told() {
        let usd = |minor| SignedMoney::new(minor, Currency::Usd);
        let charge =
            with_source(row("1", "2026-11-24T09:00:01Z", "charge", Currency::Usd, [12_449, 391]), payment("a"));
        let postings = vec![
            Posting { account: Account::Clearing(payment("a")), amount: usd(12_450) },
            Posting { account: Account::Sales(SalesPart::Goods), amount: usd(-12_450) },
        ];
        let expected = crate::BookedEntry {
            id: "pi_a".into(),
            order: paywright_domain::OrderId(paywright_domain::uuid::Uuid::from_u128(9)),
            at: "2026-11-24T09:00:00Z".parse().unwrap(),
            day: None,
            source: payment("a"),
            entry: Entry::new(postings).unwrap(),
        };
        let accepted = crate::BookedEntry {
            id: "pi_a:accepted".into(),
            at: "2026-11-24T09:00:02Z".parse().unwrap(),
            entry: Entry::new(vec![
                Posting { account: Account::Sales(SalesPart::Unexpected), amount: usd(12_450) },
                Posting { account: Account::Sales(SalesPart::Goods), amount: usd(-13_000) },
                Posting { account: Account::PaymentDifferences, amount: usd(550) },
            ])
            .unwrap(),
            ..expected.clone()
        };
        let ledger = Ledger::of(vec![expected, accepted], vec![charge]).unwrap();
        let lines = "2026-11-24T09:00:00Z  124.50 usd is expected for pi_a.\n\
                     2026-11-24T09:00:01Z  txn_1 (charge) moved 120.58 usd for pi_a.\n\
                     2026-11-24T09:00:02Z  pi_a was accepted as a sale of 130.00 usd, with a difference of 5.50 usd.\n\
                     Open: clearing:pi_a, 0.01 usd\n";
        assert_eq!(ledger.to_summary(), lines);
        let view = serde_json::to_value(LedgerSummaryView::of(&ledger)).unwrap();
        assert_eq!((&view["entries"][1]["entry"], &view["has_more"]), (&"txn_1".into(), &false.into()));
        let open = serde_json::json!([{ "account": "clearing:pi_a", "amount": 1, "currency": "usd" }]);
        assert_eq!(view["open"], open);
    }
}
