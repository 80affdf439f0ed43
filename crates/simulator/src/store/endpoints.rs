//! Endpoints of the store in memory, with their queues and attempts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use paywright_app::{
    Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch, AuditEntry, DisabledReason, DueQueue, Endpoint,
    EndpointId, EndpointState, Endpoints, Lease, LeasedQueue, Position, QueueNext, QueueRelease, RESENDS_MAX,
    ResendOutcome, StoreError, StoredEndpoint, SubjectId, TroubledEndpoints, Versioned, WAITING_EVENTS_MAX,
    WAITING_ORDERS_MAX, WaitingOrders,
};
use paywright_domain::Timestamp;

use super::MemoryStore;
use super::feed::{EventRow, FeedTables};
use super::tables::{Held, Tables, free_at, is_free_for};

/// Tables of the endpoints.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct EndpointTables {
    pub(crate) endpoints: BTreeMap<EndpointId, StoredEndpoint>,
    queues: BTreeMap<(EndpointId, SubjectId), QueueRow>,
    attempts: Vec<Attempt>,
}

/// Range of positions that is left to deliver of one subject to one endpoint.
#[derive(Debug, Clone, PartialEq)]
struct QueueRow {
    done: Position,
    last: Position,
    /// `None` while the endpoint is disabled, or without positions.
    next_due_at: Option<Timestamp>,
    tries: u32,
    /// Number of parts that are done of the event at the position after `done`.
    part: u32,
    /// Events to send again on request, in the order of the requests.
    resends: Vec<Position>,
    /// `None` while the endpoint is disabled, or without resends.
    resend_due_at: Option<Timestamp>,
    resend_tries: u32,
    /// Number of parts that are done of the first resend.
    resend_part: u32,
    taken: u32,
    held: Option<Held>,
}

impl QueueRow {
    const fn new(done: Position) -> Self {
        Self {
            done,
            last: done,
            next_due_at: None,
            tries: 0,
            part: 0,
            resends: Vec::new(),
            resend_due_at: None,
            resend_tries: 0,
            resend_part: 0,
            taken: 0,
            held: None,
        }
    }

    /// Whether an event of the range is left.
    fn has_next(&self) -> bool {
        self.done < self.last
    }

    fn due_at(&self) -> Option<Timestamp> {
        [self.next_due_at, self.resend_due_at].into_iter().flatten().min()
    }

    /// Makes everything that is left due at `now`, with no failed attempts.
    fn resume(&mut self, now: Timestamp) {
        (self.next_due_at, self.tries) = (self.has_next().then_some(now), 0);
        (self.resend_due_at, self.resend_tries) = ((!self.resends.is_empty()).then_some(now), 0);
    }

    /// Whether nothing is left to deliver.
    fn is_drained(&self) -> bool {
        !self.has_next() && self.resends.is_empty()
    }
}

/// Whether webhooks are sent to an endpoint.
pub(crate) fn is_enabled(endpoint: &Endpoint) -> bool {
    match endpoint.state {
        EndpointState::Enabled => true,
        EndpointState::Disabled { .. } => false,
    }
}

/// Whether an endpoint wants an event, by its type.
pub(crate) fn wants(endpoint: &Endpoint, (_, kind): EventRow) -> bool {
    endpoint.types.is_empty() || endpoint.types.contains(&kind)
}

impl EndpointTables {
    fn add(&mut self, endpoint: &Endpoint, position: Position) -> Result<(), StoreError> {
        if self.endpoints.contains_key(&endpoint.id) {
            return Err(StoreError::Conflict);
        }
        let version = paywright_app::Version::NEW.next();
        let endpoint = Versioned { version, value: endpoint.clone() };
        self.endpoints.insert(endpoint.value.id, StoredEndpoint { endpoint, position });
        Ok(())
    }

    fn change(&mut self, changed: &Versioned<Endpoint>, now: Timestamp) -> Result<(), StoreError> {
        let id = changed.value.id;
        let stored = self.endpoints.get_mut(&id).filter(|it| it.endpoint.version == changed.version);
        let Some(stored) = stored else { return Err(StoreError::Conflict) };
        stored.endpoint = Versioned { version: changed.version.next(), value: changed.value.clone() };
        let is_enabled = is_enabled(&changed.value);
        for (_, row) in self.queues.iter_mut().filter(|((endpoint, _), _)| *endpoint == id) {
            if !is_enabled {
                (row.next_due_at, row.resend_due_at) = (None, None);
            } else if row.due_at().is_none() {
                row.resume(now);
            }
        }
        Ok(())
    }

    fn troubled(&self, failing_since: Timestamp, key_ids: &[String], limit: u16) -> TroubledEndpoints {
        let is_troubled = |it: &&Endpoint| match it.state {
            EndpointState::Disabled { reason, .. } => reason != DisabledReason::Requested,
            EndpointState::Enabled => {
                it.failing.is_some_and(|it| it.since <= failing_since) || !key_ids.contains(&it.secret.key_id)
            }
        };
        let mut first: Vec<_> = self.endpoints.values().map(|it| &it.endpoint.value).filter(is_troubled).collect();
        let count = u32::try_from(first.len()).unwrap_or(u32::MAX);
        first.truncate(usize::from(limit));
        TroubledEndpoints { first: first.into_iter().cloned().collect(), count }
    }

    fn waiting(&self, feed: &FeedTables, id: EndpointId) -> WaitingOrders {
        let rows = || self.queues.iter().filter(move |((endpoint, _), _)| *endpoint == id);
        let mut subjects: BTreeSet<SubjectId> = rows().map(|((_, subject), _)| *subject).collect();
        if let Some(stored) = self.endpoints.get(&id) {
            let until = stored.position.plus(WAITING_EVENTS_MAX.into());
            let wanted = feed.between(stored.position, until).filter(|(_, it)| wants(&stored.endpoint.value, *it));
            subjects.extend(wanted.map(|(_, (event, _))| event.subject));
        }
        let count = u32::try_from(subjects.len()).unwrap_or(u32::MAX).min(WAITING_ORDERS_MAX);
        WaitingOrders { count, next_attempt_at: rows().filter_map(|(_, row)| row.due_at()).min() }
    }

    fn make_due(&mut self, id: EndpointId, after: Option<SubjectId>, now: Timestamp, limit: u16) -> Option<SubjectId> {
        let is_next = |(endpoint, subject): &(EndpointId, SubjectId)| *endpoint == id && Some(*subject) > after;
        let page = self.queues.iter_mut().filter(|(key, _)| is_next(key)).take(usize::from(limit));
        let (mut count, mut last) = (0, None);
        for ((_, subject), row) in page {
            if row.next_due_at > Some(now) || row.resend_due_at > Some(now) {
                (row.next_due_at, row.tries) = (row.next_due_at.min(Some(now)), 0);
                (row.resend_due_at, row.resend_tries) = (row.resend_due_at.min(Some(now)), 0);
            }
            count += 1;
            last = Some(*subject);
        }
        last.filter(|_| count >= limit)
    }

    fn delete(&mut self, id: EndpointId) -> bool {
        self.queues.retain(|(endpoint, _), _| *endpoint != id);
        self.attempts.retain(|it| it.endpoint != id);
        self.endpoints.remove(&id).is_some()
    }

    fn set_back(&mut self, id: EndpointId, position: Position) -> bool {
        let stored = self.endpoints.get_mut(&id);
        stored.map(|it| it.position = it.position.min(position)).is_some()
    }

    /// Whether an endpoint waits for the event of `subject` at this position.
    pub(super) fn awaits(&self, position: Position, subject: SubjectId) -> bool {
        let is_left = |it: &QueueRow| (it.done < position && position <= it.last) || it.resends.contains(&position);
        self.endpoints.values().any(|it| it.position < position)
            || self.queues.iter().any(|((_, of), row)| *of == subject && is_left(row))
    }

    fn fill(&mut self, feed: &FeedTables, now: Timestamp, events: u16) -> bool {
        let last = feed.last();
        let behind = self.endpoints.values_mut().filter(|it| is_enabled(&it.endpoint.value) && it.position < last);
        let mut is_behind = false;
        for stored in behind {
            let endpoint = &stored.endpoint.value;
            let until = stored.position.plus(u64::from(events)).min(last);
            for (position, (event, _)) in feed.between(stored.position, until).filter(|(_, it)| wants(endpoint, *it)) {
                let before = Position(position.0.saturating_sub(1));
                let row = self.queues.entry((endpoint.id, event.subject)).or_insert_with(|| QueueRow::new(before));
                if row.done >= position || (row.done == before && row.part > 0) {
                    (row.done, row.part, row.tries, row.next_due_at) = (before, 0, 0, Some(now));
                }
                row.last = row.last.max(position);
                row.next_due_at = row.next_due_at.or(Some(now));
            }
            stored.position = until;
            is_behind |= until < last;
        }
        is_behind
    }

    fn resend(
        &mut self,
        key: (EndpointId, SubjectId),
        position: Position,
        deleted: Position,
        now: Timestamp,
    ) -> Result<ResendOutcome, StoreError> {
        let stored = self.endpoints.get(&key.0).ok_or(StoreError::Conflict)?;
        if position <= deleted {
            return Ok(ResendOutcome::Deleted);
        }
        let row = self.queues.get(&key).cloned();
        let mut row = row.unwrap_or_else(|| QueueRow::new(stored.position));
        if row.resends.contains(&position) {
            return Ok(ResendOutcome::Accepted);
        }
        if position > stored.position || (row.has_next() && position > row.done) {
            return Ok(ResendOutcome::StillWaits { next_attempt_at: row.next_due_at });
        }
        if row.resends.len() >= RESENDS_MAX {
            return Ok(ResendOutcome::TooMany);
        }
        row.resends.push(position);
        row.resend_due_at = row.resend_due_at.or(is_enabled(&stored.endpoint.value).then_some(now));
        self.queues.insert(key, row);
        Ok(ResendOutcome::Accepted)
    }

    fn release(&mut self, release: &QueueRelease) {
        if let Some(attempt) = &release.attempt {
            self.add_attempt(attempt);
        }
        let key = (release.endpoint, release.subject);
        let Some(row) = self.queues.get_mut(&key) else { return };
        if row.held.is_none_or(|it| it.by != release.owner) || row.taken != release.taken {
            return;
        }
        row.held = None;
        let is_enabled = self.endpoints.get(&key.0).is_some_and(|it| is_enabled(&it.endpoint.value));
        let (passed, part, tries, at) = match release.next {
            QueueNext::Passed { position, now } => (Some(position), Some(0), 0, now),
            QueueNext::Part { position, done, now } => {
                let before = Position(position.0.saturating_sub(1));
                (Some(before).filter(|_| !release.is_resend), Some(done), 0, now)
            }
            QueueNext::Again { tries, at } => (None, None, tries, at),
        };
        if release.is_resend {
            row.resends.retain(|it| Some(*it) != passed);
            (row.resend_part, row.resend_tries) = (part.unwrap_or(row.resend_part), tries);
            row.resend_due_at = (is_enabled && !row.resends.is_empty()).then_some(at);
        } else if row.done == release.done && [0, row.part].contains(&release.part) {
            row.done = passed.unwrap_or(row.done);
            (row.part, row.tries) = (part.unwrap_or(row.part), tries);
            row.next_due_at = (is_enabled && row.has_next()).then_some(at);
        }
        if row.is_drained() {
            self.queues.remove(&key);
        }
    }

    fn add_attempt(&mut self, attempt: &Attempt) {
        if self.endpoints.contains_key(&attempt.endpoint) {
            self.attempts.push(attempt.clone());
        }
    }

    fn attempts(&self, query: &AttemptQuery) -> Vec<Attempt> {
        let is_wanted = |it: &&Attempt| {
            it.endpoint == query.endpoint
                && query.outcome.is_none_or(|outcome| it.outcome == outcome)
                && query.older_than.is_none_or(|than| (it.at, it.event) < than)
        };
        let mut found: Vec<_> = self.attempts.iter().filter(is_wanted).cloned().collect();
        found.sort_by_key(|it| Reverse((it.at, it.event)));
        found.truncate(usize::from(query.limit));
        found
    }

    fn search_attempts(&self, search: &AttemptSearch) -> AttemptPage {
        let is_found = |it: &&Attempt| {
            let error = it.error.map(|_| it.answer.to_lowercase());
            search.endpoints.contains(&it.endpoint)
                && search.kind.as_ref().is_none_or(|kind| it.kind == *kind)
                && search.is_delivered.is_none_or(|is_it| (it.outcome == AttemptOutcome::Delivered) == is_it)
                && search.status.is_none_or(|status| it.status == status)
                && search.error_contains.as_ref().is_none_or(|text| error.is_some_and(|it| it.contains(text)))
        };
        let mut found: Vec<_> = self.attempts.iter().filter(is_found).cloned().collect();
        found.sort_by_key(|it| (Reverse((it.at, it.event)), it.endpoint));
        let count = u16::try_from(found.len()).unwrap_or(u16::MAX).min(AttemptSearch::COUNTED_MAX);
        let page = found.into_iter().skip(usize::try_from(search.offset).unwrap_or(usize::MAX));
        AttemptPage { attempts: page.take(usize::from(search.limit)).collect(), count }
    }

    fn delete_attempts(&mut self, before: Timestamp, limit: u16) -> u16 {
        let mut deleted = 0;
        self.attempts.retain(|it| {
            let goes = it.at < before && deleted < limit;
            deleted += u16::from(goes);
            !goes
        });
        deleted
    }

    /// Whether the queue of a subject has passed a position.
    pub(crate) fn has_passed(&self, endpoint: EndpointId, subject: SubjectId, position: Position) -> bool {
        self.queues.get(&(endpoint, subject)).is_none_or(|it| it.done >= position)
    }

    /// Time at which the next queue is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.queues.values().filter_map(|it| Some(free_at(it.due_at()?, it.held))).min()
    }

    /// An enabled endpoint's queue that has something left, with its due time.
    pub(crate) fn first_queue(&self) -> Option<(EndpointId, SubjectId)> {
        self.queues.iter().find(|(_, row)| row.due_at().is_some()).map(|(key, _)| *key)
    }
}

impl Tables {
    /// An enabled endpoint that is behind the feed.
    pub(crate) fn endpoint_behind(&self) -> Option<EndpointId> {
        let is_behind = |it: &&StoredEndpoint| is_enabled(&it.endpoint.value) && it.position < self.feed.last();
        self.endpoints.endpoints.values().find(is_behind).map(|it| it.endpoint.value.id)
    }

    /// Due queues in the order of their due times.
    fn due_queues(&self, lease: &Lease) -> Vec<DueQueue> {
        let is_due = |row: &QueueRow| row.due_at().is_some_and(|it| it <= lease.now) && is_free_for(row.held, lease);
        let queues = self.endpoints.queues.iter().filter(|(_, row)| is_due(row));
        let due = queues.filter_map(|((endpoint, subject), row)| {
            Some(DueQueue { due_at: row.due_at()?, endpoint: *endpoint, subject: *subject })
        });
        let mut due: Vec<_> = due.collect();
        due.sort();
        due
    }

    fn lease_queues(&mut self, lease: &Lease, queues: &[DueQueue]) -> Vec<LeasedQueue> {
        let is_wanted = |it: &DueQueue| queues.iter().any(|of| (of.endpoint, of.subject) == (it.endpoint, it.subject));
        let due: Vec<_> = self.due_queues(lease).into_iter().filter(is_wanted).collect();
        due.into_iter().filter_map(|it| self.lease_queue((it.endpoint, it.subject), lease)).collect()
    }

    fn lease_queue(&mut self, key: (EndpointId, SubjectId), lease: &Lease) -> Option<LeasedQueue> {
        let (endpoint, subject) = key;
        let wanted = &self.endpoints.endpoints.get(&endpoint)?.endpoint.value;
        let row = self.endpoints.queues.get_mut(&key)?;
        row.taken += 1;
        row.held = Some(Held { by: lease.owner, until: lease.until });
        let row = row.clone();
        let resent = row.resends.first().filter(|_| row.resend_due_at <= Some(lease.now)).copied();
        let of_subject = |it: &EventRow| it.0.subject == subject && wants(wanted, *it);
        let next =
            || self.feed.between(row.done, row.last).find(|(_, it)| of_subject(it)).map(|(position, _)| position);
        let position = resent.or_else(next);
        let QueueRow { taken, done, last, .. } = row;
        let (tries, part) = match position {
            _ if resent.is_some() => (row.resend_tries, row.resend_part),
            Some(position) if position == done.plus(1) => (row.tries, row.part),
            Some(_) | None => (row.tries, 0),
        };
        Some(LeasedQueue {
            endpoint,
            subject,
            taken,
            tries,
            part,
            done,
            position: position.unwrap_or(last),
            next: position.and_then(|it| self.feed_event(it)),
            is_resend: resent.is_some(),
        })
    }
}

#[async_trait]
impl Endpoints for MemoryStore {
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (endpoint, entry) = (endpoint.clone(), entry.cloned());
        self.write(move |it| it.recorded(entry.as_slice(), |it| it.endpoints.add(&endpoint, position)))
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        Ok(self.read(|it| it.endpoints.endpoints.get(&id).cloned()))
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: u16) -> Result<Vec<StoredEndpoint>, StoreError> {
        let is_after = |it: &EndpointId| after.is_none_or(|after| *it > after);
        Ok(self.read(|tables| {
            let later = tables.endpoints.endpoints.iter().filter(|(id, _)| is_after(id));
            later.take(usize::from(limit)).map(|(_, it)| it.clone()).collect()
        }))
    }

    async fn change_endpoint(
        &self,
        endpoint: &Versioned<Endpoint>,
        now: Timestamp,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        let (endpoint, entry) = (endpoint.clone(), entry.cloned());
        self.write(move |it| it.recorded(entry.as_slice(), |it| it.endpoints.change(&endpoint, now)))
    }

    async fn troubled_endpoints(
        &self,
        failing_since: Timestamp,
        key_ids: &[String],
        limit: u16,
    ) -> Result<TroubledEndpoints, StoreError> {
        Ok(self.read(|it| it.endpoints.troubled(failing_since, key_ids, limit)))
    }

    async fn waiting_orders(&self, id: EndpointId) -> Result<WaitingOrders, StoreError> {
        Ok(self.read(|it| it.endpoints.waiting(&it.feed, id)))
    }

    async fn make_queues_due(
        &self,
        id: EndpointId,
        after: Option<SubjectId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Option<SubjectId>, StoreError> {
        Ok(self.write(move |it| it.endpoints.make_due(id, after, now, limit)))
    }

    async fn delete_endpoint(&self, id: EndpointId, entry: Option<&AuditEntry>) -> Result<bool, StoreError> {
        let entry = entry.cloned();
        Ok(self.write(move |it| {
            let is_deleted = it.endpoints.delete(id);
            it.audit.extend(entry.clone().filter(|_| is_deleted));
            is_deleted
        }))
    }

    async fn set_endpoint_back(
        &self,
        id: EndpointId,
        position: Position,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        let entry = entry.cloned();
        Ok(self.write(move |it| {
            let is_set = it.endpoints.set_back(id, position);
            it.audit.extend(entry.clone().filter(|_| is_set));
            is_set
        }))
    }

    async fn fill_queues(&self, now: Timestamp, events: u16) -> Result<bool, StoreError> {
        Ok(self.write(move |it| it.endpoints.fill(&it.feed, now, events)))
    }

    async fn due_queues(
        &self,
        lease: &Lease,
        after: Option<DueQueue>,
        of: Option<EndpointId>,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let mut due = self.read(|it| it.due_queues(lease));
        due.retain(|it| match of {
            Some(endpoint) => it.endpoint == endpoint,
            None => Some(*it) > after,
        });
        due.truncate(usize::from(lease.limit));
        Ok(due)
    }

    async fn lease_queues(&self, lease: &Lease, queues: &[DueQueue]) -> Result<Vec<LeasedQueue>, StoreError> {
        let (lease, queues) = (*lease, queues.to_vec());
        Ok(self.write(move |it| it.lease_queues(&lease, &queues)))
    }

    async fn release_queues(&self, releases: &[QueueRelease]) -> Result<(), StoreError> {
        let releases = releases.to_vec();
        self.write(move |it| releases.iter().for_each(|release| it.endpoints.release(release)));
        Ok(())
    }

    async fn resend(
        &self,
        endpoint: EndpointId,
        subject: SubjectId,
        position: Position,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<ResendOutcome, StoreError> {
        let entry = entry.clone();
        self.write(move |it| {
            let outcome = it.endpoints.resend((endpoint, subject), position, it.feed.range.deleted, now)?;
            it.audit.extend((outcome == ResendOutcome::Accepted).then(|| entry.clone()));
            Ok(outcome)
        })
    }

    async fn add_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        self.write(move |it| it.endpoints.add_attempt(&attempt));
        Ok(())
    }

    async fn attempts(&self, query: &AttemptQuery) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.read(|it| it.endpoints.attempts(query)))
    }

    async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, StoreError> {
        Ok(self.read(|it| it.endpoints.search_attempts(search)))
    }

    async fn delete_attempts(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        Ok(self.write(move |it| it.endpoints.delete_attempts(before, limit)))
    }
}
