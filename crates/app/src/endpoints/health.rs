//! Decision on an endpoint's run of failures: when are operators told, and when is the endpoint disabled?

use paywright_domain::Timestamp;

use super::{DisabledReason, Endpoint, EndpointFormat, EndpointState, Failing};
use crate::{Publisher, StoreError};

/// Ages of a run of failures at which operators are told of it, in seconds: 1 hour, 1 day, 3 days.
const TOLD_AFTER_SECONDS: [u32; 3] = [WARNED_AFTER_SECONDS, 86_400, 3 * 86_400];

/// Age of a run of failures from which the operator is warned as long as it goes on, in seconds: 1 hour.
const WARNED_AFTER_SECONDS: u32 = 3600;

/// Largest number of endpoints that warnings name.
const WARNINGS_MAX: u16 = 10;

/// Age of a run of failures at which an endpoint is disabled, in seconds: 5 days. A number of failures would disable a
/// busy endpoint within minutes.
pub const DISABLED_AFTER_SECONDS: u32 = 5 * 86_400;

/// Report to operators about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// Nothing but failures since that time.
    Failing(Timestamp),
    /// The endpoint was disabled.
    Disabled(DisabledReason),
    /// A webhook was accepted after operators had been told of failures.
    Recovered,
}

impl Endpoint {
    /// The endpoint after an accepted webhook, if that changes it.
    pub(crate) fn after_success(&self) -> Option<(Self, Option<Report>)> {
        let failing = self.failing?;
        let report = (failing.told > 0).then_some(Report::Recovered);
        Some((Self { failing: None, ..self.clone() }, report))
    }

    /// The endpoint after a failed attempt at `now`, if that changes it.
    pub(crate) fn after_failure(&self, now: Timestamp) -> Option<(Self, Option<Report>)> {
        let EndpointState::Enabled = self.state else { return None };
        let Some(Failing { since, told }) = self.failing else {
            let failing = Some(Failing { since: now, told: 0 });
            return Some((Self { failing, ..self.clone() }, None));
        };
        let due = TOLD_AFTER_SECONDS.iter().filter(|it| since.plus_seconds(**it) <= now).count();
        let due = u8::try_from(due).unwrap_or(told);
        if due > told {
            // Operators are told before the endpoint is disabled, however long it had nothing to receive.
            let failing = Some(Failing { since, told: due });
            return Some((Self { failing, ..self.clone() }, Some(Report::Failing(since))));
        }
        (since.plus_seconds(DISABLED_AFTER_SECONDS) <= now).then(|| self.disabled(DisabledReason::Failing, now))
    }

    /// The endpoint after an answer of 410 Gone at `now`, if that changes it.
    pub(crate) fn after_gone(&self, now: Timestamp) -> Option<(Self, Option<Report>)> {
        (self.state == EndpointState::Enabled).then(|| self.disabled(DisabledReason::Gone, now))
    }

    fn disabled(&self, reason: DisabledReason, at: Timestamp) -> (Self, Option<Report>) {
        let state = EndpointState::Disabled { reason, at };
        (Self { state, ..self.clone() }, Some(Report::Disabled(reason)))
    }
}

impl Publisher {
    /// Warnings about endpoints for the operator, in whole sentences, as the stored endpoints give reason for them now:
    /// every process gives the same ones, and none that is out of date.
    pub async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        let Some(key_id) = self.sender.key_id() else {
            let is_any = !self.endpoints.endpoints(None, 1).await?.is_empty();
            return Ok(is_any.then(|| NO_KEY.to_owned()).into_iter().collect());
        };
        let failing_since = self.clock.now().minus_seconds(WARNED_AFTER_SECONDS);
        let key_ids = EndpointFormat::ALL.map(|it| it.key_id(key_id));
        let troubled = self.endpoints.troubled_endpoints(failing_since, &key_ids, WARNINGS_MAX).await?;
        let named = troubled.first.iter().map(|it| it.warning(key_id));
        let more = troubled.count.saturating_sub(u32::try_from(troubled.first.len()).unwrap_or(u32::MAX));
        let rest =
            (more > 0).then(|| format!("{more} more webhook endpoints get no events, for reasons such as these."));
        Ok(named.chain(rest).collect())
    }
}

/// Warning while webhooks cannot be signed.
pub(super) const NO_KEY: &str = "Webhook endpoints get no events: `webhooks.secret_key` is not set. Their events wait.";

impl Endpoint {
    /// Sentence about why the endpoint gets no events, if the service's key is `key_id`.
    pub(super) fn warning(&self, key_id: &str) -> String {
        let (id, host) = (self.id, self.url.host());
        match (self.state, self.failing) {
            (EndpointState::Disabled { reason, at }, _) => format!(
                "Webhook endpoint {id} at {host} was disabled at {at} ({}): its events wait until it is enabled.",
                reason.name()
            ),
            (EndpointState::Enabled, _) if !self.is_signed_by(key_id) => format!(
                "Webhook endpoint {id} gets no events: its secret follows from another `webhooks.secret_key`. Set that \
                 key again, or rotate the endpoint's secret."
            ),
            (EndpointState::Enabled, Some(failing)) => {
                format!("Webhook endpoint {id} at {host} accepts nothing since {}: its events wait.", failing.since)
            }
            (EndpointState::Enabled, None) => format!("Webhook endpoint {id} at {host} accepts events again."),
        }
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::{EndpointId, EndpointUrl, SecretGeneration};

    fn endpoint() -> Endpoint {
        Endpoint {
            id: EndpointId(Uuid::from_u128(1)),
            url: EndpointUrl::parse("https://shop.example/webhooks").unwrap(),
            description: String::new(),
            format: EndpointFormat::Standard,
            types: Vec::new(),
            subscriptions: Vec::new(),
            secret: SecretGeneration { current: 1, previous_until: None, key_id: String::new() },
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            state: EndpointState::Enabled,
            failing: None,
        }
    }

    fn at(seconds: u32) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(seconds)
    }

    #[test]
    fn operators_are_told_after_an_hour_a_day_and_three_days_and_the_endpoint_is_disabled_after_five() {
        let mut endpoint = endpoint();
        let mut reports = Vec::new();
        for minute in 0..=5 * 24 * 60 {
            if let Some((next, report)) = endpoint.after_failure(at(minute * 60)) {
                endpoint = next;
                reports.extend(report.map(|it| (minute, it)));
            }
        }
        let failing = Report::Failing(at(0));
        let disabled = Report::Disabled(DisabledReason::Failing);
        assert_eq!(reports, [(60, failing), (1440, failing), (4320, failing), (7200, disabled)]);
        assert_eq!(endpoint.after_failure(at(9_000_000)), None, "a disabled endpoint stays so");
    }

    #[test]
    fn a_success_ends_the_run_of_failures() {
        assert_eq!(endpoint().after_success(), None);
        let (failing, _) = endpoint().after_failure(at(0)).unwrap();
        assert_eq!(failing.after_success(), Some((endpoint(), None)));
        let (told, _) = failing.after_failure(at(3600)).unwrap();
        assert_eq!(told.after_success(), Some((endpoint(), Some(Report::Recovered))));
    }

    #[test]
    fn a_rare_failure_days_later_tells_once() {
        let (failing, _) = endpoint().after_failure(at(0)).unwrap();
        let (told, report) = failing.after_failure(at(2 * 86_400)).unwrap();
        assert_eq!((told.failing.unwrap().told, report), (2, Some(Report::Failing(at(0)))));
        assert_eq!(told.after_failure(at(2 * 86_400 + 1)), None);
    }

    #[test]
    fn operators_are_told_before_an_endpoint_is_disabled() {
        let (failing, _) = endpoint().after_failure(at(0)).unwrap();
        let (told, report) = failing.after_failure(at(9 * 86_400)).unwrap();
        assert_eq!((told.state, report), (EndpointState::Enabled, Some(Report::Failing(at(0)))));
        let (disabled, _) = told.after_failure(at(9 * 86_400 + 5)).unwrap();
        assert_ne!(disabled.state, EndpointState::Enabled);
    }

    #[test]
    fn gone_disables_at_once() {
        let (gone, report) = endpoint().after_gone(at(7)).unwrap();
        assert_eq!(gone.state, EndpointState::Disabled { reason: DisabledReason::Gone, at: at(7) });
        assert_eq!(report, Some(Report::Disabled(DisabledReason::Gone)));
        assert_eq!(gone.after_gone(at(8)), None);
    }
}
