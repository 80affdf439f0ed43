//! Stripe's events. Each is stored before it is acknowledged, in the same commit as the change that it causes. An event
//! that cannot be applied yet is parked for the worker.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use paywright_domain::dispute::{Dispute, DisputeUpdateError};
use paywright_domain::intent::SettleError;
use paywright_domain::refund::RefundUpdateError;
use paywright_domain::{Decision, IntentId, IntentSnapshot, Order, OrderId, Timestamp};
use tracing::Instrument;

use crate::back_fill::BACK_FILL;
use crate::change::{ChangeError, CommitContext};
use crate::metrics;
use crate::perform::PerformError;
use crate::{
    Access, App, Cause, EventClosing, EventStatus, ForeignEvent, GatewayError, GetOrderError, Lease, LeasedEvent,
    OrderRef, OtherVersion, ProviderEvent, ProviderUpdate, ReceivedEvent, SettleFromProviderError, StoreError, Work,
    WorkId, log, traces,
};

/// Reason of a parked event whose PaymentIntent is not stored with any order.
const UNKNOWN_INTENT: &str = "no order has its PaymentIntent";

/// Reason of a foreign event whose PaymentIntent names no order of this installation.
const NOT_OURS: &str = "its PaymentIntent belongs to another installation or program";

/// Result of applying an update to its order.
enum Applied {
    /// The update was applied to this order.
    To(OrderId),
    /// The update is about an object of another installation or program.
    Foreign(String),
    /// The order of the update is not known yet, or lacks the state that the update needs.
    NotYet(String),
    /// The update contradicts the order, so that Stripe must be read.
    ToBeRead(String),
}

impl App {
    /// Processes a Stripe event that arrived by `via` (`webhook` or `back_fill`). When this returns `Ok`, the event and
    /// the change that it causes are committed, and the webhook may be acknowledged. `headers` are the delivery's HTTP
    /// headers that may help in an investigation.
    pub async fn take_event(
        &self,
        event: ProviderEvent,
        via: &'static str,
        headers: BTreeMap<String, String>,
    ) -> Result<EventStatus, StoreError> {
        let span = traces::event(&event.id, &event.kind, via);
        let status = traces::within(&span, self.take_event_in_span(event, via, headers)).await?;
        traces::event_status(&span, status);
        Ok(status)
    }

    async fn take_event_in_span(
        &self,
        event: ProviderEvent,
        via: &'static str,
        headers: BTreeMap<String, String>,
    ) -> Result<EventStatus, StoreError> {
        let now = self.clock.now();
        let ProviderEvent { id, kind, created_at, livemode, request, update, foreign, other_version } = event;
        let received = ReceivedEvent {
            id,
            kind,
            created_at,
            received_at: now,
            via,
            headers,
            update: if via == BACK_FILL { update } else { update.delivered_by_webhook() },
            status: EventStatus::Applied,
            error: None,
            order: None,
            due_at: None,
        };
        log::event(&received);
        let event = match self.foreign_reason(livemode, foreign) {
            Some(reason) => ReceivedEvent { status: EventStatus::Foreign, error: Some(reason), ..received },
            None => self.apply_received(received, request, other_version).await?,
        };
        if event.update == ProviderUpdate::Balance {
            self.waker.wake_books();
        }
        if event.status == EventStatus::Applied {
            // The commit of its change has stored the event.
            metrics::event(event.status);
            log::outcome(&event);
            return Ok(EventStatus::Applied);
        }
        self.store.inbox.record_event(&event).await?;
        if event.due_at.is_some_and(|it| it <= now) {
            self.waker.wake();
        }
        metrics::event(event.status);
        log::outcome(&event);
        Ok(event.status)
    }

    /// Applies a new event to its order, and returns the event with its resulting status.
    async fn apply_received(
        &self,
        received: ReceivedEvent,
        request: Option<String>,
        other_version: Option<OtherVersion>,
    ) -> Result<ReceivedEvent, StoreError> {
        self.warn_of_version(other_version.filter(|_| received.via == "webhook"));
        let now = received.received_at;
        let event = Some(received.id.clone());
        let cause = Cause { source: received.via.to_owned(), event, request, ..Cause::default() };
        let context = CommitContext { cause: Some(cause), received: Some(received.clone()), idempotency: None };
        let is_foreign = || received.update.intent().is_some_and(|it| self.foreign.contains(it));
        let foreign = || (EventStatus::Foreign, Some(NOT_OURS.to_owned()), None);
        let (status, error, due_at) = match &received.update {
            ProviderUpdate::Balance | ProviderUpdate::Nothing => (EventStatus::Ignored, None, None),
            ProviderUpdate::ReadRequired(_) | ProviderUpdate::Proceeds(_) if is_foreign() => foreign(),
            ProviderUpdate::ReadRequired(_) | ProviderUpdate::Proceeds(_) => (EventStatus::Parked, None, Some(now)),
            update @ (ProviderUpdate::Intent(_)
            | ProviderUpdate::Refund(_)
            | ProviderUpdate::Dispute(_)
            | ProviderUpdate::Notice { .. }) => match self.apply(update, &context).await? {
                Applied::To(_) => (EventStatus::Applied, None, None),
                Applied::Foreign(reason) => (EventStatus::Foreign, Some(reason), None),
                Applied::NotYet(_) if is_foreign() => foreign(),
                Applied::NotYet(reason) => {
                    (EventStatus::Parked, Some(reason), Some(now.plus_seconds(self.parked_seconds(0))))
                }
                Applied::ToBeRead(reason) => (EventStatus::Parked, Some(reason), Some(now)),
            },
        };
        Ok(ReceivedEvent { status, error, due_at, ..received })
    }

    /// Warns the operator of a webhook endpoint whose API version differs from that of this program.
    fn warn_of_version(&self, other: Option<OtherVersion>) {
        let Some(OtherVersion { version, expected }) = other else { return };
        self.warnings.warn(format!(
            "A webhook endpoint at Stripe sends events of API version {version}. Their objects are read from Stripe \
             again, which is slower: set the endpoint's version to {expected}."
        ));
    }

    /// Returns the reason why an event concerns no order here, where the event itself shows that. An event of the other
    /// mode warns the operator: the endpoint of that mode, or its secret, is configured for this installation.
    fn foreign_reason(&self, livemode: bool, foreign: Option<ForeignEvent>) -> Option<String> {
        if livemode != self.settings.livemode {
            let (theirs, ours) = if livemode { ("live", "test") } else { ("test", "live") };
            self.warnings.warn(format!(
                "Events of Stripe's {theirs} mode arrive at this installation, which is in {ours} mode. They change \
                 nothing: remove the webhook endpoint of {theirs} mode, or its secret from the settings."
            ));
            return Some(format!("the event is in {theirs} mode, and this installation is in {ours} mode"));
        }
        let ForeignEvent { reason, intent } = foreign?;
        if let Some(intent) = intent {
            self.foreign.add(intent);
        }
        Some(reason)
    }

    /// Applies an update to its order.
    async fn apply(&self, update: &ProviderUpdate, context: &CommitContext) -> Result<Applied, StoreError> {
        let not_yet = |reason: &dyn std::fmt::Display| Ok(Applied::NotYet(reason.to_string()));
        match update {
            ProviderUpdate::Intent(snapshot) => self.apply_intent(snapshot, context).await,
            ProviderUpdate::Refund(refund) => match self.update_refund(refund, context).await {
                Ok(order) => Ok(Applied::To(order.id)),
                Err(ChangeError::Order(GetOrderError::NotFound)) => not_yet(&UNKNOWN_INTENT),
                Err(ChangeError::Refused(error @ (RefundUpdateError::NotOurs | RefundUpdateError::AheadOfMoney))) => {
                    not_yet(&error)
                }
                Err(ChangeError::Order(GetOrderError::Store(error))) => Err(error),
            },
            ProviderUpdate::Dispute(dispute) => self.apply_dispute(dispute, context).await,
            ProviderUpdate::Notice { intent, kind, reason } => {
                let decide = |order: &Order, now| Some(order.notice(intent, *kind, reason.clone(), now));
                self.change_order_of(intent, context, decide).await
            }
            ProviderUpdate::ReadRequired(_)
            | ProviderUpdate::Proceeds(_)
            | ProviderUpdate::Balance
            | ProviderUpdate::Nothing => not_yet(&"the event itself changes no order"),
        }
    }

    async fn apply_intent(&self, snapshot: &IntentSnapshot, context: &CommitContext) -> Result<Applied, StoreError> {
        match self.settle(snapshot, context).await {
            Ok(order) => Ok(Applied::To(order.id)),
            Err(error @ (SettleFromProviderError::Foreign | SettleFromProviderError::Settle(SettleError::NotOurs))) => {
                Ok(Applied::Foreign(error.to_string()))
            }
            Err(error @ SettleFromProviderError::Settle(SettleError::NotConfirmed)) => {
                Ok(Applied::ToBeRead(error.to_string()))
            }
            Err(error @ SettleFromProviderError::UnknownOrder) => Ok(Applied::NotYet(error.to_string())),
            Err(SettleFromProviderError::Store(error)) => Err(error),
        }
    }

    async fn apply_dispute(&self, dispute: &Dispute, context: &CommitContext) -> Result<Applied, StoreError> {
        let decide = |order: &Order, now| {
            Ok((order.update_dispute(dispute, now).map_err(ChangeError::Refused)?, context.clone()))
        };
        match self.change_with_context(&OrderRef::Intent(dispute.intent.clone()), &Access::All, decide).await {
            Ok(order) => Ok(Applied::To(order.id)),
            Err(ChangeError::Order(GetOrderError::NotFound) | ChangeError::Refused(DisputeUpdateError::NotOurs)) => {
                Ok(Applied::NotYet(UNKNOWN_INTENT.to_owned()))
            }
            Err(ChangeError::Refused(error @ DisputeUpdateError::ContradictsDecision)) => {
                Ok(Applied::ToBeRead(error.to_string()))
            }
            Err(ChangeError::Order(GetOrderError::Store(error))) => Err(error),
        }
    }

    /// Decides on the order of a PaymentIntent. Changes nothing where no order has it, or where `decide` returns
    /// `None`.
    async fn change_order_of(
        &self,
        intent: &IntentId,
        context: &CommitContext,
        decide: impl Fn(&Order, Timestamp) -> Option<Decision> + Send + Sync,
    ) -> Result<Applied, StoreError> {
        let decide =
            |order: &Order, now| decide(order, now).map(|it| (it, context.clone())).ok_or(ChangeError::Refused(()));
        match self.change_with_context(&OrderRef::Intent(intent.clone()), &Access::All, decide).await {
            Ok(order) => Ok(Applied::To(order.id)),
            Err(ChangeError::Order(GetOrderError::NotFound) | ChangeError::Refused(())) => {
                Ok(Applied::NotYet(UNKNOWN_INTENT.to_owned()))
            }
            Err(ChangeError::Order(GetOrderError::Store(error))) => Err(error),
        }
    }

    /// Processes parked events that are due, concurrently, and returns their number.
    pub(crate) async fn run_parked_events(&self, lease: &Lease) -> Result<usize, StoreError> {
        let events = self.store.inbox.lease_events(lease).await?;
        let mut by_intent: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in &events {
            by_intent.entry(event.update.intent()).or_default().push(event);
        }
        let process = async |event: &LeasedEvent| -> Result<(), StoreError> {
            let span = tracing::error_span!(
                "event",
                event = event.id,
                event_type = event.kind,
                order = log::LATER,
                number = log::LATER,
                intent = log::LATER,
            );
            let trace = traces::parked_event(event);
            let work = Work::of(WorkId::Event(event.id.clone())).in_trace(trace.clone());
            let closing = work.scope(Box::pin(self.process_parked(event))).instrument(span).await?;
            traces::event_status(&trace, closing.status);
            self.store.inbox.close_event(&closing).await.map(drop)
        };
        // The first event of an intent finds out whether the intent is foreign: Stripe is then not read for the others.
        let processed = join_all(by_intent.into_values().map(async |of_intent| {
            let (first, rest) = of_intent.split_at(of_intent.len().min(1));
            let processed =
                [join_all(first.iter().map(|it| process(it))).await, join_all(rest.iter().map(|it| process(it))).await];
            processed.into_iter().flatten().collect::<Result<(), StoreError>>()
        }));
        processed.await.into_iter().collect::<Result<(), StoreError>>()?;
        Ok(events.len())
    }

    async fn process_parked(&self, event: &LeasedEvent) -> Result<EventClosing, StoreError> {
        let cause = Cause { source: "worker".to_owned(), event: Some(event.id.clone()), ..Cause::default() };
        let context = CommitContext { cause: Some(cause), ..CommitContext::default() };
        let later = |reason: String, seconds: u32| {
            (EventStatus::Parked, Some(reason), None, Some(self.clock.now().plus_seconds(seconds)))
        };
        let unsettled = |reason: String| {
            if Self::is_given_up(event.received_at, event.taken, self.clock.now()) {
                metrics::event(EventStatus::GivenUp);
                tracing::error!(reason, "the event was given up after {} attempts", event.taken);
                return (EventStatus::GivenUp, Some(reason), None, None);
            }
            later(reason, self.parked_seconds(event.taken))
        };
        let (status, error, order, again_at) = match self.read_and_apply(&event.update, &context).await {
            Ok(Applied::To(order)) => (EventStatus::Applied, None, Some(order), None),
            Ok(Applied::Foreign(reason)) => (EventStatus::Foreign, Some(reason), None, None),
            Err(PerformError::Gateway(GatewayError::NotFound(_))) => {
                let reason = "Stripe does not have its PaymentIntent";
                (EventStatus::Foreign, Some(reason.to_owned()), None, None)
            }
            Ok(Applied::NotYet(reason) | Applied::ToBeRead(reason)) => unsettled(reason),
            Err(
                error @ (PerformError::Gateway(GatewayError::NotUnderstood(_))
                | PerformError::Order(GetOrderError::NotFound)
                | PerformError::Unmatched(_)),
            ) => unsettled(error.to_string()),
            // Stripe could not be read, which says nothing about the order: the event is retried soon, and not given
            // up, however old it is.
            Err(error @ PerformError::Gateway(_)) => later(error.to_string(), self.retry_seconds(event.taken)),
            Err(PerformError::Order(GetOrderError::Store(error))) => return Err(error),
        };
        let (owner, id, taken) = (self.owner, event.id.clone(), event.taken);
        Ok(EventClosing { owner, id, taken, status, error, order, again_at })
    }

    /// Applies an update as [`Self::apply`], and reads from Stripe what the event does not say.
    async fn read_and_apply(&self, update: &ProviderUpdate, context: &CommitContext) -> Result<Applied, PerformError> {
        let intent = match update {
            ProviderUpdate::Balance | ProviderUpdate::Nothing => return Ok(self.apply(update, context).await?),
            ProviderUpdate::Intent(snapshot) => {
                return match self.apply(update, context).await? {
                    Applied::ToBeRead(_) => self.read_known_payment(&snapshot.intent, context).await,
                    applied @ (Applied::To(_) | Applied::Foreign(_) | Applied::NotYet(_)) => Ok(applied),
                };
            }
            ProviderUpdate::Proceeds(intent) if self.is_known(intent).await? => {
                return self.read_proceeds(intent, context).await;
            }
            ProviderUpdate::Refund(refund) => &refund.intent,
            ProviderUpdate::Dispute(dispute) => &dispute.intent,
            ProviderUpdate::Notice { intent, .. }
            | ProviderUpdate::ReadRequired(intent)
            | ProviderUpdate::Proceeds(intent) => intent,
        };
        let read_context = CommitContext { received: None, ..context.clone() };
        let order = match self.settle_from_stripe(intent, &read_context).await? {
            Ok(order) => order,
            Err(not_settled) => return Ok(not_settled),
        };
        match update {
            ProviderUpdate::ReadRequired(_) => {
                let (order, mut unknown) = self.read_refunds(intent, order).await?;
                unknown.extend(self.import_disputes(intent, &read_context).await?.1);
                Ok(unknown.first().map_or(Applied::To(order.id), |it| Applied::NotYet(it.to_string())))
            }
            ProviderUpdate::Dispute(_) => match self.apply(update, context).await? {
                Applied::ToBeRead(_) => Ok(Applied::To(self.import_disputes(intent, &read_context).await?.0.id)),
                applied @ (Applied::To(_) | Applied::Foreign(_) | Applied::NotYet(_)) => Ok(applied),
            },
            ProviderUpdate::Proceeds(_) => self.read_proceeds(intent, context).await,
            ProviderUpdate::Refund(_)
            | ProviderUpdate::Notice { .. }
            | ProviderUpdate::Intent(_)
            | ProviderUpdate::Balance
            | ProviderUpdate::Nothing => Ok(self.apply(update, context).await?),
        }
    }

    /// Reads a PaymentIntent from Stripe and settles its order with it. The inner `Err` says why there is no such
    /// order.
    async fn settle_from_stripe(
        &self,
        intent: &IntentId,
        context: &CommitContext,
    ) -> Result<Result<Order, Applied>, PerformError> {
        if self.foreign.contains(intent) {
            return Ok(Err(Applied::Foreign(NOT_OURS.to_owned())));
        }
        let foreign = |reason: String| {
            self.foreign.add(intent.clone());
            Ok(Err(Applied::Foreign(reason)))
        };
        let issued = match self.gateway.intent(intent).await {
            Ok(issued) if issued.snapshot.order.is_none() => return foreign(NOT_OURS.to_owned()),
            Err(GatewayError::Foreign(reason)) => return foreign(reason),
            issued => issued?,
        };
        match self.settle(&issued.snapshot, context).await {
            Ok(order) => Ok(Ok(order)),
            Err(SettleFromProviderError::Store(error)) => Err(error.into()),
            Err(
                error @ (SettleFromProviderError::Foreign
                | SettleFromProviderError::UnknownOrder
                | SettleFromProviderError::Settle(SettleError::NotOurs | SettleError::NotConfirmed)),
            ) => Ok(Err(Applied::NotYet(error.to_string()))),
        }
    }

    /// Whether an order has this PaymentIntent.
    async fn is_known(&self, intent: &IntentId) -> Result<bool, StoreError> {
        Ok(self.find(&OrderRef::Intent(intent.clone()), &Access::All).await?.is_some())
    }

    /// Reads the proceeds of a PaymentIntent, unless they were stored when the payment was confirmed.
    async fn read_proceeds(&self, intent: &IntentId, context: &CommitContext) -> Result<Applied, PerformError> {
        let found = self.find(&OrderRef::Intent(intent.clone()), &Access::All).await?;
        let Some(order) = found.map(|it| it.value) else { return Ok(Applied::NotYet(UNKNOWN_INTENT.to_owned())) };
        let has_proceeds = |order: &Order| order.intent(intent).is_some_and(|it| it.proceeds.is_some());
        if has_proceeds(&order) {
            return Ok(Applied::To(order.id));
        }
        let cause = context.cause.clone().unwrap_or_default();
        let order = self.read_payment(order.id, intent, &cause).await?.order;
        if !has_proceeds(&order) {
            return Ok(Applied::NotYet("Stripe has not booked its proceeds yet".to_owned()));
        }
        Ok(Applied::To(order.id))
    }

    /// Reads the payment of a PaymentIntent that an order has.
    async fn read_known_payment(&self, intent: &IntentId, context: &CommitContext) -> Result<Applied, PerformError> {
        let found = self.find(&OrderRef::Intent(intent.clone()), &Access::All).await?;
        let Some(order) = found.map(|it| it.value) else { return Ok(Applied::NotYet(UNKNOWN_INTENT.to_owned())) };
        let cause = context.cause.clone().unwrap_or_default();
        Ok(Applied::To(self.read_payment(order.id, intent, &cause).await?.order.id))
    }
}
