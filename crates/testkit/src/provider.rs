use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paywright_app::{
    Clock, EventPage, GatewayError, IssuedIntent, IssuedRefund, NewIntent, Page, PaymentGateway, ProviderEvent,
    ProviderRecords, ProviderRefund, ProviderUpdate, ReadPayment, RecordedOrder,
};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{ChargeId, OrderNumber, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError, IntentStatus, Proceeds};
use paywright_domain::order::{CancelReason, LostOrder};
use paywright_domain::refund::{RefundSnapshot, RefundStatus};
use paywright_domain::{IntentId, IntentSnapshot, Money, Timestamp};
use secrecy::SecretString;
use uuid::Uuid;

use crate::HandClock;

/// Fault of one call that changes something at Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request is lost before it is executed.
    LostBefore,
    /// The request is executed, and the answer is lost.
    LostAfter,
    /// The request is not executed, and a failure is saved under its key.
    FailsBefore,
    /// The request is executed, and a failure is saved under its key.
    FailsAfter,
    /// Stripe is busy: the caller must try again later.
    Busy,
    /// No connection to Stripe is made.
    Unreachable,
    /// The request is refused with this error code.
    Refuses(&'static str),
}

impl Trouble {
    /// Faults after which a later call can still succeed.
    pub const PASSING: [Self; 6] =
        [Self::LostBefore, Self::LostAfter, Self::FailsBefore, Self::FailsAfter, Self::Busy, Self::Unreachable];

    /// Iterates over no fault, and then each of [`Self::PASSING`].
    pub fn none_and_each_passing() -> impl Iterator<Item = Option<Self>> {
        std::iter::once(None).chain(Self::PASSING.map(Some))
    }
}

/// Stripe in memory, for one test. It stores intents, refunds and idempotency keys as Stripe does; the test performs
/// the actions of a customer, a bank or a person at Stripe's dashboard.
#[derive(Clone)]
pub struct Provider {
    clock: Arc<HandClock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    intents: BTreeMap<String, IntentSnapshot>,
    created: Vec<String>,
    /// Time at which each of them was created.
    created_at: BTreeMap<String, Timestamp>,
    refunds: Vec<RefundSnapshot>,
    disputes: Vec<Dispute>,
    events: Vec<ProviderEvent>,
    answers: BTreeMap<String, SavedAnswer>,
    troubles: VecDeque<Trouble>,
    calls: Vec<String>,
    manual_capture: bool,
    pending_refunds: bool,
    omits_secrets: bool,
    /// Error code with which a request with an email address is refused.
    refuses_emails: Option<&'static str>,
    event_pages_read: u32,
    reads: u32,
    clock_ahead: Option<i64>,
}

#[derive(Clone)]
enum SavedAnswer {
    Intent(IntentSnapshot),
    Refund(RefundSnapshot),
    Refusal(IntentError),
    Failure,
}

impl Provider {
    /// Makes an empty Stripe with this clock.
    pub fn by(clock: &Arc<HandClock>) -> Self {
        Self { clock: Arc::clone(clock), state: Arc::default() }
    }

    /// Adds faults of the next calls that change something, one fault for each call.
    pub fn will(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.extend(troubles);
    }

    /// Lets payments wait for capture from now on.
    pub fn holds_money(&self) {
        self.state().manual_capture = true;
    }

    /// Lets refunds stay pending from now on.
    pub fn refunds_slowly(&self) {
        self.state().pending_refunds = true;
    }

    /// Leaves client secrets out of answers, or includes them again.
    pub fn keeps_secrets(&self, keeps: bool) {
        self.state().omits_secrets = keeps;
    }

    /// Refuses every request with an email address from now on.
    pub fn refuses_emails(&self) {
        self.state().refuses_emails = Some(IntentError::EMAIL_INVALID);
    }

    /// Reports a difference of Stripe's clock to ours, in seconds; positive if Stripe's is ahead.
    pub fn clock_is_ahead(&self, seconds: i64) {
        self.state().clock_ahead = Some(seconds);
    }

    /// Calls so far that were to change something, by name and idempotency key.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Present state of an intent.
    pub fn intent_now(&self, id: &IntentId) -> IntentSnapshot {
        self.state().intents[id.as_str()].clone()
    }

    /// All refunds in their present state.
    pub fn refunds_now(&self) -> Vec<RefundSnapshot> {
        self.state().refunds.clone()
    }

    /// Number of intents that were created.
    pub fn made_now(&self) -> usize {
        self.state().created.len()
    }

    /// Number of reads of an intent.
    pub fn reads(&self) -> u32 {
        self.state().reads
    }

    /// Number of pages of events that were read.
    pub fn walked(&self) -> u32 {
        self.state().event_pages_read
    }

    /// Adds an intent that another program has created.
    pub fn adds(&self, intent: IntentSnapshot) {
        self.state().intents.insert(intent.intent.to_string(), intent);
    }

    /// Deletes an intent.
    pub fn forgets(&self, id: &IntentId) {
        self.state().intents.remove(id.as_str());
    }

    /// Pays an intent as a customer: it succeeds, or waits for capture.
    pub fn pay(&self, id: &IntentId) {
        let manual_capture = self.state().manual_capture;
        self.change(id, |it| {
            if manual_capture {
                it.status = IntentStatus::RequiresCapture;
                it.capturable = it.amount;
            } else {
                it.status = IntentStatus::Succeeded;
                it.received = it.amount;
            }
        });
    }

    /// Changes an intent and records the event, as a bank or a person at the dashboard would.
    pub fn change(&self, id: &IntentId, change: impl FnOnce(&mut IntentSnapshot)) {
        let now = self.clock.now();
        let mut state = self.state();
        let intent = state.intents.get_mut(id.as_str()).unwrap();
        change(intent);
        let snapshot = IntentSnapshot { as_of: now, as_of_max: now, ..intent.clone() };
        state.record_event("payment_intent", ProviderUpdate::Intent(Box::new(snapshot)), now);
    }

    /// Refunds an amount, as a person at the dashboard would.
    pub fn refund_at_dashboard(&self, id: &IntentId, amount: Money) -> RefundSnapshot {
        let now = self.clock.now();
        let mut state = self.state();
        state.refund(id, amount, (None, None), now).unwrap()
    }

    /// Refunds an amount at the time of the last event, whose event Stripe lists late, before the last one.
    pub fn refund_listed_late(&self, id: &IntentId, amount: Money) {
        let mut state = self.state();
        let (before, at) = (state.events.len(), state.events.last().unwrap().created_at);
        state.refund(id, amount, (None, None), at).unwrap();
        let late = state.events.split_off(before);
        state.events.splice(before - 1..before - 1, late);
    }

    /// Sets the status of a refund, as the bank would.
    pub fn decide_refund(&self, id: &RefundId, status: RefundStatus) {
        let now = self.clock.now();
        let mut state = self.state();
        let refund = state.refunds.iter_mut().find(|it| it.id == *id).unwrap();
        refund.status = status;
        if status == RefundStatus::Failed {
            refund.failure = Some("expired_or_canceled_card".into());
        }
        let update = ProviderUpdate::Refund(Box::new(refund.clone()));
        state.record_event("refund", update, now);
    }

    /// Opens or replaces a dispute, as a cardholder or the bank would.
    pub fn dispute(&self, dispute: Dispute) {
        let now = self.clock.now();
        let mut state = self.state();
        state.disputes.retain(|it| it.id != dispute.id);
        state.disputes.push(dispute.clone());
        state.record_event("dispute", ProviderUpdate::Dispute(Box::new(dispute)), now);
    }

    /// All events so far, for a test to deliver; otherwise they are found by back-fill.
    pub fn events_now(&self) -> Vec<ProviderEvent> {
        self.state().events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn issued(&self, snapshot: IntentSnapshot) -> IssuedIntent {
        let secret = SecretString::from(format!("{}_secret_x", snapshot.intent));
        let client_secret = (!self.state().omits_secrets).then_some(secret);
        let request = Some(format!("req_{}", self.state().calls.len()));
        IssuedIntent { snapshot, client_secret, request }
    }

    /// Executes a call once for its idempotency key, with the next fault.
    fn execute_once(
        &self,
        name: &str,
        key: &str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<SavedAnswer, IntentError>,
    ) -> Result<SavedAnswer, GatewayError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.calls.push(format!("{name} {key}"));
        let trouble = state.troubles.pop_front();
        match trouble {
            Some(Trouble::LostBefore) => return Err(GatewayError::Unknown("the request was lost".into())),
            Some(Trouble::Busy) => return Err(GatewayError::Busy("the provider of this test is busy".to_owned())),
            Some(Trouble::Unreachable) => return Err(GatewayError::Unreachable("connection refused by hush".into())),
            _ => {}
        }
        let saved = if let Some(saved) = state.answers.get(key).cloned() {
            saved
        } else {
            let saved = match trouble {
                Some(Trouble::FailsBefore) => SavedAnswer::Failure,
                Some(Trouble::Refuses(code)) => SavedAnswer::Refusal(IntentError::of_code(code)),
                Some(Trouble::FailsAfter) => {
                    drop(work(&mut state, now));
                    SavedAnswer::Failure
                }
                Some(Trouble::LostBefore | Trouble::LostAfter | Trouble::Busy | Trouble::Unreachable) | None => {
                    work(&mut state, now).unwrap_or_else(SavedAnswer::Refusal)
                }
            };
            state.answers.insert(key.to_owned(), saved.clone());
            saved
        };
        if trouble == Some(Trouble::LostAfter) {
            return Err(GatewayError::Unknown("the answer was lost".into()));
        }
        match saved {
            SavedAnswer::Refusal(error) => Err(GatewayError::Refused(error)),
            SavedAnswer::Failure => Err(GatewayError::KeyExhausted("500".into())),
            saved @ (SavedAnswer::Intent(_) | SavedAnswer::Refund(_)) => Ok(saved),
        }
    }

    fn intent_call(
        &self,
        name: &str,
        key: &str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<IntentSnapshot, IntentError>,
    ) -> Result<IssuedIntent, GatewayError> {
        match self.execute_once(name, key, |state, now| work(state, now).map(SavedAnswer::Intent))? {
            SavedAnswer::Intent(snapshot) => Ok(self.issued(snapshot)),
            SavedAnswer::Refund(_) | SavedAnswer::Refusal(_) | SavedAnswer::Failure => {
                panic!("{key} was used for another kind of request")
            }
        }
    }

    fn move_intent(
        &self,
        name: &str,
        id: &IntentId,
        key: &str,
        allowed: &[IntentStatus],
        change: impl FnOnce(&mut IntentSnapshot),
    ) -> Result<IssuedIntent, GatewayError> {
        self.intent_call(name, key, |state, now| {
            let intent = state.intents.get_mut(id.as_str()).unwrap();
            if !allowed.contains(&intent.status) {
                return Err(IntentError::of_code(IntentError::UNEXPECTED_STATE));
            }
            change(intent);
            let snapshot = IntentSnapshot { as_of: now, as_of_max: now, ..intent.clone() };
            state.record_event("payment_intent", ProviderUpdate::Intent(Box::new(snapshot.clone())), now);
            Ok(snapshot)
        })
    }
}

impl State {
    /// Refuses a request with an email address, if the test wants that.
    fn check_email(&self, new: &NewIntent) -> Result<(), IntentError> {
        match self.refuses_emails.filter(|_| new.email.is_some()) {
            Some(code) => Err(IntentError { code: Some(code.to_owned()), ..IntentError::default() }),
            None => Ok(()),
        }
    }

    fn record_event(&mut self, kind: &str, update: ProviderUpdate, now: Timestamp) {
        self.events.push(ProviderEvent {
            id: format!("evt_{}", self.events.len() + 1),
            kind: format!("{kind}.changed"),
            created_at: now,
            livemode: false,
            request: None,
            update,
            foreign: None,
            other_version: None,
        });
    }

    fn refund(
        &mut self,
        id: &IntentId,
        amount: Money,
        (name, request): (Option<String>, Option<Uuid>),
        now: Timestamp,
    ) -> Result<RefundSnapshot, IntentError> {
        let received = self.intents[id.as_str()].received.minor();
        let refunded = self.refunds.iter().filter(|it| it.intent == *id && it.status.holds_money());
        let left = received - refunded.map(|it| it.amount.minor()).sum::<i64>();
        if amount.minor() > left {
            let code = if left == 0 { "charge_already_refunded" } else { "amount_too_large" };
            return Err(IntentError { code: Some(code.into()), ..IntentError::default() });
        }
        let refund = RefundSnapshot {
            id: RefundId::new(format!("re_{}", self.refunds.len() + 1)).unwrap(),
            name,
            intent: id.clone(),
            amount,
            reason: None,
            status: if self.pending_refunds { RefundStatus::Pending } else { RefundStatus::Succeeded },
            failure: None,
            request,
        };
        self.refunds.push(refund.clone());
        self.record_event("refund", ProviderUpdate::Refund(Box::new(refund.clone())), now);
        Ok(refund)
    }
}

const OPEN: [IntentStatus; 3] =
    [IntentStatus::RequiresPaymentMethod, IntentStatus::RequiresConfirmation, IntentStatus::RequiresAction];

#[async_trait]
impl PaymentGateway for Provider {
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        self.intent_call("create", key, |state, now| {
            state.check_email(new)?;
            let id = IntentId::new(format!("pi_{}", state.created.len() + 1)).unwrap();
            let mut snapshot = IntentSnapshot::new(id.clone(), new.order, new.amount, now);
            snapshot.revision = Some(new.revision);
            state.created.push(id.to_string());
            state.created_at.insert(id.to_string(), now);
            state.intents.insert(id.to_string(), snapshot.clone());
            state.record_event("payment_intent", ProviderUpdate::Intent(Box::new(snapshot.clone())), now);
            Ok(snapshot)
        })
    }

    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError> {
        let now = self.clock.now();
        self.state().reads += 1;
        let found = self.state().intents.get(id.as_str()).cloned().ok_or_else(not_found)?;
        Ok(self.issued(IntentSnapshot { as_of: now, as_of_max: now, ..found }))
    }

    async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError> {
        let issued = self.intent(id).await?;
        let received = issued.snapshot.received;
        let fee = Money::new(received.minor() / 100, received.currency()).unwrap();
        let proceeds = (!received.is_zero()).then_some(Proceeds { gross: received, fee });
        Ok(ReadPayment { issued, proceeds })
    }

    async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        let refusal = self.state().check_email(new);
        if let Err(error) = refusal {
            return self.intent_call("update", key, |_, _| Err(error));
        }
        self.move_intent("update", id, key, &OPEN, |it| {
            it.amount = new.amount;
            it.revision = Some(new.revision);
        })
    }

    async fn cancel_intent(
        &self,
        id: &IntentId,
        _reason: CancelReason,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let allowed = [OPEN.as_slice(), &[IntentStatus::RequiresCapture]].concat();
        self.move_intent("cancel", id, key, &allowed, |it| {
            it.status = IntentStatus::Canceled;
            it.capturable = Money::zero(it.amount.currency());
        })
    }

    async fn capture_intent(
        &self,
        id: &IntentId,
        amount: Money,
        _order: &NewIntent,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        self.move_intent("capture", id, key, &[IntentStatus::RequiresCapture], |it| {
            it.status = IntentStatus::Succeeded;
            it.received = amount;
            it.capturable = Money::zero(it.amount.currency());
        })
    }

    async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError> {
        let name = (Some(new.name.clone()), new.request);
        let work = |state: &mut State, now| state.refund(&new.intent, new.amount, name, now).map(SavedAnswer::Refund);
        match self.execute_once("refund", key, work)? {
            SavedAnswer::Refund(snapshot) => Ok(IssuedRefund { snapshot, request: None }),
            SavedAnswer::Intent(_) | SavedAnswer::Refusal(_) | SavedAnswer::Failure => {
                panic!("{key} was used for another kind of request")
            }
        }
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        self.state().clock_ahead
    }

    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError> {
        let found = self.state().refunds.iter().find(|it| it.id == *id).cloned();
        found.map(|snapshot| IssuedRefund { snapshot, request: None }).ok_or_else(not_found)
    }
}

#[async_trait]
impl ProviderRecords for Provider {
    /// Returns two events at a time: after a cursor, however old they are.
    async fn events(&self, after: Option<&str>, since: Timestamp) -> Result<EventPage, GatewayError> {
        self.state().event_pages_read += 1;
        let events = self.state().events.clone();
        let from = match after {
            None => 0,
            Some(id) => events.iter().position(|it| it.id == id).ok_or_else(not_found)? + 1,
        };
        let rest: Vec<_> =
            events.into_iter().skip(from).filter(|it| after.is_some() || it.created_at >= since).collect();
        let more = rest.len() > 2;
        let events: Vec<_> = rest.into_iter().take(2).collect();
        Ok(EventPage { last: events.last().map(|it| (it.id.clone(), it.created_at)), more, events })
    }

    /// Lists the intents of other programs always, since their time of creation is not known.
    async fn intents(&self, _after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        let state = self.state();
        let is_listed = |id: &str| state.created_at.get(id).is_none_or(|it| *it >= since);
        Ok(Page::last(state.intents.values().filter(|it| is_listed(it.intent.as_str())).cloned().collect()))
    }

    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        let found = self.state().intents.get(intent.as_str()).cloned().ok_or_else(not_found)?;
        Ok(found.order.map(|id| RecordedOrder {
            order: LostOrder {
                id,
                number: OrderNumber::of(id, found.as_of),
                customer: None,
                capture: CaptureMethod::Automatic,
                email: None,
            },
            names_installation: true,
        }))
    }

    /// The charge of `pi_1` is `ch_1`.
    async fn intent_of_charge(&self, charge: &ChargeId) -> Result<Option<IntentId>, GatewayError> {
        let intent = charge.as_str().replacen("ch_", "pi_", 1);
        Ok(self.state().intents.get(&intent).map(|it| it.intent.clone()))
    }

    async fn refunds(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        Ok(Page::last(self.refunds_now()))
    }

    /// Lists the newest refund first.
    async fn refunds_of(&self, intent: &IntentId, _after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        Ok(Page::last(self.refunds_now().into_iter().rev().filter(|it| it.intent == *intent).collect()))
    }

    async fn disputes(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        Ok(Page::last(self.state().disputes.clone()))
    }

    async fn disputes_of(&self, intent: &IntentId, _after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        Ok(Page::last(self.state().disputes.iter().filter(|it| it.intent == *intent).cloned().collect()))
    }
}

fn not_found() -> GatewayError {
    GatewayError::NotFound("the provider of this test has no such object".to_owned())
}
