//! Stripe's balance in the simulated world: rows, payouts and sums of the twin, as the port of the books has them.

use std::cmp::Reverse;

use paywright_app::{BalancePage, BalanceSum, CreatedRange, GatewayError, PayoutMember, ReportedTransaction};
use paywright_domain::books::{
    BalanceTransaction, Fee, Payout, Reconciliation, ReportingCategory, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, DisputeId, PayoutId, RefundId};
use paywright_domain::{Currency, IntentId, Timestamp};
use paywright_stripe_twin::{BalanceView, PayoutView, TransactionView};

use crate::stripe::{Stripe, unreadable};

/// Number of objects on a page: few, so that lists have several pages.
const PAGE: usize = 4;

impl Stripe {
    /// Performs what Stripe does by itself until now, payouts among it, and sends the webhooks of its events.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.at_twin(now, |twin| twin.advance(now.unix_seconds()));
    }

    /// Balance transactions with their numbers, the oldest first, as far as Stripe lists them: every other one is listed
    /// somewhat after its creation.
    fn listed(&self, now: Timestamp) -> impl Iterator<Item = (usize, TransactionView<'_>)> {
        self.twin.balance_transactions().enumerate().filter(move |it| !self.is_late(it, now))
    }

    fn is_late(&self, (number, row): &(usize, TransactionView<'_>), now: Timestamp) -> bool {
        number.is_multiple_of(2) && row.created + i64::from(self.listing_lag_seconds) > now.unix_seconds()
    }

    /// One page of the balance transactions of a range, the newest first.
    pub(crate) fn transactions(
        &self,
        range: CreatedRange,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError> {
        let mut rows: Vec<_> = self.listed(now).filter(|(_, it)| is_within(it.created, range)).collect();
        rows.sort_by_key(|(number, it)| Reverse((it.created, *number)));
        page(&rows, after, |(_, it)| it.id, |(_, it)| self.reported(it))
    }

    /// One page of the payouts of a range, the newest first.
    pub(crate) fn payouts(
        &self,
        range: CreatedRange,
        after: Option<&str>,
    ) -> Result<BalancePage<Payout>, GatewayError> {
        let payouts: Vec<_> = self.twin.payouts().rev().filter(|it| is_within(it.created, range)).collect();
        page(&payouts, after, |it| it.id, payout_of)
    }

    pub(crate) fn payout(&self, id: &PayoutId) -> Result<Payout, GatewayError> {
        let found = self.twin.payouts().find(|it| it.id == id.as_str()).ok_or_else(not_found)?;
        payout_of(&found).ok_or_else(unreadable)
    }

    /// One page of what a payout contains, the newest first. Empty before Stripe has listed it.
    pub(crate) fn members(
        &self,
        id: &PayoutId,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<BalancePage<PayoutMember>, GatewayError> {
        let payout = self.twin.payouts().find(|it| it.id == id.as_str()).ok_or_else(not_found)?;
        let all: Vec<_> = self.twin.balance_transactions().enumerate().collect();
        let mut rows: Vec<_> =
            all.into_iter().filter(|(_, it)| payout.is_reconciled && is_member(&payout, it)).collect();
        rows.reverse();
        // What no list shows yet is not shown here either: else a list and the sums of one time would not agree.
        let member = |row: &(usize, TransactionView<'_>)| {
            let id = BalanceTransactionId::new(row.1.id).ok()?;
            let transaction = if self.is_late(row, now) { None } else { Some(self.reported(&row.1)?) };
            Some(PayoutMember { id, transaction })
        };
        page(&rows, after, |(_, it)| it.id, member)
    }

    /// Sums of each balance: of what Stripe lists, so that a list and the sums of one time agree.
    pub(crate) fn balance(&self, now: Timestamp) -> Result<Vec<BalanceSum>, GatewayError> {
        let seconds = now.unix_seconds();
        let late: Vec<_> =
            self.twin.balance_transactions().enumerate().filter(|it| self.is_late(it, now)).map(|(_, it)| it).collect();
        let sum = |it: BalanceView| {
            let of_it = |row: &&TransactionView<'_>| row.balance == it.balance && row.currency == it.currency;
            let (mut available, mut pending) = (it.available, it.pending);
            for row in late.iter().filter(of_it) {
                *(if row.available_on <= seconds { &mut available } else { &mut pending }) -= row.net;
            }
            let money = |wire| money(wire, &it.currency);
            Some(BalanceSum {
                balance: it.balance.parse().ok()?,
                available: money(available)?,
                pending: money(pending)?,
            })
        };
        self.twin.balances(seconds).into_iter().map(sum).collect::<Option<_>>().ok_or_else(unreadable)
    }

    fn reported(&self, row: &TransactionView<'_>) -> Option<ReportedTransaction> {
        let money = |wire| money(wire, row.currency);
        let part = Fee { kind: "stripe_fee".to_owned(), amount: money(row.sum_of_fees)? };
        let category: ReportingCategory = row.category.parse().ok()?;
        let transaction = BalanceTransaction {
            id: BalanceTransactionId::new(row.id).ok()?,
            created: Timestamp::from_unix_seconds(row.created).ok()?,
            balance: row.balance.parse().ok()?,
            amount: money(row.amount)?,
            fee: money(row.fee)?,
            net: money(row.net)?,
            fees: if part.amount.is_zero() { Vec::new() } else { vec![part] },
            description: row.description.unwrap_or_default().to_owned(),
            source: source_of(row)?,
            presented: if row.is_converted { self.presented(row, &category) } else { None },
            category,
        };
        let intent = row.intent.filter(|_| row.source.is_some()).map(IntentId::new).transpose().ok()?;
        Some(ReportedTransaction { transaction, intent })
    }

    /// Amount of the source of a row in the source's currency, with the sign of the row.
    fn presented(&self, row: &TransactionView<'_>, category: &ReportingCategory) -> Option<SignedMoney> {
        let id = row.source?;
        let of_intent = |id: &str| {
            let it = self.twin.intents().find(|it| it.id == id)?;
            let captured = if it.received > 0 { it.received } else { it.amount };
            let is_rest = *category == ReportingCategory::PartialCaptureReversal;
            let amount = if is_rest { it.amount - it.received } else { captured };
            Some((amount, it.currency))
        };
        let refund = || self.twin.refunds().find(|it| it.id == id).map(|it| (it.amount, it.currency));
        let dispute = || self.twin.disputes().find(|it| it.id == id).map(|it| (it.amount, it.currency));
        let (amount, currency) = refund().or_else(dispute).or_else(|| of_intent(row.intent?))?;
        money(if row.amount < 0 { -amount } else { amount }, currency)
    }
}

fn is_within(created: i64, range: CreatedRange) -> bool {
    (range.from.unix_seconds()..range.until.unix_seconds()).contains(&created)
}

/// Whether a payout contains a row. Its own rows are none of it, and the return of an earlier payout may be one.
pub(crate) fn is_member(payout: &PayoutView<'_>, row: &TransactionView<'_>) -> bool {
    row.payout == Some(payout.id) && row.source != Some(payout.id)
}

fn not_found() -> GatewayError {
    GatewayError::NotFound("Stripe has no such object".to_owned())
}

/// One page of `all`, after the object `after`.
fn page<T, R>(
    all: &[T],
    after: Option<&str>,
    id: impl Fn(&T) -> &str,
    read: impl Fn(&T) -> Option<R>,
) -> Result<BalancePage<R>, GatewayError> {
    let from = match after {
        None => 0,
        Some(after) => all.iter().position(|it| id(it) == after).ok_or_else(not_found)? + 1,
    };
    let rest = all.get(from..).unwrap_or_default();
    let shown = rest.get(..PAGE).unwrap_or(rest);
    let next = shown.last().filter(|_| shown.len() < rest.len()).map(|it| id(it).to_owned());
    let items = shown.iter().map(read).collect::<Option<_>>().ok_or_else(unreadable)?;
    Ok(BalancePage { items, refused: vec![], next })
}

pub(crate) fn money(wire: i64, currency: &str) -> Option<SignedMoney> {
    SignedMoney::from_wire(wire, currency.parse::<Currency>().ok()?).ok()
}

fn source_of(row: &TransactionView<'_>) -> Option<Source> {
    let Some(id) = row.source else { return Some(Source::None) };
    let other = || Source::Other { id: id.to_owned() };
    Some(match (id.split('_').next(), row.intent) {
        (Some("ch" | "py"), Some(intent)) => Source::Payment { intent: IntentId::new(intent).ok()? },
        (Some("re" | "pyr"), _) => Source::Refund { refund: RefundId::new(id).ok()? },
        (Some("du"), _) => Source::Dispute { dispute: DisputeId::new(id).ok()? },
        (Some("po"), _) => Source::Payout { payout: PayoutId::new(id).ok()? },
        (_, _) => other(),
    })
}

pub(crate) fn payout_of(it: &PayoutView<'_>) -> Option<Payout> {
    let transaction = |id: &str| BalanceTransactionId::new(id).ok();
    Some(Payout {
        id: PayoutId::new(it.id).ok()?,
        amount: money(it.amount, it.currency)?,
        created: Timestamp::from_unix_seconds(it.created).ok()?,
        arrival: Timestamp::from_unix_seconds(it.arrival).ok()?,
        status: it.status.parse().ok()?,
        automatic: it.automatic,
        reconciliation: match (it.automatic, it.is_reconciled) {
            (false, _) => Reconciliation::NotApplicable,
            (true, false) => Reconciliation::InProgress,
            (true, true) => Reconciliation::Completed,
        },
        balance_transaction: transaction(it.balance_transaction),
        failure_balance_transaction: it.failure_balance_transaction.and_then(transaction),
        failure_code: it.failure_code.map(str::to_owned),
        trace_id: None,
    })
}
