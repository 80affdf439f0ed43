use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use paywright_domain::{IntentId, Timestamp};

use crate::{ATTEMPTS_MAX, App, GatewayError, IssuedIntent, Version};

/// Age up to which Stripe's answer to a read of a PaymentIntent serves other callers, in seconds. If the order has
/// changed since, the intent is read again.
const FRESH_SECONDS: u32 = 1;
/// Number of cached answers from which stale ones are dropped.
const CACHED_MAX: usize = 1024;

/// Freshness that a caller requires of a cached answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The answer is at most a second old, and was read by a caller with the same version of the order.
    WithinASecond,
    /// The read began after the caller's request arrived, so that the answer includes a payment made just before.
    AfterTheCall,
}

/// Reads of PaymentIntents that callers wait for. Of many concurrent callers for one intent, one reads it from Stripe,
/// and its answer serves the others: a page that is reloaded, or a client that polls without pause, uses one read of
/// Stripe's rate limit. An optimization only: every answer goes through `Order::settle`.
#[derive(Debug, Default)]
pub(crate) struct IntentReads(Mutex<HashMap<IntentId, Read>>);

#[derive(Debug)]
enum Read {
    /// A caller is reading the intent.
    InFlight,
    /// Answer to a caller with this version of the order.
    Answered { version: Version, at: Timestamp, issued: Box<IssuedIntent> },
}

/// Guard of a read in flight. Dropping it without an answer lets the next caller read.
struct Reading<'a> {
    reads: &'a IntentReads,
    intent: &'a IntentId,
}

/// Next step of a caller.
enum Turn<'a> {
    Read(Reading<'a>),
    Wait,
    Answered(Box<IssuedIntent>),
}

impl IntentReads {
    fn cached(&self) -> MutexGuard<'_, HashMap<IntentId, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides the next step of a caller whose request arrived at `arrived_at`, with this version of the order.
    fn turn<'a>(
        &'a self,
        intent: &'a IntentId,
        version: Version,
        freshness: Freshness,
        arrived_at: Timestamp,
        now: Timestamp,
    ) -> Turn<'a> {
        let is_fresh = |at: Timestamp| now < at.plus_seconds(FRESH_SECONDS);
        let serves = |of: Version, at: Timestamp| match freshness {
            Freshness::WithinASecond => of == version && is_fresh(at),
            Freshness::AfterTheCall => at > arrived_at,
        };
        let mut cached = self.cached();
        match cached.get(intent) {
            Some(Read::InFlight) => return Turn::Wait,
            Some(Read::Answered { version: of, at, issued }) if serves(*of, *at) => {
                return Turn::Answered(issued.clone());
            }
            Some(Read::Answered { .. }) | None => {}
        }
        if cached.len() >= CACHED_MAX {
            cached.retain(|_, it| match it {
                Read::InFlight => true,
                Read::Answered { at, .. } => is_fresh(*at),
            });
        }
        cached.insert(intent.clone(), Read::InFlight);
        Turn::Read(Reading { reads: self, intent })
    }
}

impl Reading<'_> {
    fn answered(self, version: Version, at: Timestamp, issued: &IssuedIntent) {
        let answered = Read::Answered { version, at, issued: Box::new(issued.clone()) };
        self.reads.cached().insert(self.intent.clone(), answered);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut cached = self.reads.cached();
        if matches!(cached.get(self.intent), Some(Read::InFlight)) {
            cached.remove(self.intent);
        }
    }
}

impl App {
    /// Reads a PaymentIntent for a caller who has `version` of its order, or takes the answer to another caller's read.
    /// [`GatewayError::InFlight`] if the other read takes longer than all pauses.
    pub(crate) async fn read_intent(
        &self,
        intent: &IntentId,
        version: Version,
        freshness: Freshness,
    ) -> Result<IssuedIntent, GatewayError> {
        let arrived_at = self.clock.now();
        for attempt in 1..=ATTEMPTS_MAX {
            match self.reads.turn(intent, version, freshness, arrived_at, self.clock.now()) {
                Turn::Answered(issued) => return Ok(*issued),
                Turn::Wait => self.clock.pause(attempt).await,
                Turn::Read(reading) => {
                    let read_at = self.clock.now();
                    let issued = self.gateway.intent(intent).await?;
                    // An answer without a client secret does not serve callers who start a payment.
                    if issued.client_secret.is_some() {
                        reading.answered(version, read_at, &issued);
                    }
                    return Ok(issued);
                }
            }
        }
        Err(GatewayError::InFlight)
    }
}
