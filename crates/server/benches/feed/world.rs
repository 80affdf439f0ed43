//! Clock and ids of the benchmark, the publisher with its relay, commits as before there was a feed, and rates of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{Changes, Clock, Endpoints, Feed, Ids, Publisher, PublisherPorts};
use paywright_domain::{Fact, IntentId, OrderId, Timestamp};
use paywright_http_api::SpreeFormat;
use paywright_testkit::{CountingWaker, ScriptedSender, usd};
use tokio::task::JoinHandle;
use uuid::{NoContext, Uuid};

/// Pause of the relay after a step, as in the program.
const RELAY_PAUSE: Duration = Duration::from_millis(10);

/// Use cases of the feed, which send nothing.
pub(crate) fn publisher(feed: Arc<dyn Feed>, endpoints: Arc<dyn Endpoints>) -> Publisher {
    Publisher::new(PublisherPorts {
        feed,
        endpoints,
        sender: Arc::new(ScriptedSender::without_key()),
        spree_format: Arc::new(SpreeFormat),
        clock: Arc::new(RealClock),
        ids: Arc::new(FreshIds),
        waker: Arc::new(CountingWaker::default()),
    })
}

/// Rates without and with the feed, in turn.
#[derive(Default)]
pub(crate) struct Rates {
    without: Vec<f64>,
    with: Vec<f64>,
    ratios: Vec<f64>,
}

impl Rates {
    pub(crate) fn add(&mut self, without: f64, with: f64) {
        self.without.push(without);
        self.with.push(with);
        self.ratios.push(with / without);
    }

    /// Medians of both rates and of their ratio, as columns of a table.
    pub(crate) fn columns(&mut self) -> String {
        let Self { without, with, ratios } = self;
        format!("{:>14.0} {:>14.0} {:>7.3}", median(without), median(with), median(ratios))
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Gives events their positions until `stop` is set and each has one.
pub(crate) fn relay(publisher: Publisher, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) || publisher.run_feed().await.unwrap() {
            publisher.run_feed().await.unwrap();
            tokio::time::sleep(RELAY_PAUSE).await;
        }
    })
}

/// The changes of a commit as before there was a feed: with facts, and nothing to publish.
pub(crate) fn unpublished(mut changes: Changes) -> Changes {
    changes.snapshot = None;
    changes.facts = vec![internal_fact()];
    changes
}

/// Fact that stays out of the feed, in place of the public one: a commit stored a fact before there was a feed, too.
fn internal_fact() -> Fact {
    Fact::ProceedsKnown { intent: IntentId::new("pi_12345678").unwrap(), gross: usd(12_450), fee: usd(391) }
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap()).unwrap()
}

pub(crate) struct RealClock;

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn pause(&self, _attempt: u32) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) struct FreshIds;

impl Ids for FreshIds {
    fn order_id(&self, now: Timestamp) -> OrderId {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let seconds = u64::try_from(now.unix_seconds()).unwrap();
        let nanos = COUNTER.fetch_add(1000, Ordering::Relaxed) % 1_000_000_000;
        OrderId(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos)))
    }

    fn random(&self) -> Uuid {
        Uuid::from_u128(fastrand::u128(..))
    }

    fn spread(&self, _seconds: u32) -> u32 {
        0
    }
}
