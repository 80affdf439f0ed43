//! Stories of a restore from a backup: the database returns to an earlier state, and Stripe does not.

use paywright_domain::intent::CaptureMethod;

use crate::acts::Act;
use crate::external_actions::ExternalAction;
use crate::plan::{PAID, PAY, PAYING, PLACED, REFUND_FAILS, SHOWN, Workload, story};

const fn restored(
    name: &'static str,
    before: &'static [Act],
    people: &'static [&'static [Act]],
    after: &'static [Act],
) -> Workload {
    Workload { after, ..story(name, before, people) }
}

/// Stories of a restore from a backup that is taken at any step while people act.
pub(crate) const RESTORES: &[Workload] = &[
    restored(
        "placed since the backup",
        &[],
        &[&[Act::Place, Act::CreateIntent, PAY, Act::Check], &[Act::Place, Act::CreateIntent]],
        &[Act::Place, Act::CreateIntent, PAY, Act::Check],
    ),
    restored(
        "placed and refunded since the backup",
        &[],
        &[&[Act::Place, Act::CreateIntent, PAY, Act::Check, Act::RefundAs("a", 300)]],
        &[Act::Place, Act::RefundAs("a", 300), Act::RefundAs("b", 500)],
    ),
    restored(
        "shown since the backup",
        PLACED,
        &[&[Act::CreateIntent, PAY, Act::Check], &[Act::CreateIntent]],
        &[Act::CreateIntent, PAY, Act::Check],
    ),
    restored(
        "paid since the backup",
        &[Act::Place, Act::CreateIntent, Act::Wait(4000)],
        &[&[PAY, Act::Check, Act::RefundAs("a", 300)]],
        &[Act::Check, Act::RefundAs("a", 300), Act::RefundAs("b", 500)],
    ),
    restored(
        "refunded since the backup",
        PAID,
        &[&[Act::RefundAs("a", 300), Act::RefundAs("b", 200)], &[Act::Refund(Some(100))]],
        &[Act::RefundAs("a", 300), Act::RefundAs("c", 250), Act::Refund(None)],
    ),
    restored(
        "refunds that failed since the backup",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[&[Act::RefundAs("a", 300), Act::RefundAs("b", 200)]],
        &[Act::RefundAs("a", 300), Act::RefundAs("c", 250)],
    ),
    restored(
        "refunded at the dashboard since the backup",
        PAID,
        &[&[Act::RefundAs("a", 300)], &[Act::External(ExternalAction::Refund(400))]],
        &[Act::RefundAs("a", 300), Act::RefundAs("b", 300)],
    ),
    restored(
        "edited since the backup",
        SHOWN,
        &[&[Act::Edit(700), Act::CreateIntent], &[Act::Edit(1300)]],
        &[Act::CreateIntent, Act::Edit(900), Act::CreateIntent, PAY, Act::Check],
    ),
    restored("canceled since the backup", SHOWN, &[&[Act::Cancel], &[PAY]], &[Act::CreateIntent, PAY, Act::Check]),
    restored(
        "paid twice since the backup",
        PLACED,
        &[&[Act::CreateIntent, PAY, Act::External(ExternalAction::SecondIntent)]],
        &[Act::Check, Act::Refund(None)],
    ),
    restored(
        "placed and paid twice since the backup",
        &[],
        &[
            &[Act::Place, Act::CreateIntent, PAY, Act::External(ExternalAction::SecondIntent), Act::Check],
            &[Act::Place],
        ],
        &[Act::Place, Act::Check, Act::Refund(None)],
    ),
    restored(
        "placed and canceled since the backup",
        &[],
        &[&[Act::Place, Act::CreateIntent, Act::Cancel], &[Act::Place, Act::CreateIntent, PAY]],
        &[Act::Place, Act::CreateIntent, PAY, Act::Check],
    ),
    restored(
        "placed and edited since the backup",
        &[],
        &[&[Act::Place, Act::CreateIntent, Act::Edit(700), Act::CreateIntent, PAY, Act::Check]],
        &[Act::Place, Act::Edit(900), Act::CreateIntent, PAY, Act::Check],
    ),
    restored(
        "disputed since the backup",
        PAID,
        &[
            &[Act::External(ExternalAction::Dispute), Act::External(ExternalAction::CloseDispute(false))],
            &[Act::RefundAs("a", 100)],
        ],
        &[Act::RefundAs("a", 100), Act::Refund(None)],
    ),
    Workload {
        capture: CaptureMethod::Manual,
        ..restored(
            "captured since the backup",
            PAYING,
            &[&[Act::Check, Act::Capture(Some(700)), Act::RefundAs("a", 200)]],
            &[Act::Capture(Some(700)), Act::RefundAs("a", 200), Act::RefundAs("b", 100)],
        )
    },
    Workload {
        capture: CaptureMethod::Manual,
        ..restored(
            "authorized since the backup",
            &[],
            &[&[Act::Place, Act::CreateIntent, PAY, Act::Check, Act::Capture(None)]],
            &[Act::Place, Act::Check, Act::Capture(None), Act::Refund(Some(100))],
        )
    },
    // No recovery is run: the invariants about amounts and sums must hold without it.
    Workload {
        recovers: false,
        ..restored("restored and not recovered", PAID, &[&[Act::RefundAs("a", 300)]], &[Act::RefundAs("b", 200)])
    },
];
