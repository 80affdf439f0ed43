//! Stories of the books: orders are paid, refunded and disputed, and at the same time bookkeepers read what moved Stripe's
//! balance.

use crate::acts::Act;
use crate::external_actions::ExternalAction;
use crate::plan::{
    BANK_DECIDES_LATER, PAID, PAY, PAYING, PLACED, REFUND_FAILS, REFUND_STAYS_PENDING, SHOWN, Workload, manual, story,
};

/// Length of a day, in seconds.
const DAY: u32 = 86_400;

/// Settings of the books, and of the account at Stripe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BooksPlan {
    /// Whether other programs take payments on the account.
    pub(crate) shared_account: bool,
    /// Period of the walks, in seconds.
    pub(crate) walk_seconds: u32,
    /// Currency in which payments of other currencies are settled, with their rates.
    pub(crate) settles_in_usd: bool,
    /// Whether a partial capture has two balance transactions.
    pub(crate) has_two_rows: bool,
}

impl BooksPlan {
    pub(crate) fn drawn(rng: &mut fastrand::Rng) -> Self {
        let settles_in_usd = rng.bool();
        Self {
            shared_account: rng.bool(),
            // Long periods, so that the days until a payout are not a thousand walks; at another time of each day.
            walk_seconds: rng.choice([20_000, 45_000]).unwrap_or(45_000),
            settles_in_usd,
            has_two_rows: !settles_in_usd && rng.bool(),
        }
    }
}

const RECONCILE: Act = Act::Reconcile;
const A_DAY: Act = Act::Wait(DAY);
/// Until half an hour after the midnight at which a payment of the first day is paid out: what the payout contains is not
/// listed yet.
const UNTIL_THE_PAYOUT: Act = Act::Wait(2 * DAY + 16 * 3600 + 1800);
/// Until what it contains is listed.
const UNTIL_RECONCILED: Act = Act::Wait(2000);
const PAYOUT_RETURNS: Act = Act::External(ExternalAction::ReturnPayout);
const DASHBOARD_REFUND: Act = Act::External(ExternalAction::Refund(100));
const DISPUTE: Act = Act::External(ExternalAction::Dispute);
const EVIDENCE: Act = Act::External(ExternalAction::GiveEvidence);
const WON: Act = Act::External(ExternalAction::CloseDispute(true));
const LOST: Act = Act::External(ExternalAction::CloseDispute(false));

/// Stories in which what the bookkeepers do is explored.
pub(crate) const BOOKS_STORIES: &[Workload] = &[
    story("sold, refunded and paid out", SHOWN, &[&[PAY, Act::Check, Act::Refund(Some(300)), UNTIL_THE_PAYOUT]]),
    story(
        "a payout is read",
        PAID,
        &[&[UNTIL_THE_PAYOUT, RECONCILE, UNTIL_RECONCILED, RECONCILE], &[A_DAY, Act::Refund(Some(200)), RECONCILE]],
    ),
    story(
        "a payout is returned",
        PAID,
        &[&[UNTIL_THE_PAYOUT, RECONCILE, PAYOUT_RETURNS, A_DAY, RECONCILE], &[A_DAY, RECONCILE]],
    ),
    story(
        "operators reconcile",
        SHOWN,
        &[&[PAY, Act::Check, Act::Refund(None)], &[RECONCILE], &[RECONCILE, RECONCILE]],
    ),
    story(
        "the balance moves while it is read",
        PAID,
        &[
            &[RECONCILE, RECONCILE],
            &[DASHBOARD_REFUND, DASHBOARD_REFUND, DASHBOARD_REFUND, DASHBOARD_REFUND, DISPUTE],
            &[RECONCILE],
        ],
    ),
    story(
        "operators reconcile days later",
        PAID,
        &[&[A_DAY, A_DAY, RECONCILE], &[A_DAY, Act::Refund(Some(300)), RECONCILE], &[RECONCILE]],
    ),
    story(
        "a refund comes back",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[&[Act::Refund(Some(600)), A_DAY, Act::Refund(Some(500))], &[RECONCILE, RECONCILE]],
    ),
    story(
        "the bank rejects a refund days later",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[Act::Refund(Some(600)), A_DAY, Act::External(ExternalAction::BankDecidesRefund(false))],
            &[RECONCILE, A_DAY, RECONCILE],
        ],
    ),
    story("a dispute is countered and won", PAID, &[&[DISPUTE, EVIDENCE, A_DAY, WON], &[RECONCILE, A_DAY, RECONCILE]]),
    story(
        "a dispute is lost, and won later",
        PAID,
        &[&[DISPUTE, LOST, A_DAY, Act::External(ExternalAction::ReverseDispute(true)), RECONCILE], &[A_DAY, RECONCILE]],
    ),
    story(
        "a dispute is won, and lost later",
        PAID,
        &[&[DISPUTE, WON, Act::External(ExternalAction::ReverseDispute(false)), RECONCILE], &[RECONCILE]],
    ),
    manual("a part is captured", PAYING, &[&[Act::Check, Act::Capture(Some(700)), A_DAY, RECONCILE], &[RECONCILE]]),
    story(
        "a bank debit fails days later",
        SHOWN,
        &[
            &[BANK_DECIDES_LATER, A_DAY, Act::External(ExternalAction::BankDecides(false)), PAY],
            &[RECONCILE, A_DAY, RECONCILE],
        ],
    ),
    story(
        "a bank debit succeeds days later",
        SHOWN,
        &[&[BANK_DECIDES_LATER, A_DAY, Act::External(ExternalAction::BankDecides(true))], &[RECONCILE, RECONCILE]],
    ),
    story(
        "another program is paid",
        SHOWN,
        &[
            &[PAY, Act::Check, A_DAY],
            &[Act::External(ExternalAction::ForeignPayment), RECONCILE, Act::Wait(4000), RECONCILE],
        ],
    ),
    story(
        "paid twice, and in another currency",
        SHOWN,
        &[
            &[Act::External(ExternalAction::ChangeCurrency), PAY, Act::Check],
            &[Act::External(ExternalAction::SecondIntent), RECONCILE, Act::Wait(4000), RECONCILE],
        ],
    ),
    story("two orders", PLACED, &[&[Act::CreateIntent, PAY, Act::PlaceWithoutKey], &[A_DAY, RECONCILE]]),
    story(
        "an unknown category",
        PAID,
        &[&[Act::External(ExternalAction::UnknownMovement), RECONCILE, A_DAY, RECONCILE], &[RECONCILE]],
    ),
    story(
        "two of an unknown category",
        PAID,
        &[
            &[Act::External(ExternalAction::UnknownMovement), RECONCILE],
            &[A_DAY, Act::External(ExternalAction::UnknownMovement), RECONCILE],
        ],
    ),
    story(
        "a movement is listed late",
        PAID,
        &[&[A_DAY, RECONCILE, Act::External(ExternalAction::LateMovement), RECONCILE], &[A_DAY, RECONCILE]],
    ),
    story(
        "a payment is moved twice",
        PAID,
        &[&[RECONCILE, Act::External(ExternalAction::SecondCharge), RECONCILE, Act::Wait(4000)], &[A_DAY, RECONCILE]],
    ),
];

/// Actions at the books that are drawn at random.
pub(crate) const ANYTHING_OF_BOOKS: &[Act] =
    &[RECONCILE, RECONCILE, RECONCILE, A_DAY, UNTIL_THE_PAYOUT, UNTIL_RECONCILED, PAYOUT_RETURNS];
