//! Keeping the books of a balance that the test scripts.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paywright_app::{
    BalancePage, BalanceSum, Bookkeeper, BookkeeperPorts, BooksError, BooksSettings, BooksZone, BreakQuery, Clock,
    CreatedRange, DaySummary, GatewayError, PayoutMember, Period, ProviderBalance, RefusedObject, ReportedTransaction,
};
use paywright_domain::Currency;
use paywright_domain::books::{
    BalanceTransaction, BalanceType, Day, Fee, Payout, PayoutStatus, Reconciliation, SignedMoney,
};
use paywright_domain::id::{BalanceTransactionId, InstallationId, PayoutId};
use paywright_testkit::{CountedIds, at};
use uuid::Uuid;

use super::{NOW, Shop};

/// Stripe's balance as a test scripts it.
#[derive(Default)]
struct ScriptedBalance(Mutex<Script>);

#[derive(Default)]
struct Script {
    /// Balance transactions of the list.
    listed: Vec<ReportedTransaction>,
    /// Balance transactions that the balance contains, and that the list has at its end once the balance was read that
    /// often.
    unlisted: Vec<(u32, ReportedTransaction)>,
    balance_reads: u32,
    refused: Vec<RefusedObject>,
    payouts: Vec<Payout>,
    refused_payouts: Vec<RefusedObject>,
    /// Content of each payout; `None` for one row that cannot be named.
    members: Option<Vec<PayoutMember>>,
}

fn page<T>(items: Vec<T>, refused: Vec<RefusedObject>) -> BalancePage<T> {
    BalancePage { items, refused, next: None }
}

fn is_in(range: CreatedRange) -> impl Fn(&RefusedObject) -> bool {
    move |it| it.created.is_none_or(|at| range.from <= at && at < range.until)
}

#[async_trait]
impl ProviderBalance for ScriptedBalance {
    async fn transactions(
        &self,
        range: CreatedRange,
        _: Option<&str>,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError> {
        let script = self.0.lock().unwrap();
        let is_listed = |it: &&ReportedTransaction| (range.from..range.until).contains(&it.transaction.created);
        let refused = script.refused.iter().filter(|it| is_in(range)(it)).cloned().collect();
        Ok(page(script.listed.iter().filter(is_listed).cloned().collect(), refused))
    }

    async fn payouts(&self, range: CreatedRange, _: Option<&str>) -> Result<BalancePage<Payout>, GatewayError> {
        let script = self.0.lock().unwrap();
        let is_listed = |it: &&Payout| (range.from..range.until).contains(&it.created);
        let refused = script.refused_payouts.iter().filter(|it| is_in(range)(it)).cloned().collect();
        Ok(page(script.payouts.iter().filter(is_listed).cloned().collect(), refused))
    }

    async fn payout(&self, id: &PayoutId) -> Result<Payout, GatewayError> {
        let script = self.0.lock().unwrap();
        let found = script.payouts.iter().find(|it| it.id == *id).cloned();
        found.ok_or_else(|| GatewayError::NotUnderstood(format!("{id}: its status is unknown")))
    }

    async fn members(&self, payout: &PayoutId, _: Option<&str>) -> Result<BalancePage<PayoutMember>, GatewayError> {
        if let Some(members) = &self.0.lock().unwrap().members {
            return Ok(page(members.clone(), vec![]));
        }
        let refused = RefusedObject { id: "txn/1".into(), created: None, problem: format!("txn/1 of {payout}") };
        Ok(page(vec![], vec![refused]))
    }

    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError> {
        let mut script = self.0.lock().unwrap();
        script.balance_reads += 1;
        let reads = script.balance_reads;
        let rows = script.listed.iter().chain(script.unlisted.iter().map(|(_, it)| it));
        let available = rows.map(|it| it.transaction.net.minor()).sum();
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut script.unlisted).into_iter().partition(|(after, _)| *after <= reads);
        script.unlisted = later;
        script.listed.extend(now.into_iter().map(|(_, it)| it));
        let usd = |minor| SignedMoney::new(minor, Currency::Usd);
        Ok(vec![BalanceSum { balance: BalanceType::Payments, available: usd(available), pending: usd(0) }])
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        Some(0)
    }
}

/// Adjustment of the balance, of the minute before.
fn adjustment(n: u32, minor: i64) -> ReportedTransaction {
    let id = BalanceTransactionId::new(format!("txn_{n}")).unwrap();
    let (amount, fee) = (SignedMoney::new(minor, Currency::Usd), SignedMoney::zero(Currency::Usd));
    let category = "other_adjustment".parse().unwrap();
    ReportedTransaction { transaction: BalanceTransaction::new(id, at(NOW - 60), category, amount, fee), intent: None }
}

fn payout() -> Payout {
    Payout {
        id: PayoutId::new("po_1").unwrap(),
        amount: SignedMoney::new(500, Currency::Usd),
        created: at(NOW - 60),
        arrival: at(NOW),
        status: PayoutStatus::Paid,
        automatic: true,
        reconciliation: Reconciliation::Completed,
        balance_transaction: None,
        failure_balance_transaction: None,
        failure_code: None,
        trace_id: None,
    }
}

fn refused(id: &str) -> RefusedObject {
    RefusedObject { id: id.into(), created: Some(at(NOW - 60)), problem: format!("{id}: its status is unknown") }
}

/// Shop, its scripted balance and its store.
struct Kept {
    shop: Shop,
    store: Arc<crate::Kind>,
    balance: Arc<ScriptedBalance>,
}

impl Kept {
    /// A shop whose books are begun and empty.
    async fn open() -> Self {
        let (store, guard) = crate::fresh_store().await;
        let shop = Shop::open_on(Arc::clone(&store), guard, paywright_app::Settings::default());
        let kept = Self { shop, store, balance: Arc::default() };
        assert_eq!(kept.reconciled().await, [""; 0]);
        kept
    }

    fn script(&self, change: impl FnOnce(&mut Script)) {
        let mut script = self.balance.0.lock().unwrap();
        script.balance_reads = 0;
        change(&mut script);
    }

    /// A bookkeeper of a new process.
    fn bookkeeper(&self) -> Bookkeeper {
        let ports = BookkeeperPorts {
            books: Arc::<crate::Kind>::clone(&self.store),
            orders: Arc::<crate::Kind>::clone(&self.store),
            cursors: Arc::<crate::Kind>::clone(&self.store),
            balance: Arc::<ScriptedBalance>::clone(&self.balance),
            clock: Arc::<paywright_testkit::HandClock>::clone(&self.shop.clock),
            ids: Arc::new(CountedIds::default()),
        };
        let settings = BooksSettings {
            zone: BooksZone::default(),
            start: None,
            walk_seconds: 300,
            grace_seconds: 3600,
            shared_account: false,
            installation: InstallationId(Uuid::from_u128(1)),
            livemode: false,
        };
        Bookkeeper::new(ports, settings, &self.shop.app)
    }

    /// Names of the open breaks, after a reconciliation by a new process.
    async fn reconciled(&self) -> Vec<String> {
        let compared = self.bookkeeper().reconcile(None).await.unwrap();
        let mut names: Vec<String> = compared.breaks.into_iter().map(|it| it.id).collect();
        names.sort_unstable();
        names
    }

    /// Closing balance of the day.
    async fn closing(&self) -> i64 {
        self.summary("2025-03-31").await.balances[0].closing.minor()
    }

    /// Figures of the statement of a day.
    async fn summary(&self, day: &str) -> DaySummary {
        let statement = self.bookkeeper().access().statement(day.parse::<Period>().unwrap()).await.unwrap();
        statement.summary().clone()
    }

    /// Lets three days pass, and closes them.
    async fn after_three_days(&self) {
        self.shop.clock.advance_seconds(3 * 86_400);
        assert_eq!(self.reconciled().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_movement_that_stripe_lists_after_the_balance_has_it_is_no_break() {
    let kept = Kept::open().await;
    kept.script(|it| it.unlisted = vec![(2, adjustment(1, 700))]);
    assert_eq!(kept.reconciled().await, [""; 0]);
    assert_eq!(kept.closing().await, 700);
    // One that Stripe never lists is a break.
    kept.script(|it| it.unlisted = vec![(u32::MAX, adjustment(2, 50))]);
    assert_eq!(kept.reconciled().await, ["balance:payments:usd"]);
    let since = kept.shop.clock.now();
    kept.shop.clock.advance_seconds(3600);
    let again = kept.bookkeeper().reconcile(None).await.unwrap().breaks;
    assert_eq!(again[0].since, since, "it differs since the first reading that differed");
    kept.script(|it| it.unlisted.clear());
    assert_eq!(kept.reconciled().await, [""; 0]);
}

/// The new one is not the first of its second in the list.
/// As an order that changes while the walk goes on.
#[tokio::test]
async fn what_changes_after_a_walk_has_begun_is_booked_by_the_next_one() {
    let kept = Kept::open().await;
    kept.shop.clock.advance_seconds(60);
    let order = kept.shop.paid().await;
    let entries = async || kept.bookkeeper().access().ledger(order.id).await.unwrap().lines.len();
    kept.shop.clock.set_back_seconds(60);
    kept.reconciled().await;
    assert_eq!(entries().await, 0);
    kept.shop.clock.advance_seconds(60);
    kept.reconciled().await;
    assert_eq!(entries().await, 1);
}

#[tokio::test]
async fn a_movement_of_the_same_second_while_the_balance_is_read_is_no_break() {
    let kept = Kept::open().await;
    kept.script(|it| {
        it.listed = vec![adjustment(2, 700)];
        it.unlisted = vec![(1, adjustment(1, 50))];
    });
    assert_eq!(kept.reconciled().await, [""; 0]);
    assert_eq!(kept.closing().await, 750);
    let reads = kept.balance.0.lock().unwrap().balance_reads;
    assert_eq!(reads, 2, "the list differs once");
}

#[tokio::test]
async fn what_cannot_be_booked_is_told_once_and_holds_up_no_other() {
    let kept = Kept::open().await;
    let mut strange = adjustment(1, 700);
    let euros = SignedMoney::new(5, Currency::Eur);
    strange.transaction.fees = vec![Fee { kind: "tax".into(), amount: euros }];
    let mut huge = adjustment(2, 1);
    huge.transaction.amount = SignedMoney::new(i64::MIN, Currency::Usd);
    huge.transaction.net = SignedMoney::zero(Currency::Usd);
    kept.script(|it| {
        it.listed = vec![huge, strange, adjustment(3, 50)];
        it.refused = vec![refused("txn_4")];
        it.refused_payouts = vec![refused("po_1")];
    });
    let told = ["fee_sum:txn_1", "unreadable:po_1", "unreadable:txn_2", "unreadable:txn_4"];
    for _ in 0..3 {
        assert_eq!(kept.reconciled().await, told);
    }
    assert_eq!(kept.closing().await, 750);
    // A later version of the program, or of what Stripe answers, reads them.
    kept.script(|it| {
        it.listed[0] = adjustment(2, 1);
        it.refused.clear();
        it.listed.push(adjustment(4, -1));
        it.refused_payouts.clear();
        it.payouts = vec![payout()];
    });
    // What the payout contains can still not be read.
    assert_eq!(kept.reconciled().await, ["fee_sum:txn_1", "unreadable:po_1"]);
    assert_eq!(kept.closing().await, 750);
    let access = kept.bookkeeper().access();
    let all = access.all_breaks(BreakQuery::Latest).await.unwrap();
    let gone = all.iter().filter(|it| it.gone_at.is_some()).map(|it| it.id.as_str());
    let mut gone: Vec<_> = gone.collect();
    gone.sort_unstable();
    assert_eq!(gone, ["unreadable:txn_2", "unreadable:txn_4"]);
}

/// The payment is of a day that was closed long ago.
#[tokio::test]
async fn a_movement_that_no_walk_found_is_booked_with_the_payout_that_contains_it() {
    let kept = Kept::open().await;
    kept.after_three_days().await;
    kept.script(|it| {
        it.unlisted = vec![(u32::MAX, adjustment(1, 500))];
        it.payouts = vec![payout()];
        let of = |n, transaction| PayoutMember { id: adjustment(n, 0).transaction.id, transaction };
        it.members = Some(vec![of(1, Some(adjustment(1, 500))), of(2, None)]);
    });
    // The second one cannot be held, so that the sum of the payout is not known.
    assert_eq!(kept.reconciled().await, [""; 0]);
    let today = kept.summary("2025-04-03").await;
    assert_eq!((today.balances[0].closing.minor(), today.corrections.len()), (500, 1), "{today:?}");
    let content = kept.bookkeeper().access().payout(&payout().id).await.unwrap().unwrap();
    assert_eq!(content.members.len(), 1, "{content:?}");
}

#[tokio::test]
async fn a_movement_that_stripe_listed_days_later_is_a_correction_once_it_is_read_again() {
    let kept = Kept::open().await;
    kept.after_three_days().await;
    kept.script(|it| it.listed = vec![adjustment(1, 700)]);
    assert_eq!(kept.reconciled().await, ["balance:payments:usd"]);
    let day = |text: &str| text.parse::<Day>().unwrap();
    for other in ["2025-03-30", "2025-04-04", "2026-01-01"] {
        let refused = kept.bookkeeper().reconcile(Some(day(other))).await;
        assert!(matches!(refused, Err(BooksError::Since { .. })), "{refused:?}");
    }
    for since in ["2025-04-03", "2025-04-01"] {
        assert_eq!(kept.bookkeeper().reconcile(Some(day(since))).await.unwrap().breaks.len(), 1, "{since}");
    }
    assert_eq!(kept.bookkeeper().reconcile(Some(day("2025-03-31"))).await.unwrap().breaks, []);
    let (closed, today) = (kept.summary("2025-03-31").await, kept.summary("2025-04-03").await);
    assert_eq!(closed.balances, []);
    assert_eq!((today.balances[0].closing.minor(), today.corrections.len()), (700, 1), "{today:?}");
}
