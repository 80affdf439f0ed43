use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paywright_app::{
    Clock, EventPage, GatewayError, IssuedIntent, IssuedRefund, NewIntent, Page, PaymentGateway, ProviderEvent,
    ProviderRecords, ProviderRefund, ProviderUpdate, ReadPayment, RecordedOrder,
};
use paywright_domain::{
    CancelReason, CaptureMethod, Dispute, IntentError, IntentId, IntentSnapshot, IntentStatus, LostOrder, Money,
    OrderNumber, Proceeds, RefundId, RefundSnapshot, RefundStatus, Timestamp,
};
use secrecy::SecretString;
use uuid::Uuid;

use crate::HandClock;

/// What is to go wrong with a call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request is lost on the way there.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It is not carried out, and the key stands for a failure from then on.
    FailsBefore,
    /// It is carried out, and the key stands for a failure from then on.
    FailsAfter,
    /// The provider wants to be asked later.
    Busy,
    /// It is refused with this code.
    Refuses(&'static str),
}

impl Trouble {
    /// Those after which the same can still be brought about.
    pub const PASSING: [Self; 5] = [Self::LostBefore, Self::LostAfter, Self::FailsBefore, Self::FailsAfter, Self::Busy];

    /// A call without trouble, then one with each of [`Self::PASSING`].
    pub fn none_and_each_passing() -> impl Iterator<Item = Option<Self>> {
        std::iter::once(None).chain(Self::PASSING.map(Some))
    }
}

/// A payment provider of one test: it remembers intents, refunds and keys as Stripe does, and a test does in it what
/// a customer, a bank or somebody at the dashboard would.
#[derive(Clone)]
pub struct Provider {
    clock: Arc<HandClock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    intents: BTreeMap<String, IntentSnapshot>,
    made: Vec<String>,
    /// When each of those was made.
    made_at: BTreeMap<String, Timestamp>,
    refunds: Vec<RefundSnapshot>,
    disputes: Vec<Dispute>,
    events: Vec<ProviderEvent>,
    answers: BTreeMap<String, Saved>,
    troubles: VecDeque<Trouble>,
    calls: Vec<String>,
    manual: bool,
    pending_refunds: bool,
    keeps_secrets: bool,
    /// The code that a request with an e-mail address is refused with.
    refuses_emails: Option<&'static str>,
    walked: u32,
    reads: u32,
    clock_ahead: Option<i64>,
}

#[derive(Clone)]
enum Saved {
    Intent(IntentSnapshot),
    Refund(RefundSnapshot),
    Refusal(IntentError),
    Failure,
}

impl Provider {
    /// A provider of nothing yet, by this clock.
    pub fn by(clock: &Arc<HandClock>) -> Self {
        Self { clock: Arc::clone(clock), state: Arc::default() }
    }

    /// What goes wrong with the calls to come that change something, one after the other.
    pub fn will(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.extend(troubles);
    }

    /// Has intents hold their money until it is captured.
    pub fn holds_money(&self) {
        self.state().manual = true;
    }

    /// Has refunds stay pending.
    pub fn refunds_slowly(&self) {
        self.state().pending_refunds = true;
    }

    /// Has answers come without client secrets, or with them again.
    pub fn keeps_secrets(&self, keeps: bool) {
        self.state().keeps_secrets = keeps;
    }

    /// Has every request with an e-mail address be refused for it.
    pub fn refuses_emails(&self) {
        self.state().refuses_emails = Some(IntentError::EMAIL_INVALID);
    }

    /// Has its clock be so many seconds ahead of ours.
    pub fn clock_is_ahead(&self, seconds: i64) {
        self.state().clock_ahead = Some(seconds);
    }

    /// The calls that changed something, or tried to, by name and key.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// How an intent stands.
    pub fn intent_now(&self, id: &IntentId) -> IntentSnapshot {
        self.state().intents[id.as_str()].clone()
    }

    /// Every refund.
    pub fn refunds_now(&self) -> Vec<RefundSnapshot> {
        self.state().refunds.clone()
    }

    /// How many intents were made.
    pub fn made_now(&self) -> usize {
        self.state().made.len()
    }

    /// How often an intent was read.
    pub fn reads(&self) -> u32 {
        self.state().reads
    }

    /// How many pages of messages were read.
    pub fn walked(&self) -> u32 {
        self.state().walked
    }

    /// Somebody else has made an intent.
    pub fn adds(&self, intent: IntentSnapshot) {
        self.state().intents.insert(intent.intent.to_string(), intent);
    }

    /// The provider knows an intent no more.
    pub fn forgets(&self, id: &IntentId) {
        self.state().intents.remove(id.as_str());
    }

    /// A customer pays: the money is taken, or held where it is to be captured.
    pub fn pay(&self, id: &IntentId) {
        let manual = self.state().manual;
        self.change(id, |it| {
            if manual {
                it.status = IntentStatus::RequiresCapture;
                it.capturable = it.amount;
            } else {
                it.status = IntentStatus::Succeeded;
                it.received = it.amount;
            }
        });
    }

    /// The bank, or somebody, moves an intent.
    pub fn change(&self, id: &IntentId, change: impl FnOnce(&mut IntentSnapshot)) {
        let now = self.clock.now();
        let mut state = self.state();
        let intent = state.intents.get_mut(id.as_str()).unwrap();
        change(intent);
        let snapshot = IntentSnapshot { as_of: now, as_of_max: now, ..intent.clone() };
        state.tell("payment_intent", ProviderUpdate::Intent(Box::new(snapshot)), now);
    }

    /// Somebody at the dashboard gives money back.
    pub fn refund_at_dashboard(&self, id: &IntentId, amount: Money) -> RefundSnapshot {
        let now = self.clock.now();
        let mut state = self.state();
        state.give_back(id, amount, (None, None), now).unwrap()
    }

    /// The bank decides on a refund.
    pub fn decide_refund(&self, id: &RefundId, status: RefundStatus) {
        let now = self.clock.now();
        let mut state = self.state();
        let refund = state.refunds.iter_mut().find(|it| it.id == *id).unwrap();
        refund.status = status;
        if status == RefundStatus::Failed {
            refund.failure = Some("expired_or_canceled_card".into());
        }
        let update = ProviderUpdate::Refund(Box::new(refund.clone()));
        state.tell("refund", update, now);
    }

    /// A card holder disputes, or the bank decides on it.
    pub fn dispute(&self, dispute: Dispute) {
        let now = self.clock.now();
        let mut state = self.state();
        state.disputes.retain(|it| it.id != dispute.id);
        state.disputes.push(dispute.clone());
        state.tell("dispute", ProviderUpdate::Dispute(Box::new(dispute)), now);
    }

    /// Every message so far: a test delivers them, or leaves that to the walk along them.
    pub fn events_now(&self) -> Vec<ProviderEvent> {
        self.state().events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn issued(&self, snapshot: IntentSnapshot) -> IssuedIntent {
        let secret = SecretString::from(format!("{}_secret_x", snapshot.intent));
        let client_secret = (!self.state().keeps_secrets).then_some(secret);
        let request = Some(format!("req_{}", self.state().calls.len()));
        IssuedIntent { snapshot, client_secret, request }
    }

    /// One call under a key, with what goes wrong with it.
    fn once(
        &self,
        name: &str,
        key: &str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<Saved, IntentError>,
    ) -> Result<Saved, GatewayError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.calls.push(format!("{name} {key}"));
        let trouble = state.troubles.pop_front();
        match trouble {
            Some(Trouble::LostBefore) => return Err(GatewayError::Unknown("lost on the way".into())),
            Some(Trouble::Busy) => return Err(GatewayError::Busy("the provider of this test is busy".to_owned())),
            _ => {}
        }
        let saved = if let Some(saved) = state.answers.get(key).cloned() {
            saved
        } else {
            let saved = match trouble {
                Some(Trouble::FailsBefore) => Saved::Failure,
                Some(Trouble::Refuses(code)) => {
                    Saved::Refusal(IntentError { code: Some(code.into()), ..IntentError::default() })
                }
                Some(Trouble::FailsAfter) => {
                    drop(work(&mut state, now));
                    Saved::Failure
                }
                Some(Trouble::LostBefore | Trouble::LostAfter | Trouble::Busy) | None => {
                    work(&mut state, now).unwrap_or_else(Saved::Refusal)
                }
            };
            state.answers.insert(key.to_owned(), saved.clone());
            saved
        };
        if trouble == Some(Trouble::LostAfter) {
            return Err(GatewayError::Unknown("lost on the way back".into()));
        }
        match saved {
            Saved::Refusal(error) => Err(GatewayError::Refused(error)),
            Saved::Failure => Err(GatewayError::KeyExhausted("500".into())),
            saved @ (Saved::Intent(_) | Saved::Refund(_)) => Ok(saved),
        }
    }

    fn intent_call(
        &self,
        name: &str,
        key: &str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<IntentSnapshot, IntentError>,
    ) -> Result<IssuedIntent, GatewayError> {
        match self.once(name, key, |state, now| work(state, now).map(Saved::Intent))? {
            Saved::Intent(snapshot) => Ok(self.issued(snapshot)),
            Saved::Refund(_) | Saved::Refusal(_) | Saved::Failure => panic!("{key} was used for something else"),
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
                let code = Some("payment_intent_unexpected_state".to_owned());
                return Err(IntentError { code, ..IntentError::default() });
            }
            change(intent);
            let snapshot = IntentSnapshot { as_of: now, as_of_max: now, ..intent.clone() };
            state.tell("payment_intent", ProviderUpdate::Intent(Box::new(snapshot.clone())), now);
            Ok(snapshot)
        })
    }
}

impl State {
    /// Checks the address that a receipt would go to.
    fn check_email(&self, new: &NewIntent) -> Result<(), IntentError> {
        match self.refuses_emails.filter(|_| new.email.is_some()) {
            Some(code) => Err(IntentError { code: Some(code.to_owned()), ..IntentError::default() }),
            None => Ok(()),
        }
    }

    fn tell(&mut self, kind: &str, update: ProviderUpdate, now: Timestamp) {
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

    fn give_back(
        &mut self,
        id: &IntentId,
        amount: Money,
        (name, request): (Option<String>, Option<Uuid>),
        now: Timestamp,
    ) -> Result<RefundSnapshot, IntentError> {
        let received = self.intents[id.as_str()].received.minor();
        let gone = self.refunds.iter().filter(|it| it.intent == *id && it.status.holds_money());
        let left = received - gone.map(|it| it.amount.minor()).sum::<i64>();
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
        self.tell("refund", ProviderUpdate::Refund(Box::new(refund.clone())), now);
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
            let id = IntentId::new(format!("pi_{}", state.made.len() + 1)).unwrap();
            let mut snapshot = IntentSnapshot::new(id.clone(), new.order, new.amount, now);
            snapshot.revision = Some(new.revision);
            state.made.push(id.to_string());
            state.made_at.insert(id.to_string(), now);
            state.intents.insert(id.to_string(), snapshot.clone());
            state.tell("payment_intent", ProviderUpdate::Intent(Box::new(snapshot.clone())), now);
            Ok(snapshot)
        })
    }

    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError> {
        let now = self.clock.now();
        self.state().reads += 1;
        let found = self.state().intents.get(id.as_str()).cloned().ok_or(GatewayError::NotFound)?;
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
        let work = |state: &mut State, now| state.give_back(&new.intent, new.amount, name, now).map(Saved::Refund);
        match self.once("refund", key, work)? {
            Saved::Refund(snapshot) => Ok(IssuedRefund { snapshot, request: None }),
            Saved::Intent(_) | Saved::Refusal(_) | Saved::Failure => panic!("{key} was used for something else"),
        }
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        self.state().clock_ahead
    }

    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError> {
        let found = self.state().refunds.iter().find(|it| it.id == *id).cloned();
        found.map(|snapshot| IssuedRefund { snapshot, request: None }).ok_or(GatewayError::NotFound)
    }
}

#[async_trait]
impl ProviderRecords for Provider {
    /// Two at a time.
    async fn events(&self, after: Option<&str>, since: Timestamp) -> Result<EventPage, GatewayError> {
        self.state().walked += 1;
        let events = self.state().events.clone();
        let from = match after {
            None => 0,
            Some(id) => events.iter().position(|it| it.id == id).ok_or(GatewayError::NotFound)? + 1,
        };
        let rest: Vec<_> = events.into_iter().skip(from).filter(|it| it.created_at >= since).collect();
        let more = rest.len() > 2;
        let events: Vec<_> = rest.into_iter().take(2).collect();
        Ok(EventPage { last: events.last().map(|it| (it.id.clone(), it.created_at)), more, events })
    }

    /// Of those that somebody else has made it is not known when.
    async fn intents(&self, _after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        let state = self.state();
        let is_listed = |id: &str| state.made_at.get(id).is_none_or(|it| *it >= since);
        Ok(Page::last(state.intents.values().filter(|it| is_listed(it.intent.as_str())).cloned().collect()))
    }

    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        let found = self.state().intents.get(intent.as_str()).cloned().ok_or(GatewayError::NotFound)?;
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

    async fn refunds(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        Ok(Page::last(self.refunds_now()))
    }

    /// The newest first.
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
