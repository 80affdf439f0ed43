//! PaymentIntents of an order: requests to create them, and snapshots of them that settle the order.
//!
//! A payment has these steps, each of which is committed before the next:
//!
//! ```
//! use paywright_domain::anomaly::Policies;
//! use paywright_domain::intent::{IntentPlan, IntentStatus};
//! use paywright_domain::order::PaymentState;
//! use paywright_domain::uuid::Uuid;
//! use paywright_domain::{Currency, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Timestamp::from_unix_seconds(1_743_415_050)?;
//! # let id = OrderId(Uuid::from_u128(0x0195_ead7_9d10_7000_8000_0000_0000_0009));
//! # let lines = vec![LineItem::new("Main product 2", Money::new(5600, Currency::Usd)?, 2)?];
//! # let order = Order::place(id, NewOrder { lines, ..NewOrder::empty(Currency::Usd) }, now)?.order;
//! // 1. The request and its task are stored before Stripe is called. The idempotency key follows from the order.
//! let IntentPlan::Create { request, decision: Some(requested) } = order.request_intent(now)? else {
//!     return Err("a new order has no PaymentIntent yet".into());
//! };
//! assert_eq!(request.idempotency_key(id), format!("pi:{id}:1:1"));
//!
//! // 2. Stripe's answer makes the PaymentIntent known.
//! let answer = IntentSnapshot::new(IntentId::new("pi_1")?, id, order.total, now);
//! let issued = requested.order.settle(&answer, &Policies::DEFAULT, now)?;
//! assert!(issued.order.payable_intent().is_some());
//!
//! // 3. A later snapshot pays the order: an answer, an event or a poll, in any order and any number of times.
//! let seen = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..answer };
//! let paid = issued.order.settle(&seen, &Policies::DEFAULT, now)?;
//! assert_eq!(paid.order.payment_state(), PaymentState::Paid);
//! assert!(paid.order.settle(&seen, &Policies::DEFAULT, now)?.facts.is_empty(), "a repetition changes nothing");
//! # Ok(())
//! # }
//! ```

mod accept;
mod confirm;
mod receipt;
mod request;
mod settle;

pub use self::accept::{AcceptError, NewAcceptance};
pub use self::request::{IntentPlan, IntentRequest, RequestIntentError};
pub use self::settle::SettleError;

use std::fmt;

use crate::{Currency, IntentId, Money, OrderId, Timestamp};

/// Time at which an authorized payment is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CaptureMethod {
    /// Immediately after the customer's confirmation.
    #[default]
    Automatic,
    /// At the shop's request; until then the payment is only authorized.
    Manual,
}

variant_names! {
    /// Name in the API and in stored rows.
    CaptureMethod {
        Automatic => "automatic",
        Manual => "manual",
    }
}

parsed_by_name! { CaptureMethod: "a capture method" }

/// Status of a PaymentIntent at Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum IntentStatus {
    /// Waits for a payment method; also after a decline.
    RequiresPaymentMethod,
    /// Waits for the customer's confirmation.
    RequiresConfirmation,
    /// Waits for an action of the customer, such as 3-D Secure.
    RequiresAction,
    /// The bank is processing the payment.
    Processing,
    /// The payment is authorized and waits for its capture.
    RequiresCapture,
    /// The payment succeeded. A terminal status.
    Succeeded,
    /// The PaymentIntent is canceled. A terminal status.
    Canceled,
}

variant_names! {
    /// Stripe's name of the status.
    IntentStatus {
        RequiresPaymentMethod => "requires_payment_method",
        RequiresConfirmation => "requires_confirmation",
        RequiresAction => "requires_action",
        Processing => "processing",
        RequiresCapture => "requires_capture",
        Succeeded => "succeeded",
        Canceled => "canceled",
    }
}

impl IntentStatus {
    /// Whether the status is terminal: no other can follow.
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

    /// Rank in the lattice of statuses: 0 for open ones, which may follow each other in any order, 1 for authorized, 2
    /// for terminal ones.
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

parsed_by_name! { IntentStatus: "a status of a PaymentIntent" }

/// Error object of Stripe: of a refused request, or of a failed attempt to pay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentError {
    /// Stripe's error code, such as `card_declined`.
    pub code: Option<String>,
    /// Decline code of the bank, such as `insufficient_funds`. Never shown to the customer: it may be `stolen_card`.
    pub decline_code: Option<String>,
    /// Stripe's message for the customer.
    pub message: Option<String>,
}

/// Codes of Stripe's that decisions depend on (Stripe, "Error codes").
impl IntentError {
    /// Code of a request with an email address that Stripe does not accept.
    pub const EMAIL_INVALID: &str = "email_invalid";
    /// Code of an operation that the present status of the PaymentIntent does not allow.
    pub const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";
    /// Code of a request for an object that Stripe does not know.
    pub const RESOURCE_MISSING: &str = "resource_missing";
    /// Codes of a refund that the shop's balance at Stripe does not cover.
    pub(crate) const BALANCE_TOO_LOW: [&str; 2] = ["balance_insufficient", "insufficient_funds"];

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
}

/// Source of a snapshot of a PaymentIntent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SnapshotSource {
    /// Event delivered by a webhook. Any holder of the endpoint's secret can forge one.
    #[default]
    Webhook,
    /// Stripe's answer to a request with the account's key, including an event read from a list.
    Answer,
}

/// PaymentIntent as it was at Stripe at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentSnapshot {
    /// Id of the PaymentIntent.
    pub intent: IntentId,
    /// Order named in the intent's metadata.
    pub order: Option<OrderId>,
    /// Revision of the order named in the intent's metadata. An intent without one was made by another program; if it
    /// becomes the order's, it counts as one of the present revision.
    pub revision: Option<u32>,
    /// Amount to pay. All three amounts are in one currency.
    pub amount: Money,
    /// Status of the intent.
    pub status: IntentStatus,
    /// Amount received.
    pub received: Money,
    /// Amount that is authorized and may be captured.
    pub capturable: Money,
    /// Error of the last attempt to pay, if it failed.
    pub last_error: Option<IntentError>,
    /// Whether the intent was made in live mode.
    pub livemode: bool,
    /// Earliest time at which the snapshot is valid. It may be long before the answer: an answer to an intent's
    /// creation is of the time of the creation, since Stripe repeats the first answer to a repeated request.
    pub as_of: Timestamp,
    /// Latest time at which the snapshot is valid: Stripe dates events and creations in whole seconds.
    pub as_of_max: Timestamp,
    /// Source of the snapshot. Snapshots that were stored without one count as delivered by a webhook.
    #[cfg_attr(feature = "serde", serde(default))]
    pub source: SnapshotSource,
}

impl IntentSnapshot {
    /// Snapshot of an intent that was just created for the first revision of `order`, in test mode.
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

    /// Returns the snapshot as delivered by a webhook.
    #[must_use]
    pub fn delivered_by_webhook(self) -> Self {
        Self { source: SnapshotSource::Webhook, ..self }
    }

    /// Returns the snapshot as valid at an unknown time within the second that begins at `as_of`.
    #[must_use]
    pub fn within_second(self, as_of: Timestamp) -> Self {
        // To the last microsecond: a snapshot of the next second is certainly newer.
        let last = Timestamp::from_unix_micros(as_of.unix_micros().saturating_add(999_999));
        Self { as_of, as_of_max: last.unwrap_or(as_of), ..self }
    }
}

/// Balance transaction of a payment: amount and fee in the currency of the shop's balance at Stripe. Stripe has it
/// shortly after the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proceeds {
    /// Amount paid.
    pub gross: Money,
    /// Stripe's fee, in the same currency.
    pub fee: Money,
}

/// PaymentIntent of an order. Every intent that was ever created for an order stays with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PaymentIntent {
    /// Stripe's id of the intent (`pi_…`).
    pub id: IntentId,
    /// Revision of the order that the intent is for.
    pub revision: u32,
    /// Amount to pay.
    pub amount: Money,
    /// Latest known status.
    pub status: IntentStatus,
    /// Largest amount received in any snapshot, or the amount of Stripe's answer where an event had reported more.
    pub received: Money,
    /// Time at which an answer of Stripe's confirmed the amount received; `None` as long as only events reported it,
    /// and in intents that were stored before confirmations were.
    pub confirmed_at: Option<Timestamp>,
    /// Amount that is authorized and may be captured.
    pub capturable: Money,
    /// Amount due of this intent, where it is not the total of the order: the shop has requested to capture it, another program
    /// has captured it, or a person has accepted it.
    pub capture_requested: Option<Money>,
    /// Balance transaction of the payment, once it is known.
    pub proceeds: Option<Proceeds>,
    /// Error of the last attempt to pay, if it failed.
    pub last_error: Option<IntentError>,
    /// Time of the newest snapshot: an older one no longer changes an open status.
    pub as_of: Timestamp,
    /// Time at which the intent became known here.
    pub created_at: Timestamp,
}

impl PaymentIntent {
    /// Intent before its first snapshot is applied.
    pub(crate) fn first_seen(snapshot: &IntentSnapshot, revision: u32, now: Timestamp) -> Self {
        Self {
            id: snapshot.intent.clone(),
            revision,
            amount: snapshot.amount,
            status: IntentStatus::RequiresPaymentMethod,
            received: Money::zero(snapshot.amount.currency()),
            confirmed_at: None,
            capturable: Money::zero(snapshot.amount.currency()),
            capture_requested: None,
            proceeds: None,
            last_error: None,
            as_of: Timestamp::EPOCH,
            created_at: now,
        }
    }

    /// Currency of the amount to pay.
    pub const fn currency(&self) -> Currency {
        self.amount.currency()
    }

    /// Amount due of this intent, for an order of `total`.
    pub fn amount_due(&self, total: Money) -> Money {
        self.capture_requested.unwrap_or(total)
    }

    /// Whether the intent can still be paid.
    pub const fn is_payable(&self) -> bool {
        !self.status.is_terminal()
    }

    /// Whether only events have reported the success, and no answer of Stripe's has confirmed it yet.
    pub fn awaits_confirmation(&self) -> bool {
        self.status == IntentStatus::Succeeded && self.confirmed_at.is_none()
    }

    /// Time at which Stripe confirmed the amount that this intent of `order` has received, after `snapshot` was folded
    /// into `before`. An event that reports more must be confirmed again.
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

    /// Whether an older snapshot could replace the status: it is open, and a payment was attempted. Then the newest
    /// time of the same status is worth storing.
    pub(crate) fn depends_on_as_of(&self) -> bool {
        let untouched = self.status == IntentStatus::RequiresPaymentMethod && self.last_error.is_none();
        self.status.rank() == 0 && !untouched
    }

    /// Applies a snapshot to the intent. Any snapshots, repeated and in any order, end in the same status and the same
    /// money as long as one of them is the newest: the status only rises in rank, a terminal status never changes, and
    /// the amount received only grows. Of two open statuses the later one wins. Where the order is unknown (see
    /// [`IntentSnapshot::as_of_max`]), the last snapshot wins, except one in the status of a new intent: no transition
    /// leads back to that status, so that it is the older one.
    #[must_use]
    pub fn fold(&self, snapshot: &IntentSnapshot) -> Self {
        let (before, after) = (self.status.rank(), snapshot.status.rank());
        let untouched = |status, error: &Option<_>| status == IntentStatus::RequiresPaymentMethod && error.is_none();
        let goes_back = untouched(snapshot.status, &snapshot.last_error) && !untouched(self.status, &self.last_error);
        let later = if goes_back { snapshot.as_of > self.as_of } else { snapshot.as_of_max >= self.as_of };
        let moves = after > before || (after == before && later && !self.status.is_terminal());
        let mut next = self.clone();
        // An update sends the amount with its revision, and revisions only grow: the amount of a later revision wins,
        // whenever it comes. The dashboard changes the amount alone: there the later snapshot wins.
        let revision = snapshot.revision.unwrap_or(self.revision);
        next.revision = self.revision.max(revision);
        if revision > self.revision && snapshot.amount.currency() == self.currency() {
            next.amount = snapshot.amount;
        }
        if moves {
            next.status = snapshot.status;
            next.last_error.clone_from(&snapshot.last_error);
            if revision < self.revision {
                // The snapshot is from before the amount was changed.
            } else if snapshot.amount.currency() == self.currency() {
                next.amount = snapshot.amount;
                next.capturable = snapshot.capturable;
            } else if self.received.is_zero() {
                // The dashboard has changed the currency before anything was received.
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
    fn a_status_never_falls_in_rank_and_a_terminal_status_never_changes() {
        for before in IntentStatus::ALL {
            for after in IntentStatus::ALL {
                let folded = intent_in(before, 10).fold(&snapshot(after, 20));
                let expected = if before.is_terminal() || after.rank() < before.rank() { before } else { after };
                assert_eq!(folded.status, expected, "{before} then {after}");
            }
        }
    }

    #[test]
    fn of_two_open_statuses_the_later_one_wins() {
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

    /// Found by the simulator: a snapshot of the second before replaced the newer status.
    #[test]
    fn an_event_of_the_second_before_does_not_replace_a_newer_status() {
        use IntentStatus::{Processing, RequiresAction};
        let event =
            |status, second| snapshot(status, second).within_second(Timestamp::from_unix_seconds(second).unwrap());
        let known = intent_in(Processing, 5).fold(&event(Processing, 10));
        for (second, expected) in [(9, Processing), (10, RequiresAction), (11, RequiresAction)] {
            assert_eq!(known.fold(&event(RequiresAction, second)).status, expected, "in second {second}");
        }
    }

    #[test]
    fn a_late_event_of_an_intents_creation_does_not_replace_a_later_status() {
        let second = Timestamp::from_unix_seconds(10).unwrap();
        let created = snapshot(IntentStatus::RequiresPaymentMethod, 10).within_second(second);
        let error = IntentError { code: Some("card_declined".into()), ..IntentError::default() };
        let declined = IntentSnapshot { last_error: Some(error), ..created.clone() };
        let failed = PaymentIntent::first_seen(&created, 1, second).fold(&declined);
        assert_eq!(failed.fold(&created), failed);
        assert_eq!(failed.fold(&created).fold(&declined), failed);
        // A read at a later time wins.
        let later = snapshot(IntentStatus::RequiresPaymentMethod, 11);
        assert_eq!(failed.fold(&later).last_error, None);
        // Before any attempt to pay, the amount may change within the same second.
        let changed = IntentSnapshot { amount: usd(900), ..created.clone() };
        let untouched = PaymentIntent::first_seen(&created, 1, second).fold(&created);
        assert_eq!(untouched.fold(&changed).amount, usd(900));
    }

    proptest! {
        #[test]
        fn snapshots_in_any_order_and_number_give_the_same_status_and_amount(
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
