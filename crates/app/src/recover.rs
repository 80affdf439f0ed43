//! Recovery after a restore from a backup: begins a new epoch, and imports from Stripe what the backup does not have.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::id::Epoch;
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::{CancelReason, LostOrder, OrderState};
use paywright_domain::refund::{NewRefund, Refund, RefundError, RefundOrigin};
use paywright_domain::{IntentId, IntentSnapshot, Order, OrderId, Timestamp};
use uuid::Uuid;

use crate::change::CommitContext;
use crate::perform::PerformError;
use crate::{
    Access, App, CLOCK_TOLERANCE_SECONDS, CancelOrderError, Cause, Changes, GatewayError, GetOrderError,
    IdempotencyKey, LostOrderDecision, OrderRef, RecordedOrder, RefundPaymentError, SettleFromProviderError,
    StoreError, Version,
};

/// Time before the backup from which PaymentIntents are read that may have been open then, in seconds: an authorization
/// lasts a week.
const OPEN_SECONDS: u32 = 7 * 86_400;

/// Source of the changes, in the causes of facts.
const SOURCE: &str = "recover";

/// Result of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Epoch that the recovery began.
    pub epoch: Epoch,
    /// Number of PaymentIntents that Stripe lists for orders of this installation.
    pub intents: usize,
    /// Orders that were in the backup and were updated from Stripe.
    pub updated: Vec<Order>,
    /// Orders that were not in the backup.
    pub lost: Vec<RecoveredOrder>,
}

/// An order that was not in the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredOrder {
    /// Id of the order.
    pub id: OrderId,
    /// The order as Stripe has it in its PaymentIntent; `None` where that is not enough to create it again.
    pub record: Option<RecordedOrder>,
    /// Leading PaymentIntent of the order at Stripe: the one that succeeded, if there is one.
    pub payment: IntentSnapshot,
    /// Decision on the order, made by this run or an earlier one.
    pub decision: Option<LostOrderDecision>,
    /// The order in the store before this run; `None` where it was missing.
    pub before: Option<Order>,
    /// The order in the store after this run; `None` where it is missing.
    pub order: Option<Order>,
    /// Reason why the decision could not be carried out, if so.
    pub problem: Option<String>,
}

impl App {
    /// Begins an epoch, and imports everything that Stripe has of this installation since `since`: PaymentIntents,
    /// refunds and disputes of stored orders. The ids of orders that are missing are stored as lost, so that a repeated
    /// request does not place them a second time, and `decide` decides on them. The first decision on an order is
    /// final, and is completed where an earlier run did not. A second run begins another epoch, and moves no money
    /// twice.
    pub async fn recover(
        &self,
        since: Timestamp,
        decide: impl Fn(&RecordedOrder) -> Option<LostOrderDecision> + Send + Sync,
    ) -> Result<Recovery, PerformError> {
        let second = u32::try_from(self.clock.now().unix_seconds()).unwrap_or(u32::MAX);
        self.store.installations.begin_epoch(Epoch(second)).await?;
        let epoch = self.store.installations.installation().await?.epoch;
        // The clock that dated the backup may have been ahead of Stripe's.
        let since = since.minus_seconds(CLOCK_TOLERANCE_SECONDS);
        let by_order = self.listed_intents(since).await?;
        let intents = by_order.values().map(Vec::len).sum();
        let mut updated = self.catch_up_older(since, &by_order).await?;
        let mut lost = Vec::new();
        for (id, listed) in by_order {
            let stored = self.find(&OrderRef::Id(id), &Access::All).await?;
            if stored.is_none() {
                self.store.installations.add_lost_order(id, self.clock.now()).await?;
            }
            let was_lost = self.store.installations.lost_order(id).await? == Some(id);
            if was_lost {
                lost.push(self.recover_lost(stored.map(|it| it.value), id, &listed, &decide).await?);
            } else if let Some(before) = stored {
                let after = self.catch_up(&listed).await?.unwrap_or_else(|| before.value.clone());
                if after != before.value {
                    updated.push(after);
                }
            }
        }
        updated.extend(self.catch_up_refunds(since).await?);
        Ok(Recovery { epoch, intents, updated, lost })
    }

    /// Reads the PaymentIntents that Stripe lists for orders of this installation, grouped by order.
    async fn listed_intents(&self, since: Timestamp) -> Result<BTreeMap<OrderId, Vec<IntentSnapshot>>, PerformError> {
        let (mut by_order, mut after) = (BTreeMap::<OrderId, Vec<IntentSnapshot>>::new(), None);
        loop {
            let page = self.records.intents(after.as_deref(), since).await?;
            for intent in page.items {
                if let Some(order) = intent.order {
                    by_order.entry(order).or_default().push(intent);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(by_order);
            }
        }
    }

    /// Updates orders from PaymentIntents created before `since`, except those in `newer`: they may have been edited,
    /// paid or canceled since then.
    async fn catch_up_older(
        &self,
        since: Timestamp,
        newer: &BTreeMap<OrderId, Vec<IntentSnapshot>>,
    ) -> Result<Vec<Order>, PerformError> {
        let mut updated = Vec::new();
        let is_newer = |order: &OrderId, it: &IntentSnapshot| {
            newer.get(order).is_some_and(|newer| newer.iter().any(|newer| newer.intent == it.intent))
        };
        for (id, listed) in self.listed_intents(since.minus_seconds(OPEN_SECONDS)).await? {
            let Some(before) = self.find(&OrderRef::Id(id), &Access::All).await? else { continue };
            let mut after = None;
            for intent in in_order(&listed).into_iter().filter(|it| !is_newer(&id, it)) {
                after = self.catch_up_payment(intent).await?.or(after);
            }
            updated.extend(after.filter(|it| *it != before.value));
        }
        Ok(updated)
    }

    /// Updates an order from one of its PaymentIntents. `None` where the order does not accept it.
    async fn catch_up_payment(&self, intent: &IntentSnapshot) -> Result<Option<Order>, PerformError> {
        match self.settle(intent, &CommitContext::from(SOURCE, None)).await {
            Ok(order) => Ok(Some(order)),
            // Another program created it, or it was canceled before it received anything.
            Err(SettleFromProviderError::Settle(_) | SettleFromProviderError::Foreign) => Ok(None),
            Err(SettleFromProviderError::Store(error)) => Err(error.into()),
            Err(error @ SettleFromProviderError::UnknownOrder) => Err(PerformError::Unmatched(error.to_string())),
        }
    }

    /// Updates an order from the listed PaymentIntents, with their refunds and disputes, and returns it. `None` where
    /// the order accepts none of them.
    async fn catch_up(&self, listed: &[IntentSnapshot]) -> Result<Option<Order>, PerformError> {
        self.catch_up_open(listed).await?;
        let context = CommitContext::from(SOURCE, None);
        let mut last = None;
        for intent in in_order(listed) {
            let Some(order) = self.catch_up_payment(intent).await? else { continue };
            let (order, _) = self.read_refunds(&intent.intent, order).await?;
            last = Some(match self.import_disputes(&intent.intent, &context).await {
                Ok((order, _)) => order,
                Err(PerformError::Unmatched(_)) => order,
                Err(error) => return Err(error),
            });
        }
        Ok(last)
    }

    /// Reads the PaymentIntents that are open in the backup and not among those `listed`: they may be older than the
    /// list, and may have ended since. As long as one is open, its order accepts no other.
    async fn catch_up_open(&self, listed: &[IntentSnapshot]) -> Result<(), PerformError> {
        let Some(id) = listed.iter().find_map(|it| it.order) else { return Ok(()) };
        let Some(order) = self.find(&OrderRef::Id(id), &Access::All).await? else { return Ok(()) };
        let is_listed = |id: &IntentId| listed.iter().any(|it| it.intent == *id);
        let open = order.value.intents.iter().filter(|it| !it.status.is_terminal() && !is_listed(&it.id));
        for intent in open {
            match self.gateway.intent(&intent.id).await {
                Ok(read) => drop(self.catch_up_payment(&read.snapshot).await?),
                // It belongs to another account, and cannot be read.
                Err(GatewayError::NotFound(_) | GatewayError::Foreign(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Updates orders that have refunds since `since`, with the PaymentIntents of the refunds: the backup may be older
    /// than the payments.
    async fn catch_up_refunds(&self, since: Timestamp) -> Result<Vec<Order>, PerformError> {
        let (mut updated, mut seen, mut after) = (Vec::new(), BTreeSet::new(), None);
        loop {
            let page = self.records.refunds(after.as_deref(), since).await?;
            for intent in page.items.into_iter().map(|it| it.intent) {
                if !seen.insert(intent.clone()) {
                    continue;
                }
                let Some(before) = self.find(&OrderRef::Intent(intent.clone()), &Access::All).await? else {
                    continue;
                };
                let payment = self.gateway.intent(&intent).await?.snapshot;
                if let Some(order) = self.catch_up(&[payment]).await?.filter(|it| *it != before.value) {
                    updated.push(order);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(updated);
            }
        }
    }

    async fn recover_lost(
        &self,
        before: Option<Order>,
        id: OrderId,
        listed: &[IntentSnapshot],
        decide: &(impl Fn(&RecordedOrder) -> Option<LostOrderDecision> + Send + Sync),
    ) -> Result<RecoveredOrder, PerformError> {
        let Some(payment) = leading(listed).cloned() else {
            return Err(PerformError::Unmatched(format!("Stripe lists no PaymentIntent of the order {id}")));
        };
        let record = self.records.recorded_order(&payment.intent).await?;
        let wanted = record.as_ref().and_then(decide);
        let decision = self.store.installations.decide_on_lost_order(id, wanted).await?;
        let done = match (decision, &record) {
            (None, _) | (_, None) => Ok(()),
            (Some(LostOrderDecision::Recreate), Some(record)) => {
                self.recreate(record, &payment, listed).await.map(drop)
            }
            (Some(LostOrderDecision::Refund), Some(record)) => self.refund_lost(record, &payment, listed).await,
        };
        let problem = match done {
            Ok(()) => None,
            Err(PerformError::Order(GetOrderError::Store(error))) => return Err(error.into()),
            Err(error @ (PerformError::Gateway(_) | PerformError::Order(_) | PerformError::Unmatched(_))) => {
                Some(error.to_string())
            }
        };
        let order = self.find(&OrderRef::Id(id), &Access::All).await?.map(|it| it.value);
        Ok(RecoveredOrder { id, record, payment, decision, before, order, problem })
    }

    /// Creates a lost order again, unless an earlier run did, and settles it with its PaymentIntents.
    async fn recreate(
        &self,
        record: &RecordedOrder,
        payment: &IntentSnapshot,
        listed: &[IntentSnapshot],
    ) -> Result<Order, PerformError> {
        let id = record.order.id;
        if self.find(&OrderRef::Id(id), &Access::All).await?.is_none() {
            let mut lost = record.order.clone();
            self.place_lost(&lost, payment).await?;
            if self.find(&OrderRef::Id(id), &Access::All).await?.is_none() {
                // Another order has its number: the request was repeated before the recovery.
                let now = self.clock.now();
                lost.number = self.ids.order_number(id, now);
                self.place_lost(&lost, payment).await?;
            }
        }
        match self.catch_up(listed).await? {
            Some(order) => Ok(order),
            None => self.order_by_id(id).await,
        }
    }

    async fn place_lost(&self, lost: &LostOrder, payment: &IntentSnapshot) -> Result<(), PerformError> {
        let now = self.clock.now();
        let decision = Order::recreate(lost.clone(), payment, now);
        let decision = decision.map_err(|error| PerformError::Unmatched(error.to_string()))?;
        let cause = Some(Cause { source: SOURCE.to_owned(), ..Cause::default() });
        match self.commit(Changes { cause, ..self.changes(Version::NEW, decision, now) }).await {
            // The order is stored, by a concurrent recovery or by a commit that was not answered; or its number is
            // taken.
            Ok(()) | Err(StoreError::Conflict | StoreError::Unknown(_)) => Ok(()),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Corrupt(_))) => Err(error.into()),
        }
    }

    /// Refunds the payment of a lost order, or cancels the order where it is not paid.
    async fn refund_lost(
        &self,
        record: &RecordedOrder,
        payment: &IntentSnapshot,
        listed: &[IntentSnapshot],
    ) -> Result<(), PerformError> {
        let id = record.order.id;
        let order = self.recreate(record, payment, listed).await?;
        if matches!(order.state, OrderState::Open) {
            return match self.cancel_order(&OrderRef::Id(id), &Access::All, CancelReason::Abandoned).await {
                Ok(_) => Ok(()),
                Err(CancelOrderError::Order(error)) => Err(error.into()),
                Err(CancelOrderError::Gateway(error)) => Err(error.into()),
                Err(error @ CancelOrderError::Refused(_)) => Err(PerformError::Unmatched(error.to_string())),
            };
        }
        // A second run finds the refund of the first by the same key; after a failed refund the key is another.
        let failed = |it: &&Refund| it.origin == RefundOrigin::Shop && !it.status.holds_money();
        let failed = order.refunds.iter().filter(failed).count();
        let key = IdempotencyKey { scope: Uuid::nil(), key: format!("recover:{id}:{failed}") };
        match self.refund_payment(&OrderRef::Id(id), &Access::All, &NewRefund::default(), Some((key, [0; 32]))).await {
            Ok(refunded) if !refunded.refund.status.holds_money() => {
                let failure = refunded.refund.failure.map_or_else(|| refunded.refund.status.to_string(), String::from);
                Err(PerformError::Unmatched(format!("the payment was not refunded ({failure})")))
            }
            Ok(_) | Err(RefundPaymentError::Refused(RefundError::NothingLeft | RefundError::NothingReceived)) => Ok(()),
            Err(RefundPaymentError::Order(error)) => Err(error.into()),
            Err(
                error
                @ (RefundPaymentError::Refused(_) | RefundPaymentError::KeyReused | RefundPaymentError::OutOfDate),
            ) => Err(PerformError::Unmatched(error.to_string())),
        }
    }
}

/// Leading PaymentIntent of an order, from which the order is created again. An intent that Paywright created, which
/// names its revision, comes before others; then one that succeeded, then an open one.
fn leading(listed: &[IntentSnapshot]) -> Option<&IntentSnapshot> {
    let own: Vec<_> = listed.iter().filter(|it| it.revision.is_some()).collect();
    let of = if own.is_empty() { listed.iter().collect() } else { own };
    let succeeded = of.iter().find(|it| it.status == IntentStatus::Succeeded);
    succeeded.or_else(|| of.iter().find(|it| !it.status.is_terminal())).or(of.first()).copied()
}

/// PaymentIntents in the sequence in which an order is settled with them: ended ones first, since an order accepts an
/// open one only where it has no other; then the oldest first. Stripe lists the newest first, and its times are whole
/// seconds.
fn in_order(listed: &[IntentSnapshot]) -> Vec<&IntentSnapshot> {
    let mut sorted: Vec<_> = listed.iter().rev().collect();
    sorted.sort_by_key(|it| !it.status.is_terminal());
    sorted
}
