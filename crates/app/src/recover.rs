//! What to do once a database was restored from a backup: a new epoch, and whatever Stripe has on record that the backup
//! has not.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::{
    CancelReason, Epoch, IntentId, IntentSnapshot, IntentStatus, LostOrder, NewRefund, Order, OrderId, OrderNumber,
    OrderState, Refund, RefundError, RefundOrigin, Timestamp,
};
use uuid::Uuid;

use crate::change::CommitContext;
use crate::perform::PerformError;
use crate::{
    Access, App, CLOCK_TOLERANCE_SECONDS, CancelOrderError, Cause, Changes, GatewayError, GetOrderError,
    IdempotencyKey, LostOrderDecision, OrderRef, RecordedOrder, RefundPaymentError, SettleFromProviderError,
    StoreError, Version,
};

/// Time before the backup from which on payments are read that may have been open then, in seconds: an authorisation
/// lasts a week.
const OPEN_SECONDS: u32 = 7 * 86_400;

/// Source of what is learned, in the facts of an order.
const SOURCE: &str = "recover";

/// Result of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The epoch that began with it.
    pub epoch: Epoch,
    /// Payment intents of this installation that Stripe lists.
    pub intents: usize,
    /// Orders that were in the backup, and of which Stripe knew more.
    pub updated: Vec<Order>,
    /// Orders that were not in the backup.
    pub lost: Vec<RecoveredOrder>,
}

/// An order that was not in the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredOrder {
    /// Its id.
    pub id: OrderId,
    /// The order as its payment tells of it; `None` where that is not enough to make it again.
    pub record: Option<RecordedOrder>,
    /// Its payment, as Stripe lists it: the one that succeeded, if one has.
    pub payment: IntentSnapshot,
    /// The decision on it, of this run or an earlier one.
    pub decision: Option<LostOrderDecision>,
    /// The order as it was here when this run began; `None` where it was not.
    pub before: Option<Order>,
    /// The order as it is here now; `None` where it is not.
    pub order: Option<Order>,
    /// Why what was wanted could not be done.
    pub problem: Option<String>,
}

impl App {
    /// Begins an epoch, and takes in all that Stripe has of this installation since `since`: payments, refunds and
    /// disputes of orders that are here. Orders that are not here are kept in mind, so that a repeated request does not
    /// place them a second time, and dealt with as `decide` says; the first decision on an order stands, and what an
    /// earlier run had not finished of it is finished. Doing it again begins another epoch, and does nothing twice that
    /// moves money.
    pub async fn recover(
        &self,
        since: Timestamp,
        decide: impl Fn(&RecordedOrder) -> Option<LostOrderDecision> + Send + Sync,
    ) -> Result<Recovery, PerformError> {
        let second = u32::try_from(self.clock.now().unix_seconds()).unwrap_or(u32::MAX);
        self.store.begin_epoch(Epoch(second)).await?;
        let epoch = self.store.installation().await?.epoch;
        // The clock that dated the backup may have been ahead of Stripe's.
        let since = since.minus_seconds(CLOCK_TOLERANCE_SECONDS);
        let by_order = self.listed_intents(since).await?;
        let intents = by_order.values().map(Vec::len).sum();
        let mut updated = self.catch_up_older(since, &by_order).await?;
        let mut lost = Vec::new();
        for (id, seen) in by_order {
            let here = self.find(&[OrderRef::Id(id)], &Access::All).await?;
            if here.is_none() {
                self.store.add_lost_order(id, self.clock.now()).await?;
            }
            let was_lost = self.store.lost_order(id).await? == Some(id);
            if was_lost {
                lost.push(self.recover_lost(here.map(|it| it.value), id, &seen, &decide).await?);
            } else if let Some(before) = here {
                let after = self.catch_up(&seen).await?.unwrap_or_else(|| before.value.clone());
                if after != before.value {
                    updated.push(after);
                }
            }
        }
        updated.extend(self.catch_up_refunds(since).await?);
        Ok(Recovery { epoch, intents, updated, lost })
    }

    /// Every intent that Stripe lists for an order of this installation, by the order.
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

    /// Takes in how payments from before `since` stand, but for those of `newer`: since then they may have been edited,
    /// paid or given up.
    async fn catch_up_older(
        &self,
        since: Timestamp,
        newer: &BTreeMap<OrderId, Vec<IntentSnapshot>>,
    ) -> Result<Vec<Order>, PerformError> {
        let mut updated = Vec::new();
        let is_newer = |order: &OrderId, it: &IntentSnapshot| {
            newer.get(order).is_some_and(|newer| newer.iter().any(|newer| newer.intent == it.intent))
        };
        for (id, seen) in self.listed_intents(since.minus_seconds(OPEN_SECONDS)).await? {
            let Some(before) = self.find(&[OrderRef::Id(id)], &Access::All).await? else { continue };
            let mut after = None;
            for intent in in_order(&seen).into_iter().filter(|it| !is_newer(&id, it)) {
                after = self.catch_up_payment(intent).await?.or(after);
            }
            updated.extend(after.filter(|it| *it != before.value));
        }
        Ok(updated)
    }

    /// Takes in how one payment stands; `None` where its order does not take it.
    async fn catch_up_payment(&self, intent: &IntentSnapshot) -> Result<Option<Order>, PerformError> {
        match self.settle(intent, &CommitContext::from(SOURCE, None)).await {
            Ok(order) => Ok(Some(order)),
            // It is of another program, or was given up before it brought anything.
            Err(SettleFromProviderError::Settle(_) | SettleFromProviderError::Foreign) => Ok(None),
            Err(SettleFromProviderError::Store(error)) => Err(error.into()),
            Err(error @ SettleFromProviderError::UnknownOrder) => Err(PerformError::Unmatched(error.to_string())),
        }
    }

    /// Takes in what Stripe lists of one order's payments, with their refunds and disputes. Gives the
    /// order as it is then; `None` where the order takes none of the payments.
    async fn catch_up(&self, seen: &[IntentSnapshot]) -> Result<Option<Order>, PerformError> {
        self.catch_up_open(seen).await?;
        let context = CommitContext::from(SOURCE, None);
        let mut last = None;
        for intent in in_order(seen) {
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

    /// Reads the payments that are open as far as the backup knows, and that are not among those `seen`: they may be older
    /// than the list goes back, and have ended since. As long as one seems open, its order takes no other.
    async fn catch_up_open(&self, seen: &[IntentSnapshot]) -> Result<(), PerformError> {
        let Some(id) = seen.iter().find_map(|it| it.order) else { return Ok(()) };
        let Some(order) = self.find(&[OrderRef::Id(id)], &Access::All).await? else { return Ok(()) };
        let is_seen = |id: &IntentId| seen.iter().any(|it| it.intent == *id);
        let open = order.value.intents.iter().filter(|it| !it.status.is_terminal() && !is_seen(&it.id));
        for intent in open {
            match self.gateway.intent(&intent.id).await {
                Ok(read) => drop(self.catch_up_payment(&read.snapshot).await?),
                // Of another account: nothing can be known of it.
                Err(GatewayError::NotFound | GatewayError::Foreign(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes in refunds of payments from before `since`, and what became of the payments: the backup may be from before
    /// the money came.
    async fn catch_up_refunds(&self, since: Timestamp) -> Result<Vec<Order>, PerformError> {
        let (mut updated, mut seen, mut after) = (Vec::new(), BTreeSet::new(), None);
        loop {
            let page = self.records.refunds(after.as_deref(), since).await?;
            for intent in page.items.into_iter().map(|it| it.intent) {
                if !seen.insert(intent.clone()) {
                    continue;
                }
                let Some(before) = self.find(&[OrderRef::Intent(intent.clone())], &Access::All).await? else {
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
        seen: &[IntentSnapshot],
        decide: &(impl Fn(&RecordedOrder) -> Option<LostOrderDecision> + Send + Sync),
    ) -> Result<RecoveredOrder, PerformError> {
        let Some(payment) = leading(seen).cloned() else {
            return Err(PerformError::Unmatched(format!("Stripe lists no payment of the order {id}")));
        };
        let record = self.records.recorded_order(&payment.intent).await?;
        let wanted = record.as_ref().and_then(decide);
        let decision = self.store.decide_on_lost_order(id, wanted).await?;
        let done = match (decision, &record) {
            (None, _) | (_, None) => Ok(()),
            (Some(LostOrderDecision::Recreate), Some(record)) => self.recreate(record, &payment, seen).await.map(drop),
            (Some(LostOrderDecision::Refund), Some(record)) => self.undo_lost(record, &payment, seen).await,
        };
        let problem = match done {
            Ok(()) => None,
            Err(PerformError::Store(error)) => return Err(error.into()),
            Err(error @ (PerformError::Gateway(_) | PerformError::Unmatched(_))) => Some(error.to_string()),
        };
        let order = self.find(&[OrderRef::Id(id)], &Access::All).await?.map(|it| it.value);
        Ok(RecoveredOrder { id, record, payment, decision, before, order, problem })
    }

    /// Makes a lost order again, unless that was done before, and settles it by its payments.
    async fn recreate(
        &self,
        record: &RecordedOrder,
        payment: &IntentSnapshot,
        seen: &[IntentSnapshot],
    ) -> Result<Order, PerformError> {
        let id = record.order.id;
        if self.find(&[OrderRef::Id(id)], &Access::All).await?.is_none() {
            let mut lost = record.order.clone();
            self.place_lost(&lost, payment).await?;
            if self.find(&[OrderRef::Id(id)], &Access::All).await?.is_none() {
                // Its number was given to another order, by a repeat of its request before the recovery.
                let now = self.clock.now();
                lost.number = OrderNumber::of(self.ids.order_id(now), now);
                self.place_lost(&lost, payment).await?;
            }
        }
        match self.catch_up(seen).await? {
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
            // It is there, by another who recovers at the same time, or by a commit that was not answered; or its number
            // is taken.
            Ok(()) | Err(StoreError::Conflict | StoreError::Unknown(_)) => Ok(()),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Corrupt(_))) => Err(error.into()),
        }
    }

    /// Gives back all that was paid for a lost order, and cancels it where nothing was.
    async fn undo_lost(
        &self,
        record: &RecordedOrder,
        payment: &IntentSnapshot,
        seen: &[IntentSnapshot],
    ) -> Result<(), PerformError> {
        let id = record.order.id;
        let order = self.recreate(record, payment, seen).await?;
        if matches!(order.state, OrderState::Open) {
            return match self.cancel_order(&OrderRef::Id(id), &Access::All, CancelReason::Abandoned).await {
                Ok(_) => Ok(()),
                Err(CancelOrderError::Store(error)) => Err(error.into()),
                Err(CancelOrderError::Gateway(error)) => Err(error.into()),
                Err(error @ (CancelOrderError::NotFound | CancelOrderError::Refused(_))) => {
                    Err(PerformError::Unmatched(error.to_string()))
                }
            };
        }
        // One key, so that a second run finds the refund of the first; another where that one came to nothing.
        let failed = |it: &&Refund| it.origin == RefundOrigin::Shop && !it.status.holds_money();
        let failed = order.refunds.iter().filter(failed).count();
        let key = IdempotencyKey { scope: Uuid::nil(), key: format!("recover:{id}:{failed}") };
        match self.refund_payment(&OrderRef::Id(id), &Access::All, &NewRefund::default(), Some((key, [0; 32]))).await {
            Ok(refunded) if !refunded.refund.status.holds_money() => {
                let failure = refunded.refund.failure.unwrap_or_else(|| refunded.refund.status.to_string());
                Err(PerformError::Unmatched(format!("the money was not given back ({failure})")))
            }
            Ok(_) | Err(RefundPaymentError::Refused(RefundError::NothingLeft | RefundError::NothingReceived)) => Ok(()),
            Err(RefundPaymentError::Store(error) | RefundPaymentError::Get(GetOrderError::Store(error))) => {
                Err(error.into())
            }
            Err(
                error @ (RefundPaymentError::Refused(_)
                | RefundPaymentError::KeyReused
                | RefundPaymentError::Get(GetOrderError::NotFound)),
            ) => Err(PerformError::Unmatched(error.to_string())),
        }
    }
}

/// The payment that tells most of its order: one that this service has made, which names the revision it is for, if there
/// is one; of these the one that succeeded, or the one that is open.
fn leading(seen: &[IntentSnapshot]) -> Option<&IntentSnapshot> {
    let own: Vec<_> = seen.iter().filter(|it| it.revision.is_some()).collect();
    let of = if own.is_empty() { seen.iter().collect() } else { own };
    let succeeded = of.iter().find(|it| it.status == IntentStatus::Succeeded);
    succeeded.or_else(|| of.iter().find(|it| !it.status.is_terminal())).or(of.first()).copied()
}

/// Payments in the order in which they are to be taken in: those that have ended first, since an order takes an open one
/// where it has no other; then the oldest first. Stripe lists the newest first, and tells no order within one second.
fn in_order(seen: &[IntentSnapshot]) -> Vec<&IntentSnapshot> {
    let mut seen: Vec<_> = seen.iter().rev().collect();
    seen.sort_by_key(|it| !it.status.is_terminal());
    seen
}
