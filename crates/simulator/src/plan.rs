//! What a run is about: who does what, and what may go wrong. A function of the seed.

use paywright_domain::CaptureMethod;

use crate::acts::{Act, ExternalAction, Forgery, VISA};
use crate::restores::RESTORES;

/// A story that goes wrong elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// What one person does before anything can go wrong.
    pub(crate) before: &'static [Act],
    /// What each of several people does then, at the same time.
    pub(crate) people: &'static [&'static [Act]],
    pub(crate) capture: CaptureMethod,
    /// Whether Stripe sends messages: `None` where the run decides.
    pub(crate) webhooks: Option<bool>,
    /// Whether unpaid orders expire, and after how many seconds.
    pub(crate) expires: Option<u32>,
    /// What one more person does after each restore from a backup.
    pub(crate) after: &'static [Act],
    /// Whether what Stripe has is taken in after a restore, before a process starts.
    pub(crate) recovers: bool,
}

pub(crate) const PAY: Act = Act::At(ExternalAction::Pay(VISA));
const DECLINED: Act = Act::At(ExternalAction::Pay("pm_card_chargeDeclined"));
const ASKS_THE_CUSTOMER: Act = Act::At(ExternalAction::Pay("pm_card_threeDSecure2Required"));
const TAKES_TIME: Act = Act::At(ExternalAction::Pay("pm_usBankAccount_processing"));
const REFUND_PENDS: Act = Act::At(ExternalAction::Pay("pm_card_pendingRefund"));
pub(crate) const REFUND_FAILS: Act = Act::At(ExternalAction::Pay("pm_card_refundFail"));
pub(crate) const PLACED: &[Act] = &[Act::Place];
pub(crate) const SHOWN: &[Act] = &[Act::Place, Act::Ask];
pub(crate) const PAYING: &[Act] = &[Act::Place, Act::Ask, PAY];
/// Or authorised, as the order has it.
pub(crate) const PAID: &[Act] = &[Act::Place, Act::Ask, PAY, Act::Check];

pub(crate) const fn story(name: &'static str, before: &'static [Act], people: &'static [&'static [Act]]) -> Workload {
    let capture = CaptureMethod::Automatic;
    Workload { name, before, people, capture, webhooks: None, expires: None, after: &[], recovers: true }
}

pub(crate) const fn manual(name: &'static str, before: &'static [Act], people: &'static [&'static [Act]]) -> Workload {
    Workload { capture: CaptureMethod::Manual, ..story(name, before, people) }
}

/// Every story with a name. Beyond them people do things at random.
pub(crate) const WORKLOADS: &[Workload] = &[
    story("double click on place", &[], &[&[Act::Place, Act::Ask, PAY], &[Act::Place], &[Act::Place]]),
    story("place without a key", &[], &[&[Act::PlaceWithoutKey], &[Act::PlaceWithoutKey]]),
    story("notes", SHOWN, &[&[Act::Annotate, Act::Ask, PAY], &[Act::Annotate, Act::Cancel]]),
    story("double click on pay", PLACED, &[&[Act::Ask, PAY], &[Act::Ask, PAY]]),
    story("reload", PLACED, &[&[Act::Ask, Act::Ask, PAY], &[Act::Ask, Act::Check]]),
    story("edit while asking", PLACED, &[&[Act::Ask, PAY], &[Act::Edit(700), Act::Edit(1000)]]),
    story("edit while paying", SHOWN, &[&[PAY, Act::Check], &[Act::Edit(700)], &[Act::Edit(1300)]]),
    story("edit, then pay", SHOWN, &[&[Act::Edit(700), Act::Ask, PAY], &[DECLINED, Act::Edit(900)]]),
    story("cancel while asking", PLACED, &[&[Act::Ask, PAY], &[Act::Cancel]]),
    story("cancel while paying", SHOWN, &[&[PAY], &[Act::Cancel], &[Act::Ask, PAY]]),
    manual("two captures", PAYING, &[&[Act::Check, Act::Capture(None)], &[Act::Check, Act::Capture(Some(400))]]),
    manual(
        "capture or cancel",
        PAYING,
        &[&[Act::Check, Act::Capture(Some(700)), Act::Refund(Some(300))], &[Act::Cancel]],
    ),
    manual("authorisation expires", SHOWN, &[&[PAY], &[Act::Wait(8 * 86_400)], &[Act::Capture(None), Act::Ask, PAY]]),
    story(
        "refunds over the rest",
        PAID,
        &[&[Act::Refund(Some(600))], &[Act::Refund(Some(600))], &[Act::Refund(Some(300))], &[Act::Refund(None)]],
    ),
    story("refund without a key", PAID, &[&[Act::RefundWithoutKey(300)], &[Act::RefundWithoutKey(300)]]),
    story(
        "refund while a dispute opens",
        PAID,
        &[
            &[Act::Refund(Some(400)), Act::Refund(None)],
            &[Act::At(ExternalAction::Dispute), Act::At(ExternalAction::CloseDispute(true))],
        ],
    ),
    story(
        "lost dispute",
        PAID,
        &[&[Act::Refund(Some(100))], &[Act::At(ExternalAction::Dispute), Act::At(ExternalAction::CloseDispute(false))]],
    ),
    story(
        "dispute decided anew",
        PAID,
        &[
            &[
                Act::At(ExternalAction::Dispute),
                Act::At(ExternalAction::GiveEvidence),
                Act::At(ExternalAction::CloseDispute(false)),
                Act::At(ExternalAction::DecideAnew(true)),
                Act::At(ExternalAction::DecideAnew(false)),
                Act::At(ExternalAction::DecideAnew(true)),
            ],
            &[Act::Refund(Some(300)), Act::Refund(None)],
        ],
    ),
    story(
        "evidence of a dispute",
        PAID,
        &[&[Act::At(ExternalAction::Dispute), Act::At(ExternalAction::GiveEvidence)], &[Act::Check]],
    ),
    manual(
        "capture at the dashboard",
        PAYING,
        &[&[Act::At(ExternalAction::Capture(400)), Act::Refund(Some(100))], &[Act::Check, Act::Capture(Some(700))]],
    ),
    manual(
        "capture of all at the dashboard",
        PAYING,
        &[&[Act::At(ExternalAction::Capture(1000))], &[Act::Check, Act::Capture(Some(700)), Act::Refund(Some(100))]],
    ),
    story(
        "dashboard refund",
        PAID,
        &[
            &[Act::At(ExternalAction::Refund(300)), Act::At(ExternalAction::Refund(300))],
            &[Act::Refund(Some(600))],
            &[Act::Refund(None)],
        ],
    ),
    story("dashboard refund before we know", SHOWN, &[&[PAY, Act::At(ExternalAction::Refund(300))], &[Act::Ask]]),
    story(
        "refund takes its time",
        &[Act::Place, Act::Ask, REFUND_PENDS, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::At(ExternalAction::RefundDecided(false)), Act::Refund(None)],
            &[Act::At(ExternalAction::RefundDecided(true))],
        ],
    ),
    story(
        "refund comes back",
        &[Act::Place, Act::Ask, REFUND_FAILS, Act::Check],
        &[&[Act::Refund(Some(600)), Act::Refund(Some(500))]],
    ),
    story("decline, then success", PLACED, &[&[Act::Ask, DECLINED, Act::Ask, PAY, Act::Check], &[Act::Check]]),
    story(
        "3-D Secure left and resumed",
        SHOWN,
        &[
            &[
                ASKS_THE_CUSTOMER,
                Act::At(ExternalAction::Answer(false)),
                ASKS_THE_CUSTOMER,
                Act::At(ExternalAction::Answer(true)),
            ],
            &[Act::Check, Act::Ask],
            &[Act::Edit(700)],
        ],
    ),
    story(
        "the bank takes its time",
        SHOWN,
        &[&[TAKES_TIME, Act::At(ExternalAction::BankDecides(true))], &[Act::Cancel], &[Act::Edit(700)]],
    ),
    story("the bank is asked twice", SHOWN, &[&[TAKES_TIME, Act::At(ExternalAction::BankDecides(false)), TAKES_TIME]]),
    story("the bank says no", SHOWN, &[&[TAKES_TIME, Act::At(ExternalAction::BankDecides(false)), PAY], &[Act::Check]]),
    Workload {
        webhooks: Some(false),
        ..story("webhooks off", PLACED, &[&[Act::Ask, PAY], &[Act::Wait(60), Act::Refund(Some(300))]])
    },
    Workload {
        webhooks: Some(false),
        ..story("callback only", PLACED, &[&[Act::Ask, PAY, Act::Check], &[Act::Check]])
    },
    Workload {
        expires: Some(1800),
        ..story("expiry against late success", SHOWN, &[&[PAY], &[Act::Wait(1900)], &[Act::Ask, PAY]])
    },
    Workload { expires: Some(1800), ..manual("expiry against authorisation", SHOWN, &[&[PAY], &[Act::Wait(1900)]]) },
    story("key rotation", SHOWN, &[&[Act::RotateKey], &[PAY, Act::Check], &[Act::Edit(700), Act::Cancel]]),
    story(
        "somebody meddles with the amount",
        SHOWN,
        &[&[PAY, Act::Check], &[Act::At(ExternalAction::OtherAmount(700))], &[Act::Edit(1300)]],
    ),
    story(
        "somebody meddles with the currency",
        SHOWN,
        &[&[PAY, Act::Check], &[Act::At(ExternalAction::OtherCurrency)]],
    ),
    story("cancel at the dashboard", SHOWN, &[&[PAY], &[Act::At(ExternalAction::Cancel)], &[Act::Ask, PAY]]),
    story("second payment", SHOWN, &[&[PAY, Act::Refund(Some(300))], &[Act::At(ExternalAction::SecondIntent)]]),
    story("second payment while asking", PLACED, &[&[Act::Ask, Act::Check], &[Act::At(ExternalAction::SecondIntent)]]),
    story("paid after cancel", SHOWN, &[&[Act::Cancel], &[Act::At(ExternalAction::SecondIntent)]]),
    story("other programs and modes", SHOWN, &[&[Act::At(ExternalAction::Foreign), Act::OtherMode], &[PAY]]),
    story("a day passes", PLACED, &[&[Act::Ask, PAY], &[Act::Wait(90_000)]]),
    story("a day passes over a request", PLACED, &[&[Act::Ask], &[Act::Wait(90_000), Act::Edit(700)], &[Act::Ask]]),
    story(
        "a day passes, and another intent pays",
        PLACED,
        &[&[Act::Ask], &[Act::Wait(90_000), Act::At(ExternalAction::SecondIntent)]],
    ),
    story("a day passes over an edit", SHOWN, &[&[Act::Edit(700)], &[Act::Wait(90_000)], &[PAY]]),
    story("a day passes over a refund", PAID, &[&[Act::Refund(Some(300))], &[Act::Wait(90_000)]]),
    manual("a day passes over a capture", PAID, &[&[Act::Capture(Some(700))], &[Act::Wait(90_000)]]),
];

/// Stories in which the secret of the webhooks was stolen.
pub(crate) const FORGED: &[Workload] = &[
    story("forged event", SHOWN, &[&[Act::Forge(Forgery::OfItsIntent), Act::Check], &[Act::Check, Act::Check]]),
    story("forged event that nobody asks after", SHOWN, &[&[Act::Forge(Forgery::OfItsIntent)]]),
    story("forged event before the payment", SHOWN, &[&[Act::Forge(Forgery::OfItsIntent), PAY, Act::Check]]),
    story("forged event while paying", SHOWN, &[&[Act::Forge(Forgery::OfItsIntent), Act::Check], &[PAY, Act::Check]]),
    story("forged intent", PLACED, &[&[Act::Forge(Forgery::OfNoIntent), Act::Check], &[Act::Ask, Act::Check]]),
    story("forged intent while paying", SHOWN, &[&[Act::Forge(Forgery::OfNoIntent), Act::Check], &[PAY, Act::Check]]),
    story(
        "forged intent of a paid order",
        PAID,
        &[&[Act::Forge(Forgery::OfNoIntent), Act::Check], &[Act::Refund(Some(300)), Act::Check]],
    ),
    story("forged event and a refund", SHOWN, &[&[Act::Forge(Forgery::OfItsIntent)], &[Act::Refund(None), Act::Check]]),
    story("forged event after a cancellation", SHOWN, &[&[Act::Cancel, Act::Forge(Forgery::OfNoIntent)], &[PAY]]),
];

/// In one of so many runs events are forged.
const FORGED_EVERY: u64 = 24;

/// What people do at random.
const ANYTHING: &[Act] = &[
    Act::Ask,
    PAY,
    Act::Check,
    Act::Ask,
    PAY,
    DECLINED,
    ASKS_THE_CUSTOMER,
    Act::At(ExternalAction::Answer(true)),
    Act::At(ExternalAction::Answer(false)),
    TAKES_TIME,
    Act::At(ExternalAction::BankDecides(true)),
    Act::At(ExternalAction::BankDecides(false)),
    Act::Edit(700),
    Act::Edit(1300),
    Act::Edit(1000),
    Act::Annotate,
    Act::Cancel,
    Act::Capture(None),
    Act::Capture(Some(700)),
    Act::Refund(Some(300)),
    Act::Refund(Some(800)),
    Act::Refund(None),
    Act::RefundWithoutKey(200),
    Act::At(ExternalAction::Refund(300)),
    Act::At(ExternalAction::Cancel),
    Act::At(ExternalAction::Dispute),
    Act::At(ExternalAction::GiveEvidence),
    Act::At(ExternalAction::CloseDispute(true)),
    Act::At(ExternalAction::DecideAnew(false)),
    Act::At(ExternalAction::Capture(400)),
    Act::At(ExternalAction::RefundDecided(false)),
    Act::At(ExternalAction::SecondIntent),
    Act::At(ExternalAction::OtherAmount(900)),
    Act::Wait(100),
    Act::Wait(4000),
    Act::Wait(90_000),
    Act::RotateKey,
];

/// In one of so many runs a backup is restored.
const RESTORED_EVERY: u64 = 6;

/// How likely things are, in proportion to each other. What is 0 does not happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Menu {
    /// That whoever waits goes on.
    pub(crate) go: u32,
    /// That a message arrives.
    pub(crate) deliver: u32,
    /// That a worker takes a step.
    pub(crate) work: u32,
    /// That a call meets each of its mishaps.
    pub(crate) fault: u32,
    /// That a message is delivered twice, or is lost.
    pub(crate) disturb: u32,
    /// That a process is killed.
    pub(crate) kill: u32,
    /// That one that is down is started; with 0 it is started in the step that kills it.
    pub(crate) start: u32,
    /// That a caller leaves.
    pub(crate) leave: u32,
    /// That the power fails: every process, and the store's memory.
    pub(crate) power_cut: u32,
    /// That time passes, by each of several amounts.
    pub(crate) pass: u32,
    /// That a backup is taken, where there is none.
    pub(crate) backup: u32,
    /// That it is restored.
    pub(crate) restore: u32,
}

/// How long an answer of the store is waited for: twice that is more than a request waits in all.
const UNKNOWN_SECONDS: u32 = 8;

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) before: Vec<Act>,
    pub(crate) people: Vec<Vec<Act>>,
    /// What one more person does after each restore.
    pub(crate) after: Vec<Act>,
    /// How often the backup is restored at most.
    pub(crate) restores_max: u32,
    /// Whether what Stripe has is taken in after a restore, before a process starts.
    pub(crate) recovers: bool,
    pub(crate) capture: CaptureMethod,
    pub(crate) webhooks: bool,
    pub(crate) expires: Option<u32>,
    pub(crate) processes: usize,
    pub(crate) listing_lag_seconds: u32,
    /// How much time passes with each step, in microseconds.
    pub(crate) step_micros: i64,
    /// How many messages there are at most, from when people do things at the same time: with fewer, every way in
    /// which a story can go can be told. Those of the payments themselves are sent first.
    pub(crate) messages_max: usize,
    /// How often a caller tries that hears nothing definite.
    pub(crate) tries: usize,
    /// How long a pause takes, in milliseconds, times the attempt.
    pub(crate) pause_millis: u32,
    /// How long the store takes over a commit whose outcome stays open, in seconds.
    pub(crate) unknown_seconds: u32,
    /// How much may go wrong.
    pub(crate) faults_max: u32,
    /// After how many steps everything goes well.
    pub(crate) steps_max: u32,
    pub(crate) menu: Menu,
}

impl Plan {
    /// The run of a seed: one of the stories, or people who do things at random; and what may go wrong in it, which is
    /// not everything at once, so that each kind of trouble has runs to itself. In one of [`RESTORED_EVERY`] a backup is
    /// restored.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let mut plan = if seed % RESTORED_EVERY == RESTORED_EVERY / 2 {
            Self::restored(&mut rng)
        } else if seed % FORGED_EVERY == FORGED_EVERY - 1 {
            rng.choice(FORGED).map(Self::told).unwrap_or_default()
        } else {
            Self::any_story(&mut rng)
        };
        plan.webhooks = plan.webhooks && rng.u32(0..5) > 0;
        plan.processes = rng.usize(1..=2);
        plan.listing_lag_seconds = if rng.u32(0..4) == 0 { 20 } else { 0 };
        plan.step_micros = rng.choice([0, 1000, 400_000, 1_500_000]).unwrap_or(1000);
        // Those with a restore are all odd.
        let half = if plan.restores_max > 0 { seed / RESTORED_EVERY } else { seed };
        plan.unknown_seconds = if half.is_multiple_of(2) { 0 } else { UNKNOWN_SECONDS };
        plan.tries = rng.choice([4, 4, 1]).unwrap_or(1);
        plan.faults_max = rng.u32(0..6);
        let mut perhaps = |weight: u32| if rng.u32(0..3) == 0 { 0 } else { weight };
        plan.menu = Menu {
            go: 60,
            deliver: 40,
            work: 30,
            fault: perhaps(4),
            disturb: perhaps(5),
            kill: perhaps(5),
            start: 60,
            leave: perhaps(4),
            power_cut: perhaps(1),
            pass: perhaps(3),
            backup: 15,
            restore: 8,
        };
        plan
    }

    fn any_story(rng: &mut fastrand::Rng) -> Self {
        match rng.usize(0..WORKLOADS.len() + WORKLOADS.len() / 3) {
            story if story < WORKLOADS.len() => WORKLOADS.get(story).map(Self::told).unwrap_or_default(),
            _ => Self::at_random(rng),
        }
    }

    /// A story of a restore, or any other with one in it.
    fn restored(rng: &mut fastrand::Rng) -> Self {
        let restores_max = rng.choice([1, 1, 2]).unwrap_or(1);
        let told = rng.choice(RESTORES).filter(|_| rng.u32(0..3) > 0).map(Self::told);
        let plan = told.unwrap_or_else(|| {
            let after = (0..rng.usize(1..=4)).filter_map(|_| rng.choice(ANYTHING).copied()).collect();
            Self { after, ..Self::any_story(rng) }
        });
        Self { restores_max, ..plan }
    }

    /// A story, without trouble.
    pub(crate) fn told(workload: &Workload) -> Self {
        Self {
            name: workload.name,
            before: workload.before.to_vec(),
            people: workload.people.iter().map(|it| it.to_vec()).collect(),
            after: workload.after.to_vec(),
            recovers: workload.recovers,
            capture: workload.capture,
            webhooks: workload.webhooks.unwrap_or(true),
            expires: workload.expires,
            ..Self::default()
        }
    }

    fn at_random(rng: &mut fastrand::Rng) -> Self {
        let mut acts = |most: usize| -> Vec<Act> {
            let count = rng.usize(1..=most);
            (0..count).filter_map(|_| rng.choice(ANYTHING).copied()).collect()
        };
        let people = [acts(4), acts(4), acts(3), acts(2)];
        let before = rng.choice([PLACED, SHOWN, PAID]).unwrap_or(PLACED).to_vec();
        let capture = if rng.u32(0..4) == 0 { CaptureMethod::Manual } else { CaptureMethod::Automatic };
        let count = rng.usize(2..=people.len());
        let expires = rng.choice([None, None, Some(1800)]).flatten();
        let people = people.into_iter().take(count).collect();
        Self { name: "anything", before, people, capture, expires, ..Self::default() }
    }
}

impl Default for Plan {
    /// Nobody does anything, and nothing goes wrong.
    fn default() -> Self {
        Self {
            name: "nothing",
            before: Vec::new(),
            people: Vec::new(),
            after: Vec::new(),
            restores_max: 0,
            recovers: true,
            capture: CaptureMethod::Automatic,
            webhooks: true,
            expires: None,
            processes: 1,
            listing_lag_seconds: 0,
            step_micros: 0,
            messages_max: usize::MAX,
            tries: 4,
            pause_millis: 50,
            unknown_seconds: 0,
            faults_max: 0,
            steps_max: 400,
            menu: Menu {
                go: 1,
                deliver: 1,
                work: 1,
                fault: 0,
                disturb: 0,
                kill: 0,
                start: 1,
                leave: 0,
                power_cut: 0,
                pass: 0,
                backup: 0,
                restore: 0,
            },
        }
    }
}
