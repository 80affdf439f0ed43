//! Plan of a run: the actions of its people and the possible faults. A pure function of the seed.

use paywright_app::EndpointFormat;
use paywright_domain::fact::FeedEventType;
use paywright_domain::intent::CaptureMethod;

use crate::acceptances::ACCEPTANCES;
use crate::acts::{Act, Consumer, Forgery};
use crate::books_stories::{ANYTHING_OF_BOOKS, BOOKS_STORIES, BooksPlan};
use crate::closings::CLOSINGS;
use crate::external_actions::{ExternalAction, VISA};
use crate::feed_stories::{ANYTHING_AT_ENDPOINTS, FEED_STORIES};
use crate::restores::RESTORES;

/// A story: a situation that has gone wrong in other systems.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Actions of one person before any fault is possible.
    pub(crate) before: &'static [Act],
    /// Actions of several people who then act at the same time.
    pub(crate) people: &'static [&'static [Act]],
    pub(crate) capture: CaptureMethod,
    /// Whether Stripe sends webhooks; `None` if the plan decides.
    pub(crate) webhooks: Option<bool>,
    /// Seconds after which unpaid orders expire; `None` if they do not.
    pub(crate) expires: Option<u32>,
    /// Actions of one more person after each restore from a backup.
    pub(crate) after: &'static [Act],
    /// Whether a recovery is run after a restore, before a process starts.
    pub(crate) recovers: bool,
}

pub(crate) const PAY: Act = Act::External(ExternalAction::Pay(VISA));
const DECLINED: Act = Act::External(ExternalAction::Pay("pm_card_chargeDeclined"));
const REQUIRES_AUTHENTICATION: Act = Act::External(ExternalAction::Pay("pm_card_threeDSecure2Required"));
pub(crate) const BANK_DECIDES_LATER: Act = Act::External(ExternalAction::Pay("pm_usBankAccount_processing"));
pub(crate) const REFUND_STAYS_PENDING: Act = Act::External(ExternalAction::Pay("pm_card_pendingRefund"));
pub(crate) const REFUND_FAILS: Act = Act::External(ExternalAction::Pay("pm_card_refundFail"));
pub(crate) const PLACED: &[Act] = &[Act::Place];
pub(crate) const SHOWN: &[Act] = &[Act::Place, Act::CreateIntent];
pub(crate) const PAYING: &[Act] = &[Act::Place, Act::CreateIntent, PAY];
/// Paid, or authorized if the order is captured manually.
pub(crate) const PAID: &[Act] = &[Act::Place, Act::CreateIntent, PAY, Act::Check];

pub(crate) const fn story(name: &'static str, before: &'static [Act], people: &'static [&'static [Act]]) -> Workload {
    let capture = CaptureMethod::Automatic;
    Workload { name, before, people, capture, webhooks: None, expires: None, after: &[], recovers: true }
}

pub(crate) const fn manual(name: &'static str, before: &'static [Act], people: &'static [&'static [Act]]) -> Workload {
    Workload { capture: CaptureMethod::Manual, ..story(name, before, people) }
}

/// Every named story. Beside them, people act at random.
pub(crate) const WORKLOADS: &[Workload] = &[
    story("double click on place", &[], &[&[Act::Place, Act::CreateIntent, PAY], &[Act::Place], &[Act::Place]]),
    story("place without a key", &[], &[&[Act::PlaceWithoutKey], &[Act::PlaceWithoutKey]]),
    story("notes", SHOWN, &[&[Act::Annotate, Act::CreateIntent, PAY], &[Act::Annotate, Act::Cancel]]),
    story("double click on pay", PLACED, &[&[Act::CreateIntent, PAY], &[Act::CreateIntent, PAY]]),
    story("reload", PLACED, &[&[Act::CreateIntent, Act::CreateIntent, PAY], &[Act::CreateIntent, Act::Check]]),
    story("edit while the intent is created", PLACED, &[&[Act::CreateIntent, PAY], &[Act::Edit(700), Act::Edit(1000)]]),
    story("edit while paying", SHOWN, &[&[PAY, Act::Check], &[Act::Edit(700)], &[Act::Edit(1300)]]),
    story("edit, then pay", SHOWN, &[&[Act::Edit(700), Act::CreateIntent, PAY], &[DECLINED, Act::Edit(900)]]),
    story("cancel while the intent is created", PLACED, &[&[Act::CreateIntent, PAY], &[Act::Cancel]]),
    story("cancel while paying", SHOWN, &[&[PAY], &[Act::Cancel], &[Act::CreateIntent, PAY]]),
    manual("two captures", PAYING, &[&[Act::Check, Act::Capture(None)], &[Act::Check, Act::Capture(Some(400))]]),
    manual(
        "capture or cancel",
        PAYING,
        &[&[Act::Check, Act::Capture(Some(700)), Act::Refund(Some(300))], &[Act::Cancel]],
    ),
    manual(
        "authorization expires",
        SHOWN,
        &[&[PAY], &[Act::Wait(8 * 86_400)], &[Act::Capture(None), Act::CreateIntent, PAY]],
    ),
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
            &[Act::External(ExternalAction::Dispute), Act::External(ExternalAction::CloseDispute(true))],
        ],
    ),
    story(
        "lost dispute",
        PAID,
        &[
            &[Act::Refund(Some(100))],
            &[Act::External(ExternalAction::Dispute), Act::External(ExternalAction::CloseDispute(false))],
        ],
    ),
    story(
        "dispute decision reversed",
        PAID,
        &[
            &[
                Act::External(ExternalAction::Dispute),
                Act::External(ExternalAction::GiveEvidence),
                Act::External(ExternalAction::CloseDispute(false)),
                Act::External(ExternalAction::ReverseDispute(true)),
                Act::External(ExternalAction::ReverseDispute(false)),
                Act::External(ExternalAction::ReverseDispute(true)),
            ],
            &[Act::Refund(Some(300)), Act::Refund(None)],
        ],
    ),
    story(
        "evidence of a dispute",
        PAID,
        &[&[Act::External(ExternalAction::Dispute), Act::External(ExternalAction::GiveEvidence)], &[Act::Check]],
    ),
    manual(
        "capture at the dashboard",
        PAYING,
        &[
            &[Act::External(ExternalAction::Capture(400)), Act::Refund(Some(100))],
            &[Act::Check, Act::Capture(Some(700))],
        ],
    ),
    manual(
        "capture of all at the dashboard",
        PAYING,
        &[
            &[Act::External(ExternalAction::Capture(1000))],
            &[Act::Check, Act::Capture(Some(700)), Act::Refund(Some(100))],
        ],
    ),
    story(
        "dashboard refund",
        PAID,
        &[
            &[Act::External(ExternalAction::Refund(300)), Act::External(ExternalAction::Refund(300))],
            &[Act::Refund(Some(600))],
            &[Act::Refund(None)],
        ],
    ),
    story(
        "dashboard refund before the payment is known",
        SHOWN,
        &[&[PAY, Act::External(ExternalAction::Refund(300))], &[Act::CreateIntent]],
    ),
    story(
        "refund stays pending",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::External(ExternalAction::BankDecidesRefund(false)), Act::Refund(None)],
            &[Act::External(ExternalAction::BankDecidesRefund(true))],
        ],
    ),
    story(
        "refund fails later",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[&[Act::Refund(Some(600)), Act::Refund(Some(500))]],
    ),
    story(
        "decline, then success",
        PLACED,
        &[&[Act::CreateIntent, DECLINED, Act::CreateIntent, PAY, Act::Check], &[Act::Check]],
    ),
    story(
        "3-D Secure left and resumed",
        SHOWN,
        &[
            &[
                REQUIRES_AUTHENTICATION,
                Act::External(ExternalAction::Authenticate(false)),
                REQUIRES_AUTHENTICATION,
                Act::External(ExternalAction::Authenticate(true)),
            ],
            &[Act::Check, Act::CreateIntent],
            &[Act::Edit(700)],
        ],
    ),
    story(
        "the bank decides later",
        SHOWN,
        &[&[BANK_DECIDES_LATER, Act::External(ExternalAction::BankDecides(true))], &[Act::Cancel], &[Act::Edit(700)]],
    ),
    story(
        "two payments that the bank decides later",
        SHOWN,
        &[&[BANK_DECIDES_LATER, Act::External(ExternalAction::BankDecides(false)), BANK_DECIDES_LATER]],
    ),
    story(
        "the bank declines later",
        SHOWN,
        &[&[BANK_DECIDES_LATER, Act::External(ExternalAction::BankDecides(false)), PAY], &[Act::Check]],
    ),
    Workload {
        webhooks: Some(false),
        ..story("webhooks off", PLACED, &[&[Act::CreateIntent, PAY], &[Act::Wait(60), Act::Refund(Some(300))]])
    },
    Workload {
        webhooks: Some(false),
        ..story("callback only", PLACED, &[&[Act::CreateIntent, PAY, Act::Check], &[Act::Check]])
    },
    Workload {
        expires: Some(1800),
        ..story("expiry against late success", SHOWN, &[&[PAY], &[Act::Wait(1900)], &[Act::CreateIntent, PAY]])
    },
    Workload { expires: Some(1800), ..manual("expiry against authorization", SHOWN, &[&[PAY], &[Act::Wait(1900)]]) },
    story("key rotation", SHOWN, &[&[Act::RotateKey], &[PAY, Act::Check], &[Act::Edit(700), Act::Cancel]]),
    story(
        "another program changes the amount",
        SHOWN,
        &[&[PAY, Act::Check], &[Act::External(ExternalAction::ChangeAmount(700))], &[Act::Edit(1300)]],
    ),
    story(
        "another program changes the currency",
        SHOWN,
        &[&[PAY, Act::Check], &[Act::External(ExternalAction::ChangeCurrency)]],
    ),
    story(
        "cancel at the dashboard",
        SHOWN,
        &[&[PAY], &[Act::External(ExternalAction::Cancel)], &[Act::CreateIntent, PAY]],
    ),
    story("second payment", SHOWN, &[&[PAY, Act::Refund(Some(300))], &[Act::External(ExternalAction::SecondIntent)]]),
    story(
        "second payment while the intent is created",
        PLACED,
        &[&[Act::CreateIntent, Act::Check], &[Act::External(ExternalAction::SecondIntent)]],
    ),
    story("paid after cancel", SHOWN, &[&[Act::Cancel], &[Act::External(ExternalAction::SecondIntent)]]),
    story(
        "other programs and modes",
        SHOWN,
        &[&[Act::External(ExternalAction::ForeignPayment), Act::OtherModeEvent], &[PAY]],
    ),
    story("a day passes", PLACED, &[&[Act::CreateIntent, PAY], &[Act::Wait(90_000)]]),
    story(
        "a day passes over a request",
        PLACED,
        &[&[Act::CreateIntent], &[Act::Wait(90_000), Act::Edit(700)], &[Act::CreateIntent]],
    ),
    story(
        "a day passes, and another intent pays",
        PLACED,
        &[&[Act::CreateIntent], &[Act::Wait(90_000), Act::External(ExternalAction::SecondIntent)]],
    ),
    story("a day passes over an edit", SHOWN, &[&[Act::Edit(700)], &[Act::Wait(90_000)], &[PAY]]),
    story("a day passes over a refund", PAID, &[&[Act::Refund(Some(300))], &[Act::Wait(90_000)]]),
    manual("a day passes over a capture", PAID, &[&[Act::Capture(Some(700))], &[Act::Wait(90_000)]]),
];

/// Stories in which the webhook secret was stolen.
pub(crate) const FORGED: &[Workload] = &[
    story("forged event", SHOWN, &[&[Act::Forge(Forgery::AmountDue), Act::Check], &[Act::Check, Act::Check]]),
    story("forged event without a callback", SHOWN, &[&[Act::Forge(Forgery::AmountDue)]]),
    story("forged event before the payment", SHOWN, &[&[Act::Forge(Forgery::AmountDue), PAY, Act::Check]]),
    story("forged event while paying", SHOWN, &[&[Act::Forge(Forgery::AmountDue), Act::Check], &[PAY, Act::Check]]),
    story("forged intent", PLACED, &[&[Act::Forge(Forgery::NoIntent), Act::Check], &[Act::CreateIntent, Act::Check]]),
    story("forged intent while paying", SHOWN, &[&[Act::Forge(Forgery::NoIntent), Act::Check], &[PAY, Act::Check]]),
    story(
        "forged intent of a paid order",
        PAID,
        &[&[Act::Forge(Forgery::NoIntent), Act::Check], &[Act::Refund(Some(300)), Act::Check]],
    ),
    story("forged event and a refund", SHOWN, &[&[Act::Forge(Forgery::AmountDue)], &[Act::Refund(None), Act::Check]]),
    story("forged event after a cancellation", SHOWN, &[&[Act::Cancel, Act::Forge(Forgery::NoIntent)], &[PAY]]),
];

/// One of so many runs has forged events.
const FORGED_EVERY: u64 = 24;

/// Actions that are drawn at random.
const ANYTHING: &[Act] = &[
    Act::CreateIntent,
    PAY,
    Act::Check,
    Act::CreateIntent,
    PAY,
    DECLINED,
    REQUIRES_AUTHENTICATION,
    Act::External(ExternalAction::Authenticate(true)),
    Act::External(ExternalAction::Authenticate(false)),
    BANK_DECIDES_LATER,
    Act::External(ExternalAction::BankDecides(true)),
    Act::External(ExternalAction::BankDecides(false)),
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
    Act::External(ExternalAction::Refund(300)),
    Act::External(ExternalAction::Cancel),
    Act::External(ExternalAction::Dispute),
    Act::External(ExternalAction::GiveEvidence),
    Act::External(ExternalAction::CloseDispute(true)),
    Act::External(ExternalAction::ReverseDispute(false)),
    Act::External(ExternalAction::Capture(400)),
    Act::External(ExternalAction::BankDecidesRefund(false)),
    Act::External(ExternalAction::SecondIntent),
    Act::External(ExternalAction::ChangeAmount(900)),
    Act::Wait(100),
    Act::Wait(4000),
    Act::Wait(90_000),
    Act::RotateKey,
];

/// One of so many runs is about the feed: relays and deliverers take steps while people act. In every other run they do
/// so once nothing else is under way.
const FEED_EVERY: u64 = 8;

/// One of so many runs with a restore is about the feed too.
const RESTORED_FEED_EVERY: u64 = 48;

/// One of so many runs is about the books: bookkeepers take steps while people act. In every other run there are none.
const BOOKS_EVERY: u64 = 32;

/// Remainder of the seeds of the runs about the books: none of them is about the feed, has a restore or a forged event.
const OF_BOOKS: u64 = 10;

/// One of so many runs with a restore is about the books too.
const RESTORED_BOOKS_EVERY: u64 = 96;

/// Remainder of the seeds of the runs with a restore that are about the books.
const OF_RESTORED_BOOKS: u64 = 27;

/// One of so many runs is about an acceptance, and one about the closing of a refund. Half of these are about the books too.
const DECIDED_EVERY: u64 = 48;

/// Remainder of the seeds of the runs about an acceptance: none of them is about the feed, has a restore or another story
/// of the books.
const OF_ACCEPTANCE: u64 = 5;

/// Remainder of the seeds of the runs about the closing of a refund, of which the same is true.
const OF_CLOSING: u64 = 29;

/// Stories of the seeds with this remainder by [`DECIDED_EVERY`], if they are about the decision of a person on money.
const fn decisions(remainder: u64) -> Option<&'static [Workload]> {
    match remainder {
        OF_ACCEPTANCE => Some(ACCEPTANCES),
        OF_CLOSING => Some(CLOSINGS),
        _ => None,
    }
}

/// Number of steps after which no more faults happen in a run about the books, of which each step makes many calls.
const BOOKS_STEPS_MAX: u32 = 700;

/// Program that gets every event.
const EVERY_EVENT: Consumer = Consumer { format: EndpointFormat::Standard, types: &[] };
/// Program that gets each event in its parts.
const EVERY_PART: Consumer = Consumer { format: EndpointFormat::Spree, types: &[] };
const PAYMENTS: Consumer = Consumer { format: EndpointFormat::Standard, types: &[FeedEventType::OrderPaid] };

/// Programs with an endpoint in the runs that are about the feed, one of these lists in each.
const CONSUMERS: [&[Consumer]; 6] =
    [&[EVERY_EVENT], &[EVERY_EVENT], &[EVERY_EVENT, PAYMENTS], &[EVERY_PART], &[EVERY_PART], &[EVERY_PART, PAYMENTS]];

/// One of so many runs has a restore from a backup.
const RESTORED_EVERY: u64 = 6;

/// Relative weights of the scheduler's steps. A step of weight 0 does not happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepWeights {
    /// A pending call goes on.
    pub(crate) go: u32,
    /// A webhook arrives.
    pub(crate) deliver: u32,
    /// A worker takes a step.
    pub(crate) work: u32,
    /// A relay takes a step, or the store performs a write late.
    pub(crate) relay: u32,
    /// A deliverer takes a step, or a webhook to an endpoint arrives late.
    pub(crate) send: u32,
    /// A bookkeeper takes a step.
    pub(crate) keep: u32,
    /// A call meets one of its faults.
    pub(crate) fault: u32,
    /// A webhook is delivered twice, or is lost.
    pub(crate) disturb: u32,
    /// A process is killed.
    pub(crate) kill: u32,
    /// A killed process is started; with 0 it is started in the step that kills it.
    pub(crate) start: u32,
    /// A caller disconnects.
    pub(crate) leave: u32,
    /// The power fails: every process dies, and the store is rebuilt from its journal.
    pub(crate) power_cut: u32,
    /// Time passes, by one of several amounts.
    pub(crate) pass: u32,
    /// A backup is taken, if there is none.
    pub(crate) backup: u32,
    /// The backup is restored.
    pub(crate) restore: u32,
}

/// Wait for an answer of the store, in seconds: twice this exceeds the deadline of a request.
const UNKNOWN_SECONDS: u32 = 8;

/// Plan of one run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) before: Vec<Act>,
    pub(crate) people: Vec<Vec<Act>>,
    /// Actions of one more person after each restore.
    pub(crate) after: Vec<Act>,
    /// Most restores of the backup.
    pub(crate) restores_max: u32,
    /// Whether a recovery is run after a restore, before a process starts.
    pub(crate) recovers: bool,
    /// Books that are kept.
    pub(crate) books: Option<BooksPlan>,
    /// Programs with an endpoint.
    pub(crate) endpoints: &'static [Consumer],
    pub(crate) capture: CaptureMethod,
    pub(crate) webhooks: bool,
    pub(crate) expires: Option<u32>,
    pub(crate) processes: usize,
    pub(crate) listing_lag_seconds: u32,
    /// Time that passes with each step, in microseconds.
    pub(crate) step_micros: i64,
    /// Most webhooks once people act at the same time. Few of them keep an exhaustive search small; those of
    /// PaymentIntents are sent first.
    pub(crate) webhooks_max: usize,
    /// Number of times a caller sends a request without a definite answer.
    pub(crate) tries: usize,
    /// Length of a pause in milliseconds, multiplied by the attempt.
    pub(crate) pause_millis: u32,
    /// Time after which the store leaves a commit's outcome unknown, in seconds.
    pub(crate) unknown_seconds: u32,
    /// Most faults of the run.
    pub(crate) faults_max: u32,
    /// Number of steps after which no more faults happen.
    pub(crate) steps_max: u32,
    pub(crate) step_weights: StepWeights,
}

impl Plan {
    /// The plan of a seed: one of the stories, or people who act at random. Only some kinds of faults are possible in
    /// each run, so that each kind has runs to itself. One of [`RESTORED_EVERY`] runs has a restore.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let mut plan = if seed % RESTORED_EVERY == RESTORED_EVERY / 2 {
            Self::restored(&mut rng)
        } else if seed % FEED_EVERY == FEED_EVERY / 2 {
            Self::of_feed(&mut rng)
        } else if seed % BOOKS_EVERY == OF_BOOKS {
            Self::of_books(&mut rng)
        } else if let Some(stories) = decisions(seed % DECIDED_EVERY) {
            rng.choice(stories).map(Self::of_story).unwrap_or_default()
        } else if seed % FORGED_EVERY == FORGED_EVERY - 1 {
            rng.choice(FORGED).map(Self::of_story).unwrap_or_default()
        } else {
            Self::any_story(&mut rng)
        };
        plan.webhooks = plan.webhooks && rng.u32(0..5) > 0;
        plan.processes = rng.usize(1..=2);
        plan.listing_lag_seconds = if rng.u32(0..4) == 0 { 20 } else { 0 };
        plan.step_micros = rng.choice([0, 1000, 400_000, 1_500_000]).unwrap_or(1000);
        // Seeds of runs with a restore are all odd, and those of runs about the feed are all even.
        let is_about_feed = seed % FEED_EVERY == FEED_EVERY / 2 || seed % RESTORED_FEED_EVERY == RESTORED_EVERY / 2;
        let half = match (plan.restores_max > 0, is_about_feed) {
            (true, _) => seed / RESTORED_EVERY,
            (false, true) => seed / FEED_EVERY,
            (false, false) => seed,
        };
        plan.unknown_seconds = if half.is_multiple_of(2) { 0 } else { UNKNOWN_SECONDS };
        plan.tries = rng.choice([4, 4, 1]).unwrap_or(1);
        plan.faults_max = rng.u32(0..6);
        let mut perhaps = |weight: u32| if rng.u32(0..3) == 0 { 0 } else { weight };
        plan.step_weights = StepWeights {
            go: 60,
            deliver: 40,
            work: 30,
            relay: if is_about_feed { 40 } else { 0 },
            send: if is_about_feed { 40 } else { 0 },
            keep: 0,
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
        if is_about_feed {
            plan.endpoints = rng.choice(CONSUMERS).unwrap_or_default();
            plan.processes = rng.choice([1, 2, 2]).unwrap_or(1);
        } else if seed % 16 < 4 {
            plan.endpoints = &[EVERY_EVENT];
        }
        let is_about_decision = decisions(seed % DECIDED_EVERY).is_some();
        if is_about_decision && (seed / DECIDED_EVERY).is_multiple_of(2)
            || seed % BOOKS_EVERY == OF_BOOKS
            || seed % RESTORED_BOOKS_EVERY == OF_RESTORED_BOOKS
        {
            plan.keep_books(&mut rng);
        }
        plan
    }

    /// Makes the run one about the books.
    fn keep_books(&mut self, rng: &mut fastrand::Rng) {
        self.books = Some(BooksPlan::drawn(rng));
        self.processes = rng.choice([1, 2, 2]).unwrap_or(1);
        self.step_weights.keep = 40;
        self.steps_max = BOOKS_STEPS_MAX;
        if rng.bool() {
            self.endpoints = &[EVERY_EVENT];
            self.step_weights.relay = 40;
            self.step_weights.send = 40;
        }
    }

    /// A story of the feed, or any other story and a person who acts at the endpoints.
    fn of_feed(rng: &mut fastrand::Rng) -> Self {
        if rng.u32(0..3) > 0 {
            return rng.choice(FEED_STORIES).map(Self::of_story).unwrap_or_default();
        }
        let mut plan = Self::any_story(rng);
        let acts = (0..rng.usize(1..=3)).filter_map(|_| rng.choice(ANYTHING_AT_ENDPOINTS).copied());
        plan.people.push(acts.collect());
        plan
    }

    /// A story of the books, or any other story, and a person who acts at the books.
    fn of_books(rng: &mut fastrand::Rng) -> Self {
        if rng.u32(0..3) > 0 {
            return rng.choice(BOOKS_STORIES).map(Self::of_story).unwrap_or_default();
        }
        let mut plan = Self::any_story(rng);
        let acts = (0..rng.usize(1..=3)).filter_map(|_| rng.choice(ANYTHING_OF_BOOKS).copied());
        plan.people.push(acts.collect());
        plan
    }

    fn any_story(rng: &mut fastrand::Rng) -> Self {
        match rng.usize(0..WORKLOADS.len() + WORKLOADS.len() / 3) {
            story if story < WORKLOADS.len() => WORKLOADS.get(story).map(Self::of_story).unwrap_or_default(),
            _ => Self::at_random(rng),
        }
    }

    /// A story of a restore, or any other story with a restore in it.
    fn restored(rng: &mut fastrand::Rng) -> Self {
        let restores_max = rng.choice([1, 1, 2]).unwrap_or(1);
        let story = rng.choice(RESTORES).filter(|_| rng.u32(0..3) > 0).map(Self::of_story);
        let plan = story.unwrap_or_else(|| {
            let after = (0..rng.usize(1..=4)).filter_map(|_| rng.choice(ANYTHING).copied()).collect();
            Self { after, ..Self::any_story(rng) }
        });
        Self { restores_max, ..plan }
    }

    /// A story without faults.
    pub(crate) fn of_story(workload: &Workload) -> Self {
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
    /// A plan without people and without faults.
    fn default() -> Self {
        Self {
            name: "nothing",
            before: Vec::new(),
            people: Vec::new(),
            after: Vec::new(),
            restores_max: 0,
            recovers: true,
            books: None,
            endpoints: &[],
            capture: CaptureMethod::Automatic,
            webhooks: true,
            expires: None,
            processes: 1,
            listing_lag_seconds: 0,
            step_micros: 0,
            webhooks_max: usize::MAX,
            tries: 4,
            pause_millis: 50,
            unknown_seconds: 0,
            faults_max: 0,
            steps_max: 400,
            step_weights: StepWeights {
                go: 1,
                deliver: 1,
                work: 1,
                relay: 0,
                send: 0,
                keep: 0,
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
