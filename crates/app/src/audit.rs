//! Audit: every order, PaymentIntent, refund and dispute in the store is compared with Stripe's lists.

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::anomaly::{AnomalyKind, Mismatch};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::RefundId;
use paywright_domain::intent::{IntentStatus, PaymentIntent};
use paywright_domain::refund::{RefundSnapshot, RefundStatus};
use paywright_domain::{IntentId, IntentSnapshot, Order, OrderId, Timestamp, variant_names};

use crate::perform::PerformError;
use crate::{Access, App, GatewayError, OrderQuery, OrderRef, Page, StoreError, UnknownStatus};

/// Age from which an unfinished request is reported, in seconds: longer than a request takes when all is well.
const UNFINISHED_SECONDS: u32 = 3600;

/// Result of an audit: how much was compared, and the differences.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Number of orders compared.
    pub orders: usize,
    /// Number of PaymentIntents that Stripe lists for orders of this installation.
    pub intents: usize,
    /// Number of refunds that Stripe lists for orders of this installation.
    pub refunds: usize,
    /// Number of disputes that Stripe lists for orders of this installation.
    pub disputes: usize,
    /// Differences found.
    pub differences: Vec<Difference>,
}

/// One difference between the store and Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Class of the difference.
    pub class: DifferenceClass,
    /// Number of the order; its id where the store has no such order.
    pub order: String,
    /// Sentence that says what differs.
    pub detail: String,
}

/// Class of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceClass {
    /// Stripe has a PaymentIntent for an order that is not in the store.
    UnknownOrder,
    /// Stripe has a PaymentIntent that is not stored with its order.
    UnknownIntent,
    /// An order has a PaymentIntent that Stripe does not list.
    MissingIntent,
    /// The status of a PaymentIntent differs.
    Status,
    /// The amount received by a PaymentIntent differs.
    Received,
    /// A PaymentIntent succeeded that does not pay its order, and no anomaly records it.
    Overpaid,
    /// Stripe has a refund that is not stored with its order.
    UnknownRefund,
    /// An order has a refund that Stripe does not list.
    MissingRefund,
    /// The status or the amount of a refund differs.
    Refund,
    /// A dispute is not stored, or its status differs.
    Dispute,
    /// A PaymentIntent, a refund or a dispute has a status at Stripe that this version does not know.
    UnknownStatus,
    /// A request, an operation or a refund has been unfinished for more than an hour.
    Unfinished,
}

variant_names! {
    /// Name of the class in output.
    DifferenceClass {
        UnknownOrder => "unknown_order",
        UnknownIntent => "unknown_intent",
        MissingIntent => "missing_intent",
        Status => "status",
        Received => "received",
        Overpaid => "overpaid",
        UnknownRefund => "unknown_refund",
        MissingRefund => "missing_refund",
        Refund => "refund",
        Dispute => "dispute",
        UnknownStatus => "unknown_status",
        Unfinished => "unfinished",
    }
}

/// Stripe's objects of one order.
#[derive(Debug, Clone, Default)]
struct AtProvider {
    intents: BTreeMap<IntentId, IntentSnapshot>,
    refunds: Vec<RefundSnapshot>,
    disputes: Vec<Dispute>,
    /// Objects with a status that this version does not know.
    unknown: Vec<UnknownStatus>,
}

/// Objects that Stripe lists since the start of the audited period, by order.
#[derive(Default)]
struct Listed {
    by_order: BTreeMap<OrderId, AtProvider>,
    order_of: BTreeMap<IntentId, OrderId>,
    /// Objects with a status that this version does not know, whose order is not resolved yet.
    unknown: Vec<UnknownStatus>,
}

impl App {
    /// Compares everything created since `since` in the store and at Stripe, and changes nothing. Both may change
    /// during the audit, so an order that differs is read again from both before a difference is reported.
    pub async fn audit(&self, since: Timestamp) -> Result<Audit, PerformError> {
        let mut audit = Audit::default();
        let now = self.clock.now();
        let mut provider = self.provider_side(since, &mut audit).await?;
        let mut older_than = None;
        loop {
            let query = OrderQuery { older_than, ..OrderQuery::newest(Self::PAGE_MAX) };
            let page = self.store.orders.orders(&query).await?;
            for order in &page {
                // Stripe's objects of an order are newer than the order, so all of them are within the list.
                let theirs = provider.remove(&order.id).unwrap_or_default();
                if order.placed_at >= since {
                    audit.orders += 1;
                    self.audit_order(order.id, Some(order), theirs, now, &mut audit.differences).await?;
                } else if !theirs.intents.is_empty() || !theirs.unknown.is_empty() {
                    audit.orders += 1;
                    self.audit_order(order.id, None, theirs, now, &mut audit.differences).await?;
                }
            }
            let Some(last) = page.last().filter(|it| it.placed_at >= since || !provider.is_empty()) else { break };
            older_than = Some(last.id);
        }
        for (order, theirs) in provider {
            self.audit_order(order, None, theirs, now, &mut audit.differences).await?;
        }
        Ok(audit)
    }

    /// Reads Stripe's lists of PaymentIntents, refunds and disputes since `since`, grouped by order.
    async fn provider_side(
        &self,
        since: Timestamp,
        audit: &mut Audit,
    ) -> Result<BTreeMap<OrderId, AtProvider>, PerformError> {
        let mut listed = Listed::default();
        audit.intents = self.list_intents(since, &mut listed).await?;
        audit.refunds = self.list_refunds(since, &mut listed).await?;
        audit.disputes = self.list_disputes(since, &mut listed).await?;
        for object in std::mem::take(&mut listed.unknown) {
            let order = match object.order {
                Some(order) => Some(order),
                None => self.order_of(&object.intent, &listed.order_of).await?,
            };
            if let Some(order) = order {
                listed.by_order.entry(order).or_default().unknown.push(object);
            }
        }
        Ok(listed.by_order)
    }

    /// Adds the PaymentIntents of orders to `listed`, and returns their number.
    async fn list_intents(&self, since: Timestamp, listed: &mut Listed) -> Result<usize, PerformError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.records.intents(after.as_deref(), since).await?;
            listed.unknown.extend(page.unknown);
            for intent in page.items {
                let Some(order) = intent.order else { continue };
                count += 1;
                listed.order_of.insert(intent.intent.clone(), order);
                listed.by_order.entry(order).or_default().intents.insert(intent.intent.clone(), intent);
            }
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Adds the refunds of orders to `listed`, and returns their number.
    async fn list_refunds(&self, since: Timestamp, listed: &mut Listed) -> Result<usize, PerformError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page: Page<RefundSnapshot> = self.records.refunds(after.as_deref(), since).await?;
            listed.unknown.extend(page.unknown);
            for refund in page.items {
                let Some(order) = self.order_of(&refund.intent, &listed.order_of).await? else { continue };
                count += 1;
                listed.by_order.entry(order).or_default().refunds.push(refund);
            }
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Adds the disputes of orders to `listed`, and returns their number.
    async fn list_disputes(&self, since: Timestamp, listed: &mut Listed) -> Result<usize, PerformError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page: Page<Dispute> = self.records.disputes(after.as_deref(), since).await?;
            listed.unknown.extend(page.unknown);
            for dispute in page.items {
                let Some(order) = self.order_of(&dispute.intent, &listed.order_of).await? else { continue };
                count += 1;
                listed.by_order.entry(order).or_default().disputes.push(dispute);
            }
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Finds the order of a PaymentIntent in `listed`, or in the store where it is older than the list.
    async fn order_of(
        &self,
        intent: &IntentId,
        listed: &BTreeMap<IntentId, OrderId>,
    ) -> Result<Option<OrderId>, StoreError> {
        if let Some(order) = listed.get(intent) {
            return Ok(Some(*order));
        }
        Ok(self.store.orders.order(&OrderRef::Intent(intent.clone())).await?.map(|it| it.value.id))
    }

    async fn audit_order(
        &self,
        id: OrderId,
        read: Option<&Order>,
        theirs: AtProvider,
        now: Timestamp,
        differences: &mut Vec<Difference>,
    ) -> Result<(), PerformError> {
        if let Some(order) = read
            && compare(order, &theirs, now).is_empty()
        {
            return Ok(());
        }
        let Some(found) = self.find(&OrderRef::Id(id), &Access::All).await? else {
            let unknown = theirs.unknown.iter().map(|it| &it.intent);
            differences.extend(theirs.intents.keys().chain(unknown).map(|intent| Difference {
                class: DifferenceClass::UnknownOrder,
                order: id.to_string(),
                detail: format!("Stripe has {intent} for an order that is not in the store"),
            }));
            return Ok(());
        };
        let order = found.value;
        let theirs = self.read_each(&order, theirs).await?;
        differences.extend(compare(&order, &theirs, now));
        Ok(())
    }

    /// Reads each PaymentIntent of an order from Stripe, with its refunds.
    async fn read_each(&self, order: &Order, listed: AtProvider) -> Result<AtProvider, PerformError> {
        let mut read = AtProvider { disputes: listed.disputes, unknown: listed.unknown, ..AtProvider::default() };
        let known = order.intents.iter().map(|it| it.id.clone());
        let all: BTreeSet<IntentId> = known.chain(listed.intents.into_keys()).collect();
        for intent in all {
            match self.gateway.intent(&intent).await {
                Ok(issued) => drop(read.intents.insert(intent.clone(), issued.snapshot)),
                // An intent with an unknown status is reported as such.
                Err(GatewayError::NotFound(_) | GatewayError::NotUnderstood(_) | GatewayError::Foreign(_)) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut after = None;
            loop {
                let page = self.records.refunds_of(&intent, after.as_deref()).await?;
                read.refunds.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(read)
    }
}

/// Compares an order with Stripe's objects of it.
fn compare(order: &Order, theirs: &AtProvider, now: Timestamp) -> Vec<Difference> {
    let mut found = Differences { order, found: Vec::new() };
    for snapshot in theirs.intents.values() {
        match order.intent(&snapshot.intent) {
            None => {
                let (id, status) = (&snapshot.intent, snapshot.status);
                found.add(DifferenceClass::UnknownIntent, format!("{id} is {status} at Stripe, and unknown here"));
            }
            Some(ours) => found.intent(ours, snapshot),
        }
    }
    for object in &theirs.unknown {
        found.add(DifferenceClass::UnknownStatus, object.to_string());
    }
    let is_listed = |it: &PaymentIntent| {
        theirs.intents.contains_key(&it.id) || theirs.unknown.iter().any(|unknown| unknown.id == it.id.as_str())
    };
    for ours in order.intents.iter().filter(|it| !is_listed(it)) {
        found.add(
            DifferenceClass::MissingIntent,
            format!("{} is {} here, and not listed by Stripe", ours.id, ours.status),
        );
    }
    found.refunds(theirs);
    for dispute in &theirs.disputes {
        let ours = order.disputes.iter().find(|it| it.id == dispute.id).map(|it| it.status);
        if ours != Some(dispute.status) {
            let here = ours.map_or("unknown", |it| it.name());
            let detail = format!("dispute {} is {} at Stripe, and {here} here", dispute.id.as_str(), dispute.status);
            found.add(DifferenceClass::Dispute, detail);
        }
    }
    found.unfinished(now);
    found.found
}

struct Differences<'a> {
    order: &'a Order,
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn add(&mut self, class: DifferenceClass, detail: String) {
        self.found.push(Difference { class, order: self.order.number.to_string(), detail });
    }

    fn intent(&mut self, ours: &PaymentIntent, theirs: &IntentSnapshot) {
        let id = &ours.id;
        if ours.status != theirs.status {
            let detail = format!("{id} is {} here, and {} at Stripe", ours.status, theirs.status);
            self.add(DifferenceClass::Status, detail);
        }
        if ours.received != theirs.received && theirs.livemode == self.order.livemode {
            let (here, there) = (ours.received.to_decimal(), theirs.received.to_decimal());
            self.add(DifferenceClass::Received, format!("{id} received {here} here, and {there} at Stripe"));
        }
        let is_paid = ours.status == IntentStatus::Succeeded;
        let explained = |it: &paywright_domain::anomaly::Anomaly| {
            it.intent.as_ref() == Some(id)
                && matches!(
                    it.kind,
                    AnomalyKind::Mismatch {
                        mismatch: Mismatch::PaidAfterCancel { .. }
                            | Mismatch::SecondPayment { .. }
                            | Mismatch::AmountDiffers { .. }
                            | Mismatch::WrongCurrency { .. },
                        ..
                    }
                )
        };
        let pays = self.order.paid_by().is_some_and(|it| it.id == *id);
        if is_paid && !pays && !self.order.anomalies.iter().any(explained) {
            let detail = format!("{id} received {}, which pays no order", ours.received.to_decimal());
            self.add(DifferenceClass::Overpaid, detail);
        }
    }

    fn refunds(&mut self, theirs: &AtProvider) {
        for refund in &theirs.refunds {
            let ours = self.order.refunds.iter().find(|it| it.provider_id.as_ref() == Some(&refund.id));
            let (id, there) = (&refund.id, format!("{} ({})", refund.amount.to_decimal(), refund.status));
            match ours {
                None => {
                    self.add(DifferenceClass::UnknownRefund, format!("{id} is {there} at Stripe, and unknown here"));
                }
                Some(ours) if ours.status != refund.status || ours.amount != refund.amount => {
                    let here = format!("{} ({})", ours.amount.to_decimal(), ours.status);
                    self.add(DifferenceClass::Refund, format!("{id} is {here} here, and {there} at Stripe"));
                }
                Some(_) => {}
            }
        }
        let listed = |id: RefundId| {
            let is_unknown = theirs.unknown.iter().any(|it| it.id == id.as_str());
            is_unknown || theirs.refunds.iter().any(|it| it.id == id)
        };
        let ours = self.order.refunds.iter().filter(|it| theirs.intents.contains_key(&it.intent));
        let missing = ours.filter_map(|it| it.provider_id.clone()).filter(|it| !listed(it.clone()));
        for id in missing.collect::<Vec<_>>() {
            self.add(DifferenceClass::MissingRefund, format!("{id} is stored here, and not listed by Stripe"));
        }
    }

    /// Adds requests, operations and refunds that the worker should have finished long ago.
    fn unfinished(&mut self, now: Timestamp) {
        let order = self.order;
        let is_old = |at: Timestamp| at.plus_seconds(UNFINISHED_SECONDS) < now;
        if order.requested.is_some() && is_old(order.updated_at) {
            self.add(
                DifferenceClass::Unfinished,
                "a PaymentIntent was requested, and Stripe has not answered".to_owned(),
            );
        }
        if let Some(operation) = order.operation.as_ref().filter(|it| is_old(it.since)) {
            let detail = format!("the {} has been under way since {}", operation.kind.name(), operation.since);
            self.add(DifferenceClass::Unfinished, detail);
        }
        let waiting =
            |it: &&paywright_domain::refund::Refund| it.status == RefundStatus::Requested && is_old(it.requested_at);
        for refund in order.refunds.iter().filter(waiting) {
            let why = refund.failure.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
            let detail = format!("refund {} has been waiting since {}{why}", refund.number, refund.requested_at);
            self.add(DifferenceClass::Unfinished, detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::anomaly::Policies;
    use paywright_domain::id::RefundId;
    use paywright_domain::order::CancelReason;
    use paywright_domain::refund::NewRefund;
    use paywright_domain::{Currency, LineItem, NewOrder};
    use uuid::Uuid;

    use super::*;
    use crate::fixtures::{at, dispute, placed, usd};

    fn snapshot(id: &str, status: IntentStatus, received: i64) -> IntentSnapshot {
        let requested = IntentSnapshot::new(IntentId::new(id).unwrap(), OrderId(Uuid::nil()), usd(1000), at(2));
        IntentSnapshot { status, received: usd(received), ..requested }
    }

    fn order() -> Order {
        let paid = snapshot("pi_1", IntentStatus::Succeeded, 1000);
        placed().settle(&paid, &Policies::DEFAULT, at(3)).unwrap().order
    }

    fn theirs(intents: &[IntentSnapshot]) -> AtProvider {
        let intents = intents.iter().map(|it| (it.intent.clone(), it.clone())).collect();
        AtProvider { intents, ..AtProvider::default() }
    }

    fn refund(id: &str, minor: i64, status: RefundStatus) -> RefundSnapshot {
        RefundSnapshot {
            id: RefundId::new(id).unwrap(),
            name: None,
            intent: IntentId::new("pi_1").unwrap(),
            amount: usd(minor),
            reason: None,
            status,
            failure: None,
            request: None,
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of differences")]
    fn each_class_of_difference_is_found_and_none_where_both_sides_agree() {
        use DifferenceClass::{
            Dispute as DisputeClass, MissingIntent, MissingRefund, Received, Refund as RefundClass, Status, Unfinished,
            UnknownIntent, UnknownRefund, UnknownStatus,
        };
        let unknown = |id: &str| super::UnknownStatus {
            id: id.into(),
            status: "appeal_under_review".into(),
            intent: IntentId::new("pi_1").unwrap(),
            order: None,
        };
        let good = || snapshot("pi_1", IntentStatus::Succeeded, 1000);
        let (requested, number) =
            order().refund(&NewRefund { amount: Some(usd(100)), ..NewRefund::default() }, at(4)).unwrap();
        let requested = requested.order;
        let named = RefundSnapshot {
            name: requested.refund_numbered(number).map(|it| it.name(requested.id)),
            ..refund("re_1", 100, RefundStatus::Succeeded)
        };
        let refunded = requested.update_refund(&named, at(5)).unwrap().order;
        let with = |refunds: Vec<RefundSnapshot>| AtProvider { refunds, ..theirs(&[good()]) };
        let disputed = AtProvider { disputes: vec![dispute()], ..theirs(&[good()]) };
        let late = at(10 + i64::from(UNFINISHED_SECONDS));
        for (name, ours, theirs, now, expected) in [
            ("both agree", order(), theirs(&[good()]), at(9), vec![]),
            (
                "unknown here",
                order(),
                theirs(&[good(), snapshot("pi_2", IntentStatus::Processing, 0)]),
                at(9),
                vec![UnknownIntent],
            ),
            ("not listed by Stripe", order(), theirs(&[]), at(9), vec![MissingIntent]),
            ("another status", order(), theirs(&[snapshot("pi_1", IntentStatus::Canceled, 1000)]), at(9), vec![Status]),
            (
                "another amount",
                order(),
                theirs(&[snapshot("pi_1", IntentStatus::Succeeded, 900)]),
                at(9),
                vec![Received],
            ),
            (
                "a refund agrees",
                refunded.clone(),
                with(vec![refund("re_1", 100, RefundStatus::Succeeded)]),
                at(9),
                vec![],
            ),
            (
                "a refund made in the dashboard",
                order(),
                with(vec![refund("re_9", 5, RefundStatus::Succeeded)]),
                at(9),
                vec![UnknownRefund],
            ),
            (
                "a refund that failed",
                refunded.clone(),
                with(vec![refund("re_1", 100, RefundStatus::Failed)]),
                at(9),
                vec![RefundClass],
            ),
            (
                "a refund of another amount",
                refunded.clone(),
                with(vec![refund("re_1", 99, RefundStatus::Succeeded)]),
                at(9),
                vec![RefundClass],
            ),
            ("a refund that Stripe does not list", refunded, with(vec![]), at(9), vec![MissingRefund]),
            ("a refund under way", requested.clone(), with(vec![]), at(9), vec![]),
            ("a refund that never ends", requested, with(vec![]), late, vec![Unfinished]),
            (
                "a payment of an unknown status",
                order(),
                AtProvider { unknown: vec![unknown("pi_1")], ..AtProvider::default() },
                at(9),
                vec![UnknownStatus],
            ),
            (
                "a dispute of an unknown status",
                order(),
                AtProvider { unknown: vec![unknown("du_1")], ..theirs(&[good()]) },
                at(9),
                vec![UnknownStatus],
            ),
            ("a dispute", order(), disputed.clone(), at(9), vec![DisputeClass]),
            ("a known dispute", order().update_dispute(&dispute(), at(5)).unwrap().order, disputed, at(9), vec![]),
        ] {
            let classes: Vec<_> = compare(&ours, &theirs, now).into_iter().map(|it| it.class).collect();
            assert_eq!(classes, expected, "{name}");
        }
    }

    /// Invariant I1: money beyond the amount due is an anomaly or a difference.
    #[test]
    fn an_overpayment_is_a_difference_unless_it_is_an_anomaly() {
        let second = snapshot("pi_2", IntentStatus::Succeeded, 1000);
        let both = theirs(&[snapshot("pi_1", IntentStatus::Succeeded, 1000), second.clone()]);
        let known = order().settle(&second, &Policies::DEFAULT, at(5)).unwrap().order;
        assert_eq!(compare(&known, &both, at(9)), []);
        let mut forgotten = (*known).clone();
        forgotten.anomalies.clear();
        let classes: Vec<_> =
            compare(&Order::restore(forgotten).unwrap(), &both, at(9)).into_iter().map(|it| it.class).collect();
        assert_eq!(classes, [DifferenceClass::Overpaid]);
    }

    #[test]
    fn an_operation_that_never_ends_is_a_difference() {
        let lines = vec![LineItem::new("Bone", usd(1000), 1).unwrap()];
        let new = NewOrder { lines, ..NewOrder::empty(Currency::Usd) };
        let placed = Order::place(OrderId(Uuid::nil()), new, at(1)).unwrap().order;
        let open = snapshot("pi_1", IntentStatus::RequiresAction, 0);
        let open_order = placed.settle(&open, &Policies::DEFAULT, at(3)).unwrap().order;
        let canceling = open_order.cancel(CancelReason::Abandoned, at(4)).unwrap().order;
        let now = at(5 + i64::from(UNFINISHED_SECONDS));
        let found = compare(&canceling, &theirs(&[open]), now);
        assert_eq!(found.iter().map(|it| it.class.name()).collect::<Vec<_>>(), ["unfinished"]);
        assert!(found[0].detail.contains("the cancel has been under way since"), "{found:?}");
    }
}
