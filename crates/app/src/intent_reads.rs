use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use paywright_domain::{IntentId, Timestamp};

use crate::{ATTEMPTS_MAX, App, GatewayError, IssuedIntent, Version};

/// Age up to which an answer to a read of an intent is given to others who ask for it, in seconds. An order that has changed
/// since is read anew.
const FRESH_SECONDS: u32 = 1;
/// Number of answers that are kept before those that are not fresh are dropped.
const KEPT_MAX: usize = 1024;

/// Which answer serves a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// One that somebody with the same version of the order got within the last second.
    WithinASecond,
    /// One that was asked for after the caller came: a payment is to be found out that was made just before.
    AfterTheCall,
}

/// Reads of payment intents that callers wait for. Of many at once for one intent, one asks the provider, and its answer
/// serves the others: a page that is reloaded, or a client that never stops asking, takes no more than that of the
/// provider's rate. An optimisation only: what is decided on goes through `Order::settle` in either case.
#[derive(Debug, Default)]
pub(crate) struct IntentReads(Mutex<HashMap<IntentId, Read>>);

#[derive(Debug)]
enum Read {
    /// Somebody is asking.
    InFlight,
    /// Answer to a caller who had this version of the order.
    Answered { version: Version, at: Timestamp, issued: Box<IssuedIntent> },
}

/// A read that is under way. Dropping it without an answer lets the next caller ask.
struct Reading<'a> {
    reads: &'a IntentReads,
    intent: &'a IntentId,
}

enum Turn<'a> {
    Ask(Reading<'a>),
    Wait,
    Answered(Box<IssuedIntent>),
}

impl IntentReads {
    fn kept(&self) -> MutexGuard<'_, HashMap<IntentId, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Next step of a caller who came at `came_at` with this version of the order.
    fn turn<'a>(
        &'a self,
        intent: &'a IntentId,
        version: Version,
        freshness: Freshness,
        came_at: Timestamp,
        now: Timestamp,
    ) -> Turn<'a> {
        let is_fresh = |at: Timestamp| now < at.plus_seconds(FRESH_SECONDS);
        let serves = |of: Version, at: Timestamp| match freshness {
            Freshness::WithinASecond => of == version && is_fresh(at),
            Freshness::AfterTheCall => at > came_at,
        };
        let mut kept = self.kept();
        match kept.get(intent) {
            Some(Read::InFlight) => return Turn::Wait,
            Some(Read::Answered { version: of, at, issued }) if serves(*of, *at) => {
                return Turn::Answered(issued.clone());
            }
            Some(Read::Answered { .. }) | None => {}
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, it| match it {
                Read::InFlight => true,
                Read::Answered { at, .. } => is_fresh(*at),
            });
        }
        kept.insert(intent.clone(), Read::InFlight);
        Turn::Ask(Reading { reads: self, intent })
    }
}

impl Reading<'_> {
    fn answered(self, version: Version, at: Timestamp, issued: &IssuedIntent) {
        let answered = Read::Answered { version, at, issued: Box::new(issued.clone()) };
        self.reads.kept().insert(self.intent.clone(), answered);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut kept = self.reads.kept();
        if matches!(kept.get(self.intent), Some(Read::InFlight)) {
            kept.remove(self.intent);
        }
    }
}

impl App {
    /// Reads an intent for a caller who has `version` of its order, or takes the answer that somebody else got.
    /// [`GatewayError::InFlight`] if somebody is asking for longer than is waited for.
    pub(crate) async fn read_intent(
        &self,
        intent: &IntentId,
        version: Version,
        freshness: Freshness,
    ) -> Result<IssuedIntent, GatewayError> {
        let came_at = self.clock.now();
        for attempt in 1..=ATTEMPTS_MAX {
            match self.reads.turn(intent, version, freshness, came_at, self.clock.now()) {
                Turn::Answered(issued) => return Ok(*issued),
                Turn::Wait => self.clock.pause(attempt).await,
                Turn::Ask(reading) => {
                    let asked_at = self.clock.now();
                    let issued = self.gateway.intent(intent).await?;
                    // Without its secret it serves nobody who wants to pay.
                    if issued.client_secret.is_some() {
                        reading.answered(version, asked_at, &issued);
                    }
                    return Ok(issued);
                }
            }
        }
        Err(GatewayError::InFlight)
    }
}
