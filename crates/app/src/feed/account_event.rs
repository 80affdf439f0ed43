//! Account events as they are made: by the books, in the commit that stores what they tell.

use paywright_domain::Timestamp;
use paywright_domain::books::{Payout, PayoutStatus};
use paywright_domain::fact::FeedEventType;
use paywright_domain::id::InstallationId;
use serde::Serialize;
use uuid::Uuid;

use super::account_event_view::{BreakFoundView, PayoutChangedView};
use crate::{AccountEvent, Break, SubjectId};

/// Account that an event is about, and the time of the commit that stores the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountEventContext {
    /// Installation whose account it is.
    pub installation: InstallationId,
    /// Whether the account is in live mode.
    pub livemode: bool,
    /// Time of the commit.
    pub at: Timestamp,
}

impl AccountEventContext {
    /// Event of a break that was found, or found again after it was gone. Each time is an event of its own.
    pub fn break_found(self, found: &Break) -> AccountEvent {
        let subject = SubjectId::of_object(self.installation, &format!("break:{}", found.id));
        let (kind, data) = (FeedEventType::BooksBreak, BreakFoundView::of(found));
        self.event(subject, kind, &self.at.unix_micros().to_string(), &data)
    }

    /// Event of a payout that is paid or has failed; `None` of one with another status. A payout has one of each at most,
    /// with the same id when it is made again after a restore from a backup.
    pub fn payout_changed(self, payout: &Payout) -> Option<AccountEvent> {
        let kinds =
            [(PayoutStatus::Paid, FeedEventType::PayoutPaid), (PayoutStatus::Failed, FeedEventType::PayoutFailed)];
        let (_, kind) = kinds.into_iter().find(|(status, _)| *status == payout.status)?;
        let subject = SubjectId::of_object(self.installation, &format!("payout:{}", payout.id.as_str()));
        Some(self.event(subject, kind, "", &PayoutChangedView::of(payout)))
    }

    /// Event of a subject. `occurrence` tells events of one type apart.
    fn event(self, subject: SubjectId, kind: FeedEventType, occurrence: &str, data: &impl Serialize) -> AccountEvent {
        AccountEvent {
            id: Uuid::new_v5(&subject.0, format!("{}:{occurrence}", kind.name()).as_bytes()),
            subject,
            kind,
            at: self.at,
            livemode: self.livemode,
            // A view is plain data, for which this cannot fail.
            data: serde_json::to_string(data).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::books::{Reconciliation, SignedMoney};
    use paywright_domain::id::PayoutId;
    use paywright_domain::{Currency, OrderId};

    use super::*;
    use crate::BreakClass;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn context(seconds: i64) -> AccountEventContext {
        AccountEventContext { installation: InstallationId(Uuid::from_u128(1)), livemode: true, at: at(seconds) }
    }

    fn payout(status: PayoutStatus) -> Payout {
        Payout {
            id: PayoutId::new("po_1").unwrap(),
            amount: SignedMoney::new(10_162, Currency::Usd),
            created: at(1_743_400_000),
            arrival: at(1_743_465_600),
            status,
            automatic: true,
            reconciliation: Reconciliation::Completed,
            balance_transaction: None,
            failure_balance_transaction: None,
            failure_code: (status == PayoutStatus::Failed).then(|| "account_closed".to_owned()),
            trace_id: Some("021000021234567".to_owned()),
        }
    }

    fn found(ours: Option<SignedMoney>, theirs: Option<SignedMoney>) -> Break {
        Break {
            id: "amount:pi_1".to_owned(),
            class: BreakClass::Amount,
            object: "pi_1".to_owned(),
            order: Some(OrderId(Uuid::nil())),
            ours,
            theirs,
            since: at(1_743_415_000),
            first_seen: at(1_743_415_001),
            gone_at: None,
            resolution: None,
        }
    }

    #[test]
    fn a_payout_that_fails_later_has_two_events_of_one_subject() {
        let [paid, failed] =
            [PayoutStatus::Paid, PayoutStatus::Failed].map(|it| context(9).payout_changed(&payout(it)).unwrap());
        assert_eq!((paid.kind, failed.kind), (FeedEventType::PayoutPaid, FeedEventType::PayoutFailed));
        assert_eq!(paid.subject, failed.subject);
        assert_ne!(paid.id, failed.id);
        assert_eq!(context(10).payout_changed(&payout(PayoutStatus::Paid)).unwrap().id, paid.id, "after a restore");
        for other in [PayoutStatus::Pending, PayoutStatus::InTransit, PayoutStatus::Canceled] {
            assert_eq!(context(9).payout_changed(&payout(other)), None);
        }
        let shown = r#"{"payout":{"id":"po_1","amount":"101.62","currency":"usd","arrival_date":"2025-04-01","trace_id":"021000021234567","failure_code":"account_closed"}}"#;
        assert_eq!((failed.data.as_str(), failed.livemode, failed.at), (shown, true, at(9)));
    }

    #[test]
    fn a_break_that_is_found_again_has_another_event() {
        let usd = |minor| Some(SignedMoney::new(minor, Currency::Usd));
        let [first, again, repeat] = [1, 2, 1].map(|it| context(it).break_found(&found(usd(1), usd(2))));
        assert_eq!((first.subject, first.kind), (again.subject, FeedEventType::BooksBreak));
        assert_ne!(first.id, again.id);
        assert_eq!(first, repeat);
    }

    #[test]
    fn the_difference_of_a_break_is_what_stripe_has_more() {
        let of = |minor, currency| Some(SignedMoney::new(minor, currency));
        let (usd, eur) = (Currency::Usd, Currency::Eur);
        for (ours, theirs, shown) in [
            (of(1000, usd), of(999, usd), [Some("10.00"), Some("9.99"), Some("-0.01"), Some("usd"), None]),
            (of(1000, usd), None, [Some("10.00"), None, Some("-10.00"), Some("usd"), None]),
            (None, of(-500, usd), [None, Some("-5.00"), Some("-5.00"), Some("usd"), None]),
            (of(1000, usd), of(1000, eur), [Some("10.00"), Some("10.00"), None, Some("usd"), Some("eur")]),
            (
                of(i64::MIN, usd),
                of(i64::MAX, usd),
                [Some("-92233720368547758.08"), Some("92233720368547758.07"), None, Some("usd"), None],
            ),
            (None, None, [None; 5]),
        ] {
            let event = context(9).break_found(&found(ours, theirs));
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            let fields = ["ours", "theirs", "difference", "currency", "theirs_currency"];
            assert_eq!(fields.map(|it| data["break"][it].as_str()), shown, "{ours:?} {theirs:?}");
        }
    }
}
