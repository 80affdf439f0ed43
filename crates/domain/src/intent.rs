use std::fmt;
use std::str::FromStr;

use crate::{Currency, IntentId, Money, OrderId, Timestamp};

/// When the money of a payment moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CaptureMethod {
    /// As soon as the customer has confirmed.
    #[default]
    Automatic,
    /// When the shop says so; until then it is only authorised.
    Manual,
}

impl CaptureMethod {
    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Automatic, Self::Manual].into_iter().find(|it| it.name() == name)
    }

    /// Its name in the API and in stored rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// Where a PaymentIntent stands at Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum IntentStatus {
    /// Waits for a means of payment; also after a decline.
    RequiresPaymentMethod,
    /// Waits to be confirmed.
    RequiresConfirmation,
    /// Waits for the customer, for 3-D Secure say.
    RequiresAction,
    /// Waits for the bank.
    Processing,
    /// Authorised; waits for the capture.
    RequiresCapture,
    /// Paid. The end.
    Succeeded,
    /// Given up. The end.
    Canceled,
}

impl IntentStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::RequiresPaymentMethod,
        Self::RequiresConfirmation,
        Self::RequiresAction,
        Self::Processing,
        Self::RequiresCapture,
        Self::Succeeded,
        Self::Canceled,
    ];

    /// The name that Stripe gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing can follow.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Canceled => true,
            Self::RequiresPaymentMethod
            | Self::RequiresConfirmation
            | Self::RequiresAction
            | Self::Processing
            | Self::RequiresCapture => false,
        }
    }

    /// Its rank in the lattice: open states (0) move freely among themselves, since a failed attempt is not
    /// an end; then authorised (1); then the ends (2).
    const fn rank(self) -> u8 {
        match self {
            Self::RequiresPaymentMethod | Self::RequiresConfirmation | Self::RequiresAction | Self::Processing => 0,
            Self::RequiresCapture => 1,
            Self::Succeeded | Self::Canceled => 2,
        }
    }
}

impl fmt::Display for IntentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for IntentStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// Why an attempt to pay failed, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentError {
    /// Stripe's code, like `card_declined`.
    pub code: Option<String>,
    /// The bank's, like `insufficient_funds`. Not for the customer's eyes: it may say `stolen_card`.
    pub decline_code: Option<String>,
    /// A sentence for the customer.
    pub message: Option<String>,
}

/// Codes of Stripe's that decisions depend on (Stripe, "Error codes").
impl IntentError {
    /// Code of a request with an e-mail address that Stripe does not accept.
    pub const EMAIL_INVALID: &str = "email_invalid";
    /// Code of an operation that the present status of the PaymentIntent does not allow.
    pub const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";
    /// Code of a request for an object that Stripe does not know.
    pub const RESOURCE_MISSING: &str = "resource_missing";
    /// Codes of a refund that the shop's balance at Stripe does not cover.
    const BALANCE_TOO_LOW: [&str; 2] = ["balance_insufficient", "insufficient_funds"];

    /// Error of this code alone.
    pub fn of_code(code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..Self::default() }
    }

    /// Whether Stripe refused the address that its receipt would be sent to.
    pub fn is_of_email(&self) -> bool {
        self.code.as_deref() == Some(Self::EMAIL_INVALID)
    }

    /// Whether Stripe refused an operation because of the PaymentIntent's status, which may change again.
    pub fn is_unexpected_state(&self) -> bool {
        self.code.as_deref() == Some(Self::UNEXPECTED_STATE)
    }

    /// Whether Stripe does not know the object that was requested.
    pub fn is_resource_missing(&self) -> bool {
        self.code.as_deref() == Some(Self::RESOURCE_MISSING)
    }

    /// Whether the shop's balance at Stripe is too low for now.
    pub fn is_balance_too_low(&self) -> bool {
        self.code.as_deref().is_some_and(|it| Self::BALANCE_TOO_LOW.contains(&it))
    }
}

/// How a snapshot of an intent has come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SnapshotSource {
    /// In an event that was delivered by a webhook: whoever has the secret of the endpoint can make one.
    #[default]
    Webhook,
    /// In Stripe's answer to a request with the account's key, a listed event included.
    Answer,
}

/// What Stripe says of an intent at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentSnapshot {
    /// Which intent.
    pub intent: IntentId,
    /// The order that its metadata names, if any.
    pub order: Option<OrderId>,
    /// The order's revision that its metadata names. One that names none was made by somebody else: it is taken for
    /// one of the present revision where it comes to be the order's at all.
    pub revision: Option<u32>,
    /// What it asks for. All three amounts are in one currency.
    pub amount: Money,
    /// Where it stands.
    pub status: IntentStatus,
    /// What was received.
    pub received: Money,
    /// What is authorised and may be captured.
    pub capturable: Money,
    /// Why the last attempt failed, if one did.
    pub last_error: Option<IntentError>,
    /// Whether it is about real money.
    pub livemode: bool,
    /// When it was so, at the earliest. That may be long before it came: the answer to an intent's creation
    /// tells of the creation, since Stripe gives the same answer again to a repeated request.
    pub as_of: Timestamp,
    /// When it was so, at the latest: Stripe dates events and creations in whole seconds.
    pub as_of_max: Timestamp,
    /// How it came here. What was stored before this was known counts as delivered by a webhook.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source: SnapshotSource,
}

impl IntentSnapshot {
    /// What Stripe answers of an intent that was just made for the first revision of `order`, in test mode.
    pub fn new(intent: IntentId, order: OrderId, amount: Money, as_of: Timestamp) -> Self {
        Self {
            intent,
            order: Some(order),
            revision: Some(1),
            amount,
            status: IntentStatus::RequiresPaymentMethod,
            received: Money::zero(amount.currency()),
            capturable: Money::zero(amount.currency()),
            last_error: None,
            livemode: false,
            as_of,
            as_of_max: as_of,
            source: SnapshotSource::Answer,
        }
    }

    /// The same, as a webhook has delivered it.
    #[must_use]
    pub fn delivered_by_webhook(self) -> Self {
        Self { source: SnapshotSource::Webhook, ..self }
    }

    /// The same, as it stood at some moment of the second that begins at `as_of`.
    #[must_use]
    pub fn within_second(self, as_of: Timestamp) -> Self {
        // To the last microsecond: the next second's news is certainly newer.
        let last = Timestamp::from_unix_micros(as_of.unix_micros().saturating_add(999_999));
        Self { as_of, as_of_max: last.unwrap_or(as_of), ..self }
    }
}

/// What came of a payment on the shop's balance at Stripe, in the currency of that balance: known a moment after the
/// payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proceeds {
    /// What was paid.
    pub gross: Money,
    /// What Stripe keeps of it. In the same currency.
    pub fee: Money,
}

/// A PaymentIntent as an order remembers it. Every intent ever issued stays with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentIntent {
    /// Its name at Stripe.
    pub id: IntentId,
    /// The order's revision that it was made for.
    pub revision: u32,
    /// What it asks for.
    pub amount: Money,
    /// Where it stands.
    pub status: IntentStatus,
    /// The most that was ever seen received, or what Stripe has answered where an event had told of more.
    pub received: Money,
    /// When Stripe itself has answered that this was received; `None` as long as only events told it, and in what was
    /// stored before this was known.
    pub confirmed_at: Option<Timestamp>,
    /// What is authorised and may be captured.
    pub capturable: Money,
    /// What the shop has asked to be taken of it, where that is for the shop to say: what pays the order then.
    pub capture_asked: Option<Money>,
    /// What came of it on the shop's balance, once that is known.
    pub proceeds: Option<Proceeds>,
    /// Why the last attempt to pay failed, if one did.
    pub last_error: Option<IntentError>,
    /// The latest moment that anything is known of: news of an earlier one no longer moves an open status.
    pub as_of: Timestamp,
    /// When it became known here.
    pub created_at: Timestamp,
}

impl PaymentIntent {
    /// The intent as first seen.
    pub(crate) fn first_seen(snapshot: &IntentSnapshot, revision: u32, now: Timestamp) -> Self {
        Self {
            id: snapshot.intent.clone(),
            revision,
            amount: snapshot.amount,
            status: IntentStatus::RequiresPaymentMethod,
            received: Money::zero(snapshot.amount.currency()),
            confirmed_at: None,
            capturable: Money::zero(snapshot.amount.currency()),
            capture_asked: None,
            proceeds: None,
            last_error: None,
            as_of: Timestamp::EPOCH,
            created_at: now,
        }
    }

    /// The currency that it asks for money in.
    pub const fn currency(&self) -> Currency {
        self.amount.currency()
    }

    /// Whether money may still come by it.
    pub const fn is_payable(&self) -> bool {
        !self.status.is_terminal()
    }

    /// Whether it has succeeded by the word of events alone: Stripe has not been asked since.
    pub fn awaits_confirmation(&self) -> bool {
        self.status == IntentStatus::Succeeded && self.confirmed_at.is_none()
    }

    /// When Stripe itself has confirmed what this intent of `order` has received by now, if `snapshot` was the last to
    /// tell of it, and the intent was as `before`. An event that tells of more is to be confirmed anew.
    pub(crate) fn confirmed_by(
        &self,
        snapshot: &IntentSnapshot,
        before: &Self,
        order: OrderId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let is_all = snapshot.status == IntentStatus::Succeeded && snapshot.received == self.received;
        let is_more = self.received.minor() > before.received.minor();
        match snapshot.source {
            SnapshotSource::Answer if is_all && snapshot.order == Some(order) => self.confirmed_at.or(Some(now)),
            SnapshotSource::Webhook if is_more => None,
            SnapshotSource::Answer | SnapshotSource::Webhook => self.confirmed_at,
        }
    }

    /// Whether older news could take back what is known: it is open, and something was tried. Then the moment at which
    /// it was so is worth knowing.
    pub(crate) fn may_be_taken_back(&self) -> bool {
        let untouched = self.status == IntentStatus::RequiresPaymentMethod && self.last_error.is_none();
        self.status.rank() == 0 && !untouched
    }

    /// Takes in what Stripe says. Any snapshots, repeated and in any order, end in the same status and the
    /// same money as long as one of them is the last: status moves only up the ranks, an end never changes,
    /// and what was received only grows. Among open states the word of the later moment wins, and where that
    /// cannot be told (see [`IntentSnapshot::as_of_max`]) the one that comes last, but for the state that an
    /// intent is made in: nothing leads back to that, so that it came before what is known.
    #[must_use]
    pub fn fold(&self, snapshot: &IntentSnapshot) -> Self {
        let (before, after) = (self.status.rank(), snapshot.status.rank());
        let untouched = |status, error: &Option<_>| status == IntentStatus::RequiresPaymentMethod && error.is_none();
        let goes_back = untouched(snapshot.status, &snapshot.last_error) && !untouched(self.status, &self.last_error);
        let later = if goes_back { snapshot.as_of > self.as_of } else { snapshot.as_of_max >= self.as_of };
        let moves = after > before || (after == before && later && !self.status.is_terminal());
        let mut next = self.clone();
        // Stripe is told the amount and the revision in one, and revisions only grow: what is asked for goes by
        // them, whenever it is told. The dashboard changes the amount alone: that goes by the moment.
        let revision = snapshot.revision.unwrap_or(self.revision);
        next.revision = self.revision.max(revision);
        if revision > self.revision && snapshot.amount.currency() == self.currency() {
            next.amount = snapshot.amount;
        }
        if moves {
            next.status = snapshot.status;
            next.last_error.clone_from(&snapshot.last_error);
            if revision < self.revision {
                // Of a moment before the amount was changed.
            } else if snapshot.amount.currency() == self.currency() {
                next.amount = snapshot.amount;
                next.capturable = snapshot.capturable;
            } else if self.received.is_zero() {
                // Nothing was received in the currency that it was made in: the dashboard has changed it.
                next.amount = snapshot.amount;
                next.capturable = snapshot.capturable;
                next.received = Money::zero(snapshot.amount.currency());
            }
        }
        let grows = snapshot.received.minor() > next.received.minor();
        if grows && snapshot.received.currency() == next.currency() {
            next.received = snapshot.received;
        }
        if next.status.is_terminal() {
            next.capturable = Money::zero(next.amount.currency());
        }
        if !self.status.is_terminal() {
            next.as_of = self.as_of.max(snapshot.as_of);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::Usd).unwrap()
    }

    fn snapshot(status: IntentStatus, at: i64) -> IntentSnapshot {
        let received = if status == IntentStatus::Succeeded { usd(1500) } else { usd(0) };
        IntentSnapshot {
            status,
            received,
            ..IntentSnapshot::new(
                IntentId::new("pi_1").unwrap(),
                OrderId(Uuid::nil()),
                usd(1500),
                Timestamp::from_unix_seconds(at).unwrap(),
            )
        }
    }

    fn intent_in(status: IntentStatus, at: i64) -> PaymentIntent {
        let first = snapshot(status, at);
        PaymentIntent::first_seen(&first, 1, first.as_of).fold(&first)
    }

    #[test]
    fn a_status_never_falls_in_rank_and_an_end_never_changes() {
        for before in IntentStatus::ALL {
            for after in IntentStatus::ALL {
                let folded = intent_in(before, 10).fold(&snapshot(after, 20));
                let expected = if before.is_terminal() || after.rank() < before.rank() { before } else { after };
                assert_eq!(folded.status, expected, "{before} then {after}");
            }
        }
    }

    #[test]
    fn among_open_states_the_word_of_the_later_moment_wins() {
        use IntentStatus::{Processing, RequiresAction};
        for (at, expected) in [(9, Processing), (10, RequiresAction), (11, RequiresAction)] {
            let folded = intent_in(Processing, 10).fold(&snapshot(RequiresAction, at));
            assert_eq!(folded.status, expected, "at {at}");
        }
        // Read at 10.5: an event of second 10 may be newer, one of second 9 is not.
        let read = intent_in(Processing, 10).fold(&IntentSnapshot {
            as_of: Timestamp::from_unix_micros(10_500_000).unwrap(),
            as_of_max: Timestamp::from_unix_micros(10_500_000).unwrap(),
            ..snapshot(Processing, 10)
        });
        for (second, expected) in [(9, Processing), (10, RequiresAction)] {
            let as_of = Timestamp::from_unix_seconds(second).unwrap();
            let event = snapshot(RequiresAction, second).within_second(as_of);
            assert_eq!(read.fold(&event).status, expected, "in second {second}");
        }
    }

    /// Found by the simulator: what was so in the second before was believed.
    #[test]
    fn of_two_seconds_the_later_one_is_told_apart() {
        use IntentStatus::{Processing, RequiresAction};
        let event =
            |status, second| snapshot(status, second).within_second(Timestamp::from_unix_seconds(second).unwrap());
        let known = intent_in(Processing, 5).fold(&event(Processing, 10));
        for (second, expected) in [(9, Processing), (10, RequiresAction), (11, RequiresAction)] {
            assert_eq!(known.fold(&event(RequiresAction, second)).status, expected, "in second {second}");
        }
    }

    #[test]
    fn an_intents_creation_told_late_does_not_hide_what_came_after_it() {
        let second = Timestamp::from_unix_seconds(10).unwrap();
        let created = snapshot(IntentStatus::RequiresPaymentMethod, 10).within_second(second);
        let error = IntentError { code: Some("card_declined".into()), ..IntentError::default() };
        let declined = IntentSnapshot { last_error: Some(error), ..created.clone() };
        let failed = PaymentIntent::first_seen(&created, 1, second).fold(&declined);
        assert_eq!(failed.fold(&created), failed);
        assert_eq!(failed.fold(&created).fold(&declined), failed);
        // A look at a later moment is believed.
        let later = snapshot(IntentStatus::RequiresPaymentMethod, 11);
        assert_eq!(failed.fold(&later).last_error, None);
        // What was not touched yet may be changed within the second: another amount, say.
        let changed = IntentSnapshot { amount: usd(900), ..created.clone() };
        let untouched = PaymentIntent::first_seen(&created, 1, second).fold(&created);
        assert_eq!(untouched.fold(&changed).amount, usd(900));
    }

    proptest! {
        #[test]
        fn news_in_any_order_and_number_gives_the_same_end_and_money(
            mut update in prop::collection::vec((0_usize..7, 0_i64..50), 1..12),
            seed in any::<prop::sample::Index>(),
        ) {
            // One intent has one end: drop the other one where both were drawn.
            let end = if seed.index(2) == 0 { IntentStatus::Succeeded } else { IntentStatus::Canceled };
            let snapshots = |update: &[(usize, i64)]| -> Vec<IntentSnapshot> {
                update.iter().map(|&(status, at)| {
                    let status = IntentStatus::ALL[status];
                    let status = if status.is_terminal() { end } else { status };
                    snapshot(status, at)
                }).collect()
            };
            let result = |update: &[IntentSnapshot]| {
                let first = PaymentIntent::first_seen(&update[0], 1, Timestamp::EPOCH);
                let last = update.iter().fold(first, |intent, it| intent.fold(it));
                (last.status.rank(), last.status.is_terminal().then_some(last.status), last.received)
            };
            let forward = result(&snapshots(&update));
            let mut doubled = snapshots(&update);
            doubled.extend(snapshots(&update));
            prop_assert_eq!(result(&doubled), forward);
            update.reverse();
            prop_assert_eq!(result(&snapshots(&update)), forward);
        }
    }
}
