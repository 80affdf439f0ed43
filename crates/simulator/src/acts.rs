//! Actions of the people of a run: customers, the shop, operators, banks, and people at Stripe's dashboard.

use paywright_app::{
    AcceptPaymentError, Access, App, CancelOrderError, CapturePaymentError, Changed, CheckPaymentError,
    CloseRefundError, CreatePaymentIntentError, EditOrderError, EndpointFormat, GetOrderError, IdempotencyKey,
    IdempotentRequest, OrderRef, PlaceOrderError, PlacedOrder, ProviderEvent, ProviderUpdate, RefundPaymentError,
    StoreError,
};
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::{CaptureMethod, IntentStatus, NewAcceptance};
use paywright_domain::order::{CancelReason, OrderEdit};
use paywright_domain::refund::{NewClosing, NewRefund};
use paywright_domain::text::{Note, Text};
use paywright_domain::{Currency, IntentId, IntentSnapshot, LineItem, Money, NewOrder, OrderId};
use uuid::Uuid;

use crate::books::Violation;
use crate::external_actions::ExternalAction;
use crate::fault::Call;
use crate::stripe::Delivery;
use crate::world::{BoxFuture, Interrupted, ProcessCall, World};

/// An action of a person or of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The shop places the order. All placements of a run are repeats of one request.
    Place,
    /// The shop places a separate order without an idempotency key, and does not repeat the request.
    PlaceWithoutKey,
    /// The customer's page requests a PaymentIntent.
    CreateIntent,
    /// The payment system's callback checks the payment.
    Check,
    /// The shop replaces the order's lines with one line of this amount.
    Edit(i64),
    /// The shop changes the order's metadata, which Stripe does not get.
    Annotate,
    /// The shop cancels the order.
    Cancel,
    /// The shop captures this amount, or all of it.
    Capture(Option<i64>),
    /// The shop refunds this amount, or all that is left. Each refund is a request of its own.
    Refund(Option<i64>),
    /// The shop refunds this amount under this idempotency key: actions with the same key are repeats of one request.
    RefundAs(&'static str, i64),
    /// As [`Act::Refund`], without an idempotency key.
    RefundWithoutKey(i64),
    /// An operator accepts the money that is held for its amount as the payment.
    Accept,
    /// An operator closes the refund with this number, which has failed: this amount went back in another way, or all of it.
    Close(u32, Option<i64>),
    /// Something is done at Stripe, outside Paywright.
    External(ExternalAction),
    /// An event of the other mode arrives that reports the intent as succeeded.
    OtherModeEvent,
    /// Someone with the webhook secret sends a forged event that reports the order as paid.
    Forge(Forgery),
    /// A person or an application manages an endpoint.
    Endpoint(EndpointAct),
    /// A program reads the next page of the feed.
    ReadFeed,
    /// Time passes, in seconds.
    Wait(u32),
    /// An operator reconciles the books, and waits for it.
    Reconcile,
    /// Stripe's API key is rotated; processes use the new one after a restart.
    RotateKey,
}

/// A program with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// Form of the webhooks.
    pub(crate) format: EndpointFormat,
    /// Types of the events; all types if empty.
    pub(crate) types: &'static [FeedEventType],
}

/// An action at the endpoints, at the first one unless it says another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointAct {
    /// Creates an endpoint.
    Create(Consumer),
    /// Rotates the secret; the one before goes on signing for so many seconds.
    Rotate(u32),
    /// Disables the endpoint.
    Disable,
    /// Enables the endpoint.
    Enable,
    /// Enables the endpoint with this index.
    EnableAt(usize),
    /// Has every event sent again.
    Replay,
    /// Has the event at this position sent again.
    Resend(u64),
}

/// Payment that a forged event reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// The amount due, received by the order's newest intent.
    AmountDue,
    /// Another amount, received by the order's newest intent.
    OtherAmount,
    /// The amount due, received by an intent that Stripe does not have.
    NoIntent,
}

fn usd(minor: i64) -> Option<Money> {
    Money::new(minor, Currency::Usd).ok()
}

fn lines(amounts: &[i64]) -> Vec<LineItem> {
    amounts.iter().filter_map(|it| LineItem::new("Bone", usd(*it)?, 1).ok()).collect()
}

/// A person with a list of actions.
pub(crate) struct Person {
    pub(crate) world: World,
    pub(crate) number: usize,
    pub(crate) capture: CaptureMethod,
    /// Number of times a request without a definite answer is sent.
    pub(crate) tries: usize,
}

impl Person {
    /// Performs the actions one after the other.
    pub(crate) async fn perform(self, acts: Vec<Act>) {
        for (index, act) in acts.into_iter().enumerate() {
            self.act(act, index).await;
        }
    }

    async fn act(&self, act: Act, index: usize) {
        match act {
            Act::Place => self.place(Some("order")).await,
            Act::PlaceWithoutKey => self.place(None).await,
            Act::CreateIntent => self.ask().await,
            Act::Check => self.check().await,
            Act::Edit(minor) => self.edit(OrderEdit { lines: Some(lines(&[minor])), ..OrderEdit::default() }).await,
            Act::Annotate => {
                let note = format!("{} {index}", self.number);
                let note = Text::new("note").ok().zip(Text::new(&note).ok());
                self.edit(OrderEdit { metadata: Some(note.into_iter().collect()), ..OrderEdit::default() }).await;
            }
            Act::Cancel => self.cancel().await,
            Act::Capture(minor) => self.capture(minor).await,
            Act::Refund(minor) => self.refund(minor, Some(format!("refund {} {index}", self.number))).await,
            Act::RefundAs(key, minor) => self.refund(Some(minor), Some(key.to_owned())).await,
            Act::RefundWithoutKey(minor) => self.refund(Some(minor), None).await,
            Act::Accept => self.accept().await,
            Act::Close(refund, minor) => self.close(refund, minor).await,
            Act::External(action) => {
                self.world.turn(Call::External, action.name()).await;
                let mut core = self.world.core();
                let Some((path, params)) = action.request(&core) else { return };
                let now = core.now;
                core.books.changed_elsewhere |= action.changes_what_is_due();
                let difference = action.difference(&core);
                let answer = core.stripe.act(&path, params, now);
                core.books.kept.made_to_differ(difference.filter(|_| answer.status == 200));
                drop(core);
                self.world.learn(|| answer.status.to_string());
            }
            Act::OtherModeEvent => {
                self.world.turn(Call::External, "send an event of the other mode").await;
                self.send_event_of_other_mode();
            }
            Act::Forge(forgery) => {
                self.world.turn(Call::External, "forge an event").await;
                self.send_forged_event(forgery);
            }
            Act::Endpoint(act) => self.manage(act).await,
            Act::ReadFeed => self.read_feed().await,
            Act::Wait(seconds) => {
                self.world.turn(Call::LongPause, "wait").await;
                self.world.core().pass(seconds);
            }
            Act::Reconcile => self.reconcile().await,
            Act::RotateKey => {
                self.world.turn(Call::External, "rotate Stripe's key").await;
                self.world.core().stripe.key_version += 1;
            }
        }
    }

    /// Sends an event of live mode, as an endpoint of both modes gets them.
    fn send_event_of_other_mode(&self) {
        let mut core = self.world.core();
        let now = core.now;
        let newest = core.stripe.events.iter().rev().find_map(|(it, _)| match &it.update {
            ProviderUpdate::Intent(snapshot) if snapshot.order.is_some() => Some((it.clone(), snapshot.clone())),
            ProviderUpdate::Intent(_)
            | ProviderUpdate::Refund(_)
            | ProviderUpdate::Dispute(_)
            | ProviderUpdate::Notice { .. }
            | ProviderUpdate::Proceeds(_)
            | ProviderUpdate::ReadRequired(_)
            | ProviderUpdate::Balance
            | ProviderUpdate::Nothing => None,
        });
        let Some((mut event, mut snapshot)) = newest else { return };
        snapshot.status = IntentStatus::Succeeded;
        snapshot.received = snapshot.amount;
        snapshot.livemode = true;
        event.id = format!("evt_live_{}", core.draw());
        event.livemode = true;
        event.update = ProviderUpdate::Intent(snapshot);
        let place = core.stripe.events.len();
        // The event is not in the event list of test mode.
        core.stripe.events.push((event, now.plus_seconds(u32::MAX)));
        core.stripe.deliveries.push(Delivery { event: place, tries: 0, due_at: now });
    }

    /// Sends an event that Stripe did not create, and that reports the amount due as received, or another one.
    fn send_forged_event(&self, forgery: Forgery) {
        let mut core = self.world.core();
        let Some(order) = core.books.order else { return };
        let now = core.now;
        let name = order.to_string();
        let newest = core.stripe.twin.intents().filter(|it| it.metadata.get("order_id") == Some(&name)).last();
        let id = match (forgery, newest.map(|it| it.id.to_owned())) {
            (Forgery::AmountDue | Forgery::OtherAmount, Some(id)) => id,
            (Forgery::AmountDue | Forgery::OtherAmount, None) | (Forgery::NoIntent, _) => "pi_forged".to_owned(),
        };
        let total = self.world.store.read(|it| it.orders.get(&order).map(|it| it.value.total));
        let (Ok(intent), Some(total)) = (IntentId::new(id), total) else { return };
        let unpaid = IntentSnapshot::new(intent, order, total, now);
        let received = match forgery {
            Forgery::OtherAmount => usd(total.minor() - 1).unwrap_or(total),
            Forgery::AmountDue | Forgery::NoIntent => total,
        };
        core.books.changed_elsewhere |= received != total;
        let forged = IntentSnapshot { status: IntentStatus::Succeeded, received, ..unpaid };
        let event = ProviderEvent {
            id: format!("evt_forged_{}", core.draw()),
            kind: "payment_intent.succeeded".to_owned(),
            created_at: now,
            livemode: false,
            request: None,
            update: ProviderUpdate::Intent(Box::new(forged)),
            foreign: None,
            other_version: None,
        };
        let place = core.stripe.events.len();
        // The event is not in Stripe's event list.
        core.stripe.events.push((event, now.plus_seconds(u32::MAX)));
        core.stripe.deliveries.push(Delivery { event: place, tries: 0, due_at: now });
        core.books.is_forged = true;
    }

    fn order(&self) -> Option<OrderId> {
        self.world.core().books.order
    }

    /// Calls a use case, and repeats the call in another process until the answer is definite. Returns the last answer;
    /// `Err(None)` if the last call was interrupted.
    async fn retry_until_definite<T, E>(
        &self,
        tries: usize,
        ask: impl Fn(App) -> BoxFuture<'static, Result<T, E>>,
        is_definite: impl Fn(&E) -> bool,
    ) -> Result<T, Option<E>> {
        let ask = |app: App| ask(app.for_request());
        self.repeat(tries, |process| self.world.in_process(process, true, ask), is_definite).await
    }

    /// Makes a call in one process after the other, until the answer is definite.
    pub(crate) async fn repeat<'a, T, E>(
        &self,
        tries: usize,
        call: impl Fn(usize) -> ProcessCall<'a, Result<T, E>>,
        is_definite: impl Fn(&E) -> bool,
    ) -> Result<T, Option<E>> {
        let mut heard = None;
        for attempt in 0..tries {
            let count = self.world.core().processes.len().max(1);
            heard = match call((self.number + attempt) % count).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if is_definite(&error) => return Err(Some(error)),
                Ok(Err(error)) => Some(error),
                Err(Interrupted) => None,
            };
            self.world.turn(Call::Pause, "try again").await;
        }
        Err(heard)
    }

    async fn place(&self, key: Option<&'static str>) {
        let capture = self.capture;
        let name = key.map_or_else(|| format!("without key {}", self.world.core().draw()), str::to_owned);
        self.world.core().books.placements.insert(name.clone());
        let tries = if key.is_some() { self.tries } else { 1 };
        let ask = |app: App| -> BoxFuture<'static, _> {
            let new = NewOrder { lines: lines(&[600, 400]), capture, ..NewOrder::empty(Currency::Usd) };
            let request = key.map(|key| IdempotentRequest {
                key: IdempotencyKey { scope: Uuid::from_u128(1), key: key.to_owned() },
                fingerprint: [1; 32],
                answer: |order| order.id.to_string(),
            });
            Box::pin(async move { app.place_order(new, request).await })
        };
        let is_definite = |error: &PlaceOrderError| !matches!(error, PlaceOrderError::Store(_));
        let order = match self.retry_until_definite(tries, ask, is_definite).await {
            Ok(PlacedOrder::Now(order)) => order.id,
            Ok(PlacedOrder::Before { order, .. }) => order,
            Err(Some(PlaceOrderError::Store(StoreError::Unavailable(_)))) if key.is_none() => {
                // The store says that nothing was changed: then no order may exist.
                self.world.core().books.placements.remove(&name);
                return;
            }
            Err(_) => return,
        };
        let mut core = self.world.core();
        core.books.order.get_or_insert(order);
        core.books.confirmed_orders.insert(order);
    }

    async fn ask(&self) {
        let Some(order) = self.order() else { return };
        let ask = |app: App| -> BoxFuture<'static, _> {
            Box::pin(async move { app.create_payment_intent(&OrderRef::Id(order), &Access::All).await })
        };
        let is_definite = |error: &CreatePaymentIntentError| {
            matches!(error, CreatePaymentIntentError::Request(_) | CreatePaymentIntentError::Settle(_))
        };
        if let Ok(payable) = self.retry_until_definite(self.tries, ask, is_definite).await {
            self.world.core().books.shown = payable.order.payable_intent().map(|it| it.id.clone());
        }
    }

    async fn check(&self) {
        let Some(order) = self.order() else { return };
        let ask = |app: App| -> BoxFuture<'static, _> {
            Box::pin(async move { app.check_payment(&OrderRef::Id(order), &Access::All).await })
        };
        let is_definite = |error: &CheckPaymentError| {
            matches!(error, CheckPaymentError::NotCompleted { .. } | CheckPaymentError::Settle(_))
        };
        let Ok(checked) = self.retry_until_definite(self.tries, ask, is_definite).await else { return };
        let paid_by = checked.order.paid_by().map(|it| it.id.as_str()).unwrap_or_default();
        let mut core = self.world.core();
        if !core.stripe.twin.intents().any(|it| it.id == paid_by && it.received > 0) {
            let detail = format!("a caller was answered that {order} is paid, and Stripe has no money for it");
            core.books.broken = Some(Violation::of("I2", detail));
        }
    }

    async fn edit(&self, edit: OrderEdit) {
        let Some(order) = self.order() else { return };
        let changes_total = edit.lines.is_some();
        let ask = |app: App| -> BoxFuture<'static, _> {
            let edit = edit.clone();
            Box::pin(async move { app.edit_order(&OrderRef::Id(order), &Access::All, edit).await })
        };
        let is_definite = |error: &EditOrderError| {
            matches!(error, EditOrderError::Refused(_) | EditOrderError::Order(GetOrderError::NotFound))
        };
        let edited = self.retry_until_definite(self.tries, ask, is_definite).await;
        // The caller of an edit before a restore has died with its process.
        let is_in_step = |it: &Changed| match it {
            Changed::Done(order) => order.payable_intent().is_none_or(|it| it.amount == order.total),
            Changed::UnderWay(_) => false,
        };
        if edited.is_ok_and(|it| changes_total && is_in_step(&it))
            && let Some(restored) = &mut self.world.core().books.restored
        {
            restored.is_edit_lost = false;
        }
    }

    async fn cancel(&self) {
        let Some(order) = self.order() else { return };
        let ask = |app: App| -> BoxFuture<'static, _> {
            let reason = CancelReason::RequestedByCustomer;
            Box::pin(async move { app.cancel_order(&OrderRef::Id(order), &Access::All, reason).await })
        };
        let is_definite = |error: &CancelOrderError| {
            matches!(error, CancelOrderError::Refused(_) | CancelOrderError::Order(GetOrderError::NotFound))
        };
        drop(self.retry_until_definite(self.tries, ask, is_definite).await);
    }

    async fn capture(&self, minor: Option<i64>) {
        let Some(order) = self.order() else { return };
        let ask = |app: App| -> BoxFuture<'static, _> {
            let amount = minor.and_then(usd);
            Box::pin(async move { app.capture_payment(&OrderRef::Id(order), &Access::All, amount).await })
        };
        let is_definite =
            |error: &CapturePaymentError| !matches!(error, CapturePaymentError::Order(GetOrderError::Store(_)));
        drop(self.retry_until_definite(self.tries, ask, is_definite).await);
    }

    async fn accept(&self) {
        let Some(order) = self.order() else { return };
        let Ok(note) = Note::new("a person decides so") else { return };
        self.world.core().books.acceptances += 1;
        let ask = |app: App| -> BoxFuture<'static, _> {
            let new = NewAcceptance { intent: None, amount: None, note: note.clone() };
            Box::pin(async move { app.accept_payment(&OrderRef::Id(order), &new).await })
        };
        let is_definite =
            |error: &AcceptPaymentError| !matches!(error, AcceptPaymentError::Order(GetOrderError::Store(_)));
        drop(self.retry_until_definite(self.tries, ask, is_definite).await);
    }

    async fn close(&self, refund: u32, minor: Option<i64>) {
        let Some(order) = self.order() else { return };
        let Ok(note) = Note::new("in cash") else { return };
        self.world.core().books.closings += 1;
        let ask = |app: App| -> BoxFuture<'static, _> {
            let new = NewClosing { amount: minor.and_then(usd), note: note.clone() };
            Box::pin(async move { app.close_refund(&OrderRef::Id(order), refund, &new).await })
        };
        let is_definite = |error: &CloseRefundError| !matches!(error, CloseRefundError::Order(GetOrderError::Store(_)));
        drop(self.retry_until_definite(self.tries, ask, is_definite).await);
    }

    /// Refunds, and repeats the request if it has an idempotency key.
    async fn refund(&self, minor: Option<i64>, key: Option<String>) {
        let Some(order) = self.order() else { return };
        let name = key.clone().unwrap_or_else(|| format!("without key {}", self.world.core().draw()));
        self.world.core().books.refunds.insert(name.clone());
        let tries = if key.is_some() { self.tries } else { 1 };
        let ask = |app: App| -> BoxFuture<'static, _> {
            let new = NewRefund { amount: minor.and_then(usd), ..NewRefund::default() };
            let request = key.clone().map(|key| (IdempotencyKey { scope: Uuid::from_u128(1), key }, [2; 32]));
            Box::pin(async move { app.refund_payment(&OrderRef::Id(order), &Access::All, &new, request).await })
        };
        let is_definite = |error: &RefundPaymentError| {
            matches!(error, RefundPaymentError::Refused(_) | RefundPaymentError::KeyReused)
        };
        let is_keyless = key.is_none();
        match self.retry_until_definite(tries, ask, is_definite).await {
            Ok(refunded) => {
                let made = (refunded.order.id, refunded.refund.number);
                let amount = minor.unwrap_or_else(|| refunded.refund.amount.minor());
                self.world.core().books.confirmed_refunds.insert(made, amount);
            }
            Err(Some(RefundPaymentError::Order(GetOrderError::Store(StoreError::Unavailable(_))))) if is_keyless => {
                // The store says that nothing was changed: then no refund may exist.
                self.world.core().books.refunds.remove(&name);
            }
            Err(_) => {}
        }
    }
}
