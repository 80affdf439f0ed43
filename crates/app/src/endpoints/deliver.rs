//! Deliverer: sends the next event of each due queue to its endpoint.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use paywright_domain::Timestamp;
use uuid::Uuid;

use super::health::{NO_KEY, Report};
use super::render::Rendered;
use super::retry::{GONE, Meaning};
use super::share::{Pace, Reservation};
use super::{Attempt, AttemptOutcome, Endpoint, EndpointId, EndpointState};
use crate::{
    EndpointAnswer, Lease, LeasedQueue, OutgoingWebhook, Publisher, QueueNext, QueueRelease, SendResult, StoreError,
    TraceParent, metrics, traces,
};

/// Largest number of queues that are leased in one step.
pub const QUEUES_AT_ONCE: u16 = 16;

/// Largest number of webhooks that a process sends at the same time.
pub const WEBHOOKS_AT_ONCE: u16 = 64;

/// Wait of a queue whose webhook cannot be signed, in seconds: the service has another key than the endpoint's secret
/// follows from.
const UNSIGNED_SECONDS: u32 = 300;

/// Interval in which a process without a key reads whether there is an endpoint, in seconds.
const WITHOUT_KEY_SECONDS: u32 = 60;

/// Longest time that an attempt takes, in seconds.
const ATTEMPT_SECONDS_MAX: u32 = 30;

/// Length of the lease of a queue, in seconds.
const LEASE_SECONDS: u32 = 2 * ATTEMPT_SECONDS_MAX;

/// Leased queues of one endpoint.
#[derive(Debug)]
pub struct DeliveryBatch {
    endpoint: Endpoint,
    queues: Vec<LeasedQueue>,
    /// End of the leases.
    until: Timestamp,
    reservation: Reservation,
}

impl DeliveryBatch {
    /// Endpoint of the batch.
    pub fn endpoint(&self) -> EndpointId {
        self.endpoint.id
    }

    /// Number of webhooks that the batch sends at the same time.
    pub fn webhooks(&self) -> usize {
        self.queues.len()
    }
}

/// Result of one queue.
struct Sent {
    release: QueueRelease,
    /// Meaning of the endpoint's answer; `None` if nothing was sent.
    meaning: Option<Meaning>,
}

impl Publisher {
    /// Performs one step of the deliverer: leases due queues, sends the next event of each, and releases them. Returns
    /// the number of queues; 0 means that nothing is due.
    pub async fn run_deliveries(&self) -> Result<usize, StoreError> {
        let (leased, batches) = self.lease_deliveries(QUEUES_AT_ONCE).await?;
        let done = join_all(batches.into_iter().map(|it| self.deliver(it, |_| ()))).await;
        done.into_iter().collect::<Result<(), StoreError>>()?;
        Ok(leased)
    }

    /// Leases at most `limit` due queues, of each endpoint as many as it may be sent at the same time. Returns batches of
    /// one endpoint each, to be given to [`Self::deliver`], and the number of queues that were due: another process may
    /// have leased some of them first.
    pub async fn lease_deliveries(&self, limit: u16) -> Result<(usize, Vec<DeliveryBatch>), StoreError> {
        if self.sender.key_id().is_none() {
            self.warn_without_key().await?;
            return Ok((0, Vec::new()));
        }
        let now = self.clock.now();
        let until = now.plus_seconds(LEASE_SECONDS);
        let lease = Lease { owner: self.owner, now, until, limit };
        let chosen = self.choose_queues(&lease).await?;
        if chosen.is_empty() {
            return Ok((0, Vec::new()));
        }
        let count = chosen.len();
        let leased = self.endpoints.lease_queues(&lease, &chosen).await.inspect_err(|_| self.walk_again())?;
        let mut by_endpoint: BTreeMap<EndpointId, Vec<LeasedQueue>> = BTreeMap::new();
        for queue in leased {
            by_endpoint.entry(queue.endpoint).or_default().push(queue);
        }
        let mut batches = Vec::new();
        let mut put_off = Vec::new();
        let endpoints = join_all(by_endpoint.keys().map(|it| self.endpoints.endpoint(*it))).await;
        for (queues, endpoint) in by_endpoint.into_values().zip(endpoints) {
            let endpoint = match endpoint {
                Ok(Some(stored)) => stored.endpoint.value,
                // An endpoint that was deleted meanwhile has no queues left.
                Ok(None) => continue,
                Err(error) => {
                    // The queues are free again when their leases end; the other endpoints do not wait for that.
                    tracing::warn!(%error, "a webhook endpoint cannot be read now");
                    continue;
                }
            };
            if let Some(seconds) = self.wait_before_sending(&endpoint) {
                let again = |tries| QueueNext::Again { tries, at: now.plus_seconds(seconds) };
                put_off.extend(queues.iter().map(|it| self.release_of(it, again(it.tries), None)));
                continue;
            }
            let reservation = self.in_delivery.begin(endpoint.id, queues.len(), now);
            batches.push(DeliveryBatch { endpoint, queues, until, reservation });
        }
        if !put_off.is_empty()
            && let Err(error) = self.endpoints.release_queues(&put_off).await
        {
            tracing::warn!(%error, "queues cannot be put off now; they are free again when their leases end");
        }
        Ok((count, batches))
    }

    /// Logs if there are endpoints, to which nothing can be sent without a key. Reads them at most once in
    /// [`WITHOUT_KEY_SECONDS`].
    async fn warn_without_key(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let is_soon = |last: Timestamp| now < last.plus_seconds(WITHOUT_KEY_SECONDS);
        {
            let mut last = self.looked_without_key.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(is_soon) {
                return Ok(());
            }
            *last = Some(now);
        }
        if !self.endpoints.endpoints(None, 1).await?.is_empty() {
            self.logged.warn(NO_KEY.to_owned());
        }
        Ok(())
    }

    /// Wait of an endpoint's queues, in seconds, if nothing can be sent to it now.
    fn wait_before_sending(&self, endpoint: &Endpoint) -> Option<u32> {
        let key_id = self.sender.key_id().unwrap_or_default();
        let is_signed = endpoint.is_signed_by(key_id);
        let is_enabled = endpoint.state == EndpointState::Enabled;
        if is_enabled && !is_signed {
            self.logged.warn(endpoint.warning(key_id));
        }
        (!is_signed || !is_enabled).then_some(UNSIGNED_SECONDS)
    }

    /// Sends the next event of each queue of `batch`, and releases each queue soon after its answer. Calls `answered`
    /// with the number of webhooks that have been answered since the last call.
    pub async fn deliver(&self, batch: DeliveryBatch, mut answered: impl FnMut(usize)) -> Result<(), StoreError> {
        let DeliveryBatch { endpoint, queues, until, mut reservation } = batch;
        let (endpoint, queues) = (&endpoint, &queues);
        let sending: FuturesUnordered<_> = queues.iter().map(|it| self.send_next(endpoint, it, until)).collect();
        // The answers that are there at the same time are stored together.
        let mut chunks = sending.ready_chunks(usize::from(QUEUES_AT_ONCE));
        while let Some(sent) = chunks.next().await {
            let count = sent.len();
            let meanings: Vec<Meaning> = sent.iter().filter_map(|it| it.meaning).collect();
            for attempt in sent.iter().filter_map(|it| it.release.attempt.as_ref()) {
                let is_accepted = attempt.outcome == AttemptOutcome::Delivered;
                self.in_delivery.note(endpoint.id, Pace::of(attempt.duration_ms, is_accepted));
            }
            let releases: Vec<QueueRelease> = sent.into_iter().map(|it| it.release).collect();
            // First, so that the queues of an endpoint that is gone are not due again at once.
            if let Err(error) = self.record_health(endpoint, &meanings).await {
                tracing::warn!(endpoint = %endpoint.id, %error, "the state of a webhook endpoint cannot be stored now");
            }
            let stored = self.endpoints.release_queues(&releases).await;
            // The rest of such a queue may be due since before the place of the walk.
            if releases.iter().any(|it| it.is_resend) {
                self.walk_again();
            }
            reservation.release(count);
            answered(count);
            stored?;
        }
        Ok(())
    }

    /// Sends the next part of the next event of a queue, unless its lease could end during the attempt: another process may send it then.
    async fn send_next(&self, endpoint: &Endpoint, queue: &LeasedQueue, until: Timestamp) -> Sent {
        let now = self.clock.now();
        let passed = QueueNext::Passed { position: queue.position, now };
        let Some(event) = &queue.next else {
            return Sent { release: self.release_of(queue, passed, None), meaning: None };
        };
        if until <= now.plus_seconds(ATTEMPT_SECONDS_MAX) {
            let again = QueueNext::Again { tries: queue.tries, at: now };
            return Sent { release: self.release_of(queue, again, None), meaning: None };
        }
        let Some(Rendered { id, kind, body, then_done }) = self.rendered(endpoint, event, queue.part) else {
            return Sent { release: self.release_of(queue, passed, None), meaning: None };
        };
        let passed = then_done.map_or(passed, |done| QueueNext::Part { position: queue.position, done, now });
        let number = queue.tries.saturating_add(1);
        let span = traces::delivery(&*self.traces, endpoint, event, number);
        let webhook = endpoint.webhook(id, now, body, self.traces.context_of(&span));
        let result = self.sender.send(&webhook).await;
        let meaning = Meaning::of(&result, queue.tries, |most| self.ids.spread(most));
        let ended_at = self.clock.now();
        let (next, outcome) = match meaning {
            Meaning::Delivered => (passed, AttemptOutcome::Delivered),
            // The event waits until the endpoint is enabled again.
            Meaning::Gone => (QueueNext::Again { tries: queue.tries, at: ended_at }, AttemptOutcome::Retried),
            Meaning::Again { wait_seconds } => {
                let at = ended_at.plus_seconds(wait_seconds);
                (QueueNext::Again { tries: queue.tries.saturating_add(1), at }, AttemptOutcome::Retried)
            }
            Meaning::GivenUp => (passed, AttemptOutcome::Failed),
        };
        let source = Some((event.position, event.reference().subject));
        let attempt = Attempt::of(&result, outcome, (endpoint.id, now, id), kind, source, number);
        traces::delivered(&span, &attempt);
        drop(span);
        log_attempt(endpoint, &attempt);
        metrics::attempt(attempt.outcome);
        Sent { release: self.release_of(queue, next, Some(attempt)), meaning: Some(meaning) }
    }

    fn release_of(&self, queue: &LeasedQueue, next: QueueNext, attempt: Option<Attempt>) -> QueueRelease {
        QueueRelease {
            owner: self.owner,
            endpoint: queue.endpoint,
            subject: queue.subject,
            taken: queue.taken,
            done: queue.done,
            part: queue.part,
            is_resend: queue.is_resend,
            next,
            attempt,
        }
    }

    /// Records what answers say about the endpoint: the beginning or the end of a run of failures, or its end.
    async fn record_health(&self, endpoint: &Endpoint, meanings: &[Meaning]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let change = |endpoint: &Endpoint| {
            let is_any = |it: fn(&Meaning) -> bool| meanings.iter().any(it);
            if is_any(|it| *it == Meaning::Gone) {
                endpoint.after_gone(now)
            } else if is_any(|it| *it == Meaning::Delivered) {
                endpoint.after_success()
            } else if meanings.is_empty() {
                None
            } else {
                endpoint.after_failure(now)
            }
        };
        if change(endpoint).is_none() {
            return Ok(());
        }
        if let Some(report) = self.change_stored(endpoint.id, change, |_, _| None).await? {
            log_report(endpoint, report);
        }
        Ok(())
    }
}

/// Logs a report about an endpoint. [`Publisher::warnings`] warns of it as long as it is so.
fn log_report(endpoint: &Endpoint, report: Option<Report>) {
    let (id, host) = (endpoint.id, endpoint.url.host());
    match report {
        None => {}
        Some(Report::Failing(since)) => {
            tracing::error!(endpoint = %id, host, %since, "a webhook endpoint accepts nothing");
        }
        Some(Report::Disabled(reason)) => {
            metrics::endpoint_disabled();
            let reason = reason.name();
            tracing::error!(
                endpoint = %id, host, reason,
                "a webhook endpoint was disabled; its events wait until it is enabled"
            );
        }
        Some(Report::Recovered) => tracing::info!(endpoint = %id, host, "a webhook endpoint accepts events again"),
    }
}

fn log_attempt(endpoint: &Endpoint, attempt: &Attempt) {
    let (id, host, webhook) = (endpoint.id, endpoint.url.host(), attempt.event);
    let (event_type, number) = (attempt.kind.as_str(), attempt.number);
    let position = attempt.position().map(|it| it.0).unwrap_or_default();
    let order = attempt.order().map(|it| it.to_string()).unwrap_or_default();
    let answer = match (attempt.status, attempt.error) {
        (Some(status), _) => format!("status {status}"),
        (None, error) => {
            format!("{}: {}", error.map(crate::SendErrorClass::name).unwrap_or_default(), attempt.answer)
        }
    };
    match attempt.outcome {
        AttemptOutcome::Delivered => {
            tracing::debug!(endpoint = %id, %webhook, event_type, position, order, attempt = number, "an event was delivered");
        }
        AttemptOutcome::Retried => {
            tracing::warn!(
                endpoint = %id, host, %webhook, event_type, position, order, attempt = number, answer,
                "an event was not delivered, and {}", fate(attempt)
            );
        }
        AttemptOutcome::Failed => {
            tracing::error!(
                endpoint = %id, host, %webhook, event_type, position, order, attempt = number, answer,
                "an event was given up after its last attempt; it can be sent again"
            );
        }
    }
}

/// End of a sentence about an event that was not delivered, and not given up.
fn fate(attempt: &Attempt) -> &'static str {
    match attempt.status {
        Some(GONE) => "waits until its endpoint, which wants no more webhooks and is disabled, is enabled",
        Some(_) | None => "will be sent again",
    }
}

impl Endpoint {
    /// Webhook of the event `id` to this endpoint, as it is sent at `at`.
    pub(super) fn webhook(&self, id: Uuid, at: Timestamp, body: String, trace: Option<TraceParent>) -> OutgoingWebhook {
        let generations = self.secret.signing(at);
        OutgoingWebhook {
            endpoint: self.id,
            url: self.url.clone(),
            format: self.format,
            generations,
            id,
            at,
            body,
            trace,
        }
    }
}

impl Attempt {
    /// Attempt with this result.
    pub(super) fn of(
        result: &SendResult,
        outcome: AttemptOutcome,
        (endpoint, at, event): (EndpointId, Timestamp, Uuid),
        kind: impl Into<String>,
        source: Option<(crate::Position, crate::SubjectId)>,
        number: u32,
    ) -> Self {
        let (status, error, answer) = match &result.answer {
            Ok(EndpointAnswer { status, body, .. }) => (Some(*status), None, body.clone()),
            Err(error) => (None, Some(error.class), error.message.clone()),
        };
        let kind = kind.into();
        let duration_ms = result.duration_ms;
        Self { endpoint, at, event, kind, source, number, duration_ms, status, error, answer, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_what_an_event_that_was_not_delivered_waits_for() {
        let attempt = |status| {
            let answer = Ok(EndpointAnswer { status, retry_after_seconds: None, body: String::new() });
            let result = SendResult { duration_ms: 1, answer };
            let which = (EndpointId(Uuid::nil()), Timestamp::EPOCH, Uuid::nil());
            Attempt::of(&result, AttemptOutcome::Retried, which, "order.paid", None, 1)
        };
        assert_eq!(fate(&attempt(500)), "will be sent again");
        assert!(fate(&attempt(410)).contains("is disabled"));
    }
}
