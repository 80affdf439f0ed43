//! Comparisons of the books on an account with many payments of another program.

use std::sync::Arc;

use async_trait::async_trait;
use paywright_app::{
    BalancePage, BalanceSum, Bookkeeper, BookkeeperPorts, Books, BooksSettings, BooksZone, BreakPage, BreakQuery,
    CreatedRange, GatewayError, PayoutMember, ProviderBalance, ReportedTransaction,
};
use paywright_domain::Currency;
use paywright_domain::books::{BalanceTransaction, BalanceType, Payout, SignedMoney};
use paywright_domain::id::{InstallationId, PayoutId};
use paywright_testkit::books_contract::a_charge;
use paywright_testkit::{CountedIds, at};
use uuid::Uuid;

use super::{NOW, Shop};

/// Number of payments of the other program: the breaks of a little more than two commits.
const PAYMENTS: u32 = 1001;

/// Time of grace, in seconds.
const GRACE_SECONDS: u32 = 3600;

/// Stripe's balance with payments of another program.
struct OtherProgram(Vec<ReportedTransaction>);

impl OtherProgram {
    fn with_payments(number: u32) -> Self {
        let payment = |n| {
            let transaction = BalanceTransaction { created: at(NOW - 60), ..a_charge(n).transaction };
            ReportedTransaction { transaction, intent: Some(format!("pi_{n}").parse().unwrap()) }
        };
        Self((1..=number).map(payment).collect())
    }
}

#[async_trait]
impl ProviderBalance for OtherProgram {
    async fn transactions(
        &self,
        range: CreatedRange,
        after: Option<&str>,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError> {
        let within = self.0.iter().filter(|it| (range.from..range.until).contains(&it.transaction.created));
        let read: usize = after.map_or(0, |it| it.parse().unwrap());
        let items: Vec<_> = within.skip(read).take(100).cloned().collect();
        let next = (items.len() == 100).then(|| (read + 100).to_string());
        Ok(BalancePage { items, refused: vec![], next })
    }

    async fn payouts(&self, _range: CreatedRange, _after: Option<&str>) -> Result<BalancePage<Payout>, GatewayError> {
        Ok(BalancePage { items: vec![], refused: vec![], next: None })
    }

    async fn payout(&self, _id: &PayoutId) -> Result<Payout, GatewayError> {
        Err(GatewayError::NotFound("no such object".into()))
    }

    async fn members(
        &self,
        _payout: &PayoutId,
        _after: Option<&str>,
    ) -> Result<BalancePage<PayoutMember>, GatewayError> {
        Ok(BalancePage { items: vec![], refused: vec![], next: None })
    }

    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError> {
        let amount = |minor| SignedMoney::new(minor, Currency::Usd);
        let available = self.0.iter().map(|it| it.transaction.net.minor()).sum();
        Ok(vec![BalanceSum { balance: BalanceType::Payments, available: amount(available), pending: amount(0) }])
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        Some(0)
    }
}

fn bookkeeper(shop: &Shop, store: &Arc<crate::Kind>, shared_account: bool) -> Bookkeeper {
    let ports = BookkeeperPorts {
        books: Arc::<crate::Kind>::clone(store),
        orders: Arc::clone(&shop.store.orders),
        cursors: Arc::clone(&shop.store.cursors),
        balance: Arc::new(OtherProgram::with_payments(PAYMENTS)),
        clock: Arc::<paywright_testkit::HandClock>::clone(&shop.clock),
        ids: Arc::new(CountedIds::default()),
    };
    let settings = BooksSettings {
        zone: BooksZone::default(),
        start: None,
        walk_seconds: 300,
        grace_seconds: GRACE_SECONDS,
        shared_account,
        installation: InstallationId(Uuid::from_u128(7)),
        livemode: false,
    };
    Bookkeeper::new(ports, settings, &shop.app)
}

/// A commit has at most 500 breaks, whatever their number; all are told, and all end when the account is set as shared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_breaks_are_stored_and_ended_by_several_commits() {
    let (store, guard) = crate::fresh_store().await;
    let shop = Shop::open_on(Arc::clone(&store), guard, paywright_app::Settings::default());
    let commits_of = async |bookkeeper: &Bookkeeper| {
        let version = async || store.books().await.unwrap().map_or(0, |it| it.version.0);
        let before = version().await;
        let compared = bookkeeper.reconcile(None).await.unwrap();
        (compared, version().await - before)
    };
    let alone = bookkeeper(&shop, &store, false);
    let (compared, _) = commits_of(&alone).await;
    assert_eq!((compared.breaks.len(), compared.expected), (0, u64::from(PAYMENTS)));
    // What a comparison with nothing to store commits.
    let (_, others) = commits_of(&alone).await;

    shop.clock.advance_seconds(2 * GRACE_SECONDS);
    let (compared, commits) = commits_of(&alone).await;
    let mut found: Vec<String> = compared.breaks.iter().map(|it| it.id.clone()).collect();
    found.sort();
    let mut expected: Vec<String> = (1..=PAYMENTS).map(|n| format!("link:pi_{n}")).collect();
    expected.sort();
    assert_eq!((found, compared.expected), (expected, 0));
    assert_eq!(commits - others, PAYMENTS.div_ceil(500));
    let (compared, commits) = commits_of(&alone).await;
    assert_eq!((compared.breaks.len(), commits), (1001, others), "nothing is stored again");

    let (compared, commits) = commits_of(&bookkeeper(&shop, &store, true)).await;
    assert_eq!((compared.breaks, compared.expected), (vec![], 0));
    assert_eq!(commits - others, PAYMENTS.div_ceil(500));
    let gone = store.breaks(&BreakQuery::Latest(BreakPage { after: None, limit: 2000 })).await.unwrap();
    assert!(gone.len() == 1001 && gone.iter().all(|it| it.gone_at.is_some()));
}
