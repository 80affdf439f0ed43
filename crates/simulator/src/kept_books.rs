//! Record of the double-entry books: what their commits must keep, and in which ways the run itself has made Stripe's
//! balance differ from what is sold.

use std::collections::{BTreeMap, BTreeSet};

use paywright_app::{
    AccountEvent, AccountEventContext, BooksChanges, BooksState, Break, BreakClass, ClearingItem, ClosedDay, Lease,
    SubjectId, Versioned,
};
use paywright_domain::Timestamp;
use paywright_domain::books::{Day, Entry, PayoutStatus, Posting, Source};
use paywright_domain::fact::FeedEventType;
use paywright_stripe_twin::{TransactionView, Twin};
use uuid::Uuid;

use crate::acceptances;
use crate::books::{Books, Violation};
use crate::books_agree::{
    balances_agree, closed_days_have_their_rows, each_movement_is_booked, foreign_payments, payouts_agree,
};
use crate::books_stories::BooksPlan;
use crate::invariants::{Checked, fail};
use crate::store::{BooksTables, INSTALLATION, Tables};

/// Difference that a run makes between Stripe's balance and what is sold.
#[derive(Debug)]
pub(crate) enum Difference {
    /// A break with this name must be found, and stays.
    Break(String),
    /// A balance transaction is listed late: until it is read, the books and the balance may differ.
    Late,
}

/// Record of the double-entry books.
#[derive(Debug, Default)]
pub(crate) struct KeptBooks {
    /// Settings of the books; `None` in a run without any.
    pub(crate) plan: Option<BooksPlan>,
    /// Closed days, as they were first stored.
    closed: BTreeMap<Day, ClosedDay>,
    /// Events of payouts that were told.
    told: BTreeSet<(SubjectId, FeedEventType)>,
    /// Names of the breaks that the run has made.
    made: BTreeSet<String>,
    /// Whether a balance transaction was listed late.
    pub(crate) is_late: bool,
    /// Process that has leased the books, and the end of its lease.
    leased: Option<(Uuid, Timestamp)>,
}

impl KeptBooks {
    /// Records a difference that the run makes.
    pub(crate) fn made_to_differ(&mut self, difference: Option<Difference>) {
        match difference {
            Some(Difference::Break(name)) => drop(self.made.insert(name)),
            Some(Difference::Late) => self.is_late = true,
            None => {}
        }
    }

    /// Records that the books were leased; a violation if another lease on them has not ended.
    pub(crate) fn lease(&mut self, lease: &Lease) -> Checked {
        match self.leased.replace((lease.owner, lease.until)).filter(|(_, until)| *until > lease.now) {
            Some((_, until)) => {
                fail("lease", format!("the books were leased to a second process, and the first lease ends at {until}"))
            }
            None => Ok(()),
        }
    }

    /// Records that a process ends its lease.
    pub(crate) fn release(&mut self, owner: Uuid) {
        self.leased.take_if(|(by, _)| *by == owner);
    }

    /// Checks a commit of the books.
    pub(crate) fn commit(&mut self, changes: &BooksChanges, before: &BooksTables, after: &BooksTables) -> Checked {
        nothing_goes_back(before.state.as_ref(), &changes.state)?;
        let mut ids = changes.transactions.iter().map(|it| &it.transaction.id);
        if let Some(id) = ids.find(|it| before.transactions.contains_key(*it)) {
            return fail("books", format!("{id} was booked already, and is booked again"));
        }
        self.days_stay_closed(changes, before, after)?;
        let mut told = 0;
        for change in &changes.breaks {
            told += self.break_is_told_once(change, &changes.events, before)?;
        }
        let of_breaks = changes.events.iter().filter(|it| it.kind == FeedEventType::BooksBreak).count();
        if of_breaks != told {
            return fail("books", format!("{of_breaks} breaks are told, and {told} are new"));
        }
        let of_payouts = changes.events.iter().filter(|it| it.kind != FeedEventType::BooksBreak);
        for event in of_payouts {
            if !self.told.insert((event.subject, event.kind)) {
                return fail("books", format!("{} of one payout was told twice", event.kind.name()));
            }
        }
        for entry in changes.entries.iter().map(|it| &it.entry) {
            balances(entry)?;
        }
        for row in &changes.transactions {
            let entry = Entry::of_balance_transaction(&row.transaction);
            balances(&entry.map_err(|error| Violation::of("books", error.to_string()))?)?;
        }
        Ok(())
    }

    /// A closed day stays as it is, and gets no more rows.
    fn days_stay_closed(&mut self, changes: &BooksChanges, before: &BooksTables, after: &BooksTables) -> Checked {
        for (day, closed) in &self.closed {
            if after.days.get(day) != Some(closed) {
                return fail("books", format!("the closed day {day} has changed"));
            }
        }
        let last = before.state.as_ref().and_then(|it| it.value.closed.as_ref()).map(|it| it.day);
        let days = changes.transactions.iter().map(|it| (it.transaction.id.as_str(), it.day));
        let new = changes.entries.iter().filter(|it| !before.entries.contains_key(&it.id));
        let days = days.chain(new.map(|it| (it.id.as_str(), it.day)));
        for (id, day) in days {
            if day.is_some_and(|it| Some(it) <= last) {
                return fail("books", format!("{id} was booked on a day that was closed"));
            }
        }
        for day in &changes.days {
            self.closed.entry(day.day).or_insert_with(|| day.clone());
        }
        Ok(())
    }

    /// A break is told when it is found, and not again while it exists. Returns how often this commit must tell it.
    fn break_is_told_once(
        &self,
        found: &Break,
        events: &[AccountEvent],
        before: &BooksTables,
    ) -> Result<usize, Violation> {
        let is_known = before.breaks.get(&found.id).is_some_and(|it| it.gone_at.is_none());
        let expected = usize::from(!is_known && found.gone_at.is_none());
        // The subject of an event names the break; the other values of the context do not matter.
        let told = events.iter().filter(|it| it.kind == FeedEventType::BooksBreak && is_about(it, found)).count();
        if told != expected {
            let detail = format!("{} is told {told} times, where {expected} is right", found.id);
            return Err(Violation::of("books", detail));
        }
        if expected == 1 && self.is_false_alarm(found) {
            return Err(Violation::of("books", format!("a break is told that is none: {found:?}")));
        }
        Ok(expected)
    }

    /// Whether a break is told that no order of events can cause: facts that are not known yet explain breaks of the
    /// other classes.
    fn is_false_alarm(&self, found: &Break) -> bool {
        match found.class {
            BreakClass::Duplicate | BreakClass::UnknownCategory => !self.made.contains(&found.id),
            BreakClass::Balance => !self.is_late,
            BreakClass::FeeSum
            | BreakClass::Currency
            | BreakClass::PayoutSum
            | BreakClass::Unreadable
            | BreakClass::History => true,
            BreakClass::MissingThere | BreakClass::MissingHere | BreakClass::Amount | BreakClass::Link => false,
        }
    }

    /// Removes what a restore from a backup loses.
    pub(crate) fn forget(&mut self, tables: &Tables) {
        self.leased = None;
        self.closed.clone_from(&tables.books.days);
        let events = tables.account_events().filter(|it| it.kind != FeedEventType::BooksBreak);
        self.told = events.map(|it| (it.subject, it.kind)).collect();
    }

    /// Checks the books once the run is at rest.
    fn at_rest(&self, tables: &Tables, twin: &Twin, books: &Books, shared_account: bool) -> Checked {
        acceptances::are_booked(&tables.books, tables)?;
        let kept = &tables.books;
        let Some(state) = kept.state.as_ref().map(|it| &it.value) else {
            return fail("books", "the books were never begun".to_owned());
        };
        each_movement_is_booked(kept, twin)?;
        balances_agree(kept, state, twin)?;
        closed_days_have_their_rows(kept)?;
        payouts_agree(kept, twin)?;
        self.payouts_are_told(kept)?;
        if books.restored.as_ref().is_some_and(|it| !it.is_recovered) {
            return Ok(());
        }
        let mut expected = self.made.clone();
        if !shared_account {
            expected.extend(foreign_payments(twin).map(|it| format!("link:{it}")));
        }
        let open = kept.breaks.values().filter(|it| it.gone_at.is_none());
        let open: BTreeSet<String> = open.map(|it| it.id.clone()).collect();
        if open != expected {
            return fail("books", format!("the breaks are {open:?}, and must be {expected:?}"));
        }
        // A bank debit is on the balance while the bank decides.
        let is_processing =
            |it: &Source| twin.intents().any(|intent| intent.status == "processing" && it.to_string() == intent.id);
        let is_explained =
            |it: &Source| is_processing(it) || expected.iter().any(|name| name.ends_with(&format!(":{it}")));
        let is_open = |it: &&ClearingItem| it.has_day && it.order.is_some() && it.expected != it.moved;
        let differing = kept.clearing.values().filter(is_open).find(|it| !is_explained(&it.source));
        match differing {
            Some(it) => {
                fail("books", format!("{}: {} is expected, and {} was moved", it.source, it.expected, it.moved))
            }
            None => Ok(()),
        }
    }

    /// Each payout that was paid or returned was told.
    fn payouts_are_told(&self, kept: &BooksTables) -> Checked {
        let told = |kind: FeedEventType| self.told.iter().filter(|(_, it)| *it == kind).count();
        let of = |status: PayoutStatus| kept.payouts.values().filter(|it| it.status == status).count();
        let failed = (told(FeedEventType::PayoutFailed), of(PayoutStatus::Failed));
        if failed.0 != failed.1 || told(FeedEventType::PayoutPaid) < of(PayoutStatus::Paid) {
            return fail("books", "a payout was paid or returned, and it was not told".to_owned());
        }
        Ok(())
    }

    /// Returns what the books have not read yet, or what has not ended at Stripe; `None` if they are complete.
    pub(crate) fn unfinished(&self, tables: &Tables, twin: &Twin, books: &Books) -> Option<Violation> {
        let plan = self.plan?;
        let kept = &tables.books;
        let read_until = kept.state.as_ref().map_or(0, |it| it.value.payouts_until.unix_seconds());
        let orders_until = kept.state.as_ref().map_or(Timestamp::EPOCH, |it| it.value.orders_until);
        let last_closed = kept.state.as_ref().and_then(|it| it.value.closed.as_ref()).map(|it| it.day);
        let last_row = kept.transactions.values().filter_map(|it| it.day).max();
        let is_known = |it: &TransactionView<'_>| kept.transactions.keys().any(|id| id.as_str() == it.id);
        let detail = if kept.state.is_none() {
            "the books are not begun".to_owned()
        } else if kept.state.as_ref().is_some_and(|it| it.value.opening.is_none()) {
            "the opening balance is not known".to_owned()
        } else if let Some(row) = twin.balance_transactions().find(|it| !is_known(it)) {
            format!("{} is not booked", row.id)
        } else if let Some(row) =
            twin.balance_transactions().find(|it| it.payout.is_none() && read_until <= next_midnight(it.available_on))
        {
            format!("{} is not paid out", row.id)
        } else if let Some(payout) = twin.payouts().find(|it| it.status == "in_transit") {
            format!("payout {} is on its way", payout.id)
        } else if let Some(order) = tables.orders.values().find(|it| it.value.updated_at > orders_until) {
            format!("the books have not read {} since it changed", order.value.number)
        } else if last_closed < last_row {
            "a day with movements is open".to_owned()
        } else {
            return self.at_rest(tables, twin, books, plan.shared_account).err();
        };
        Some(Violation::of("I6", format!("the books: {detail}")))
    }
}

fn next_midnight(time: i64) -> i64 {
    (time.div_euclid(86_400) + 1) * 86_400
}

/// Whether an event is about a break.
fn is_about(event: &AccountEvent, found: &Break) -> bool {
    let context = AccountEventContext { installation: INSTALLATION, livemode: event.livemode, at: event.at };
    context.break_found(found).subject == event.subject
}

/// The state of the books never goes back.
fn nothing_goes_back(before: Option<&Versioned<BooksState>>, after: &BooksState) -> Checked {
    let Some(before) = before.map(|it| &it.value) else { return Ok(()) };
    let day = |it: &BooksState| it.closed.as_ref().map(|it| it.day);
    let times = |it: &BooksState| [it.transactions_until, it.payouts_until, it.orders_until, it.start];
    let is_earlier = times(after).iter().zip(times(before)).any(|(after, before)| *after < before);
    if is_earlier || day(after) < day(before) || (before.opening.is_some() && after.opening != before.opening) {
        return fail("books", format!("the state of the books goes back from {before:?} to {after:?}"));
    }
    Ok(())
}

/// The postings of an entry add up to zero in each currency.
fn balances(entry: &Entry) -> Checked {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for Posting { amount, .. } in entry.postings() {
        *sums.entry(amount.currency().code()).or_default() += amount.minor();
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        Some((currency, sum)) => fail("books", format!("an entry adds up to {sum} {currency}")),
        None => Ok(()),
    }
}
