//! Drift: differences of our endpoint at Stripe from what it should be, which nobody has made by a command.

use std::collections::BTreeSet;

use paywright_domain::variant_names;

use super::EndpointSpec;
use super::found::{Found, State, has_events, has_version};

/// Time after the end of an overlap from which a replaced endpoint is too old, in seconds.
const OVERDUE_SECONDS: u32 = 86_400;

/// Time for which an endpoint may be without a mark, in seconds: a command that is running has just created it.
const UNMARKED_SECONDS: u32 = 600;

/// Difference of our endpoint at Stripe from what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointDrift {
    /// Endpoint that was there, and is gone.
    Missing,
    /// Disabled endpoint.
    Disabled,
    /// Other types of events than exactly those that it should send.
    Events,
    /// Other API version of its events.
    ApiVersion,
    /// Secret that is not among those that are accepted here: all webhooks signed with it are refused.
    Secret,
    /// More than one endpoint outside a rotation.
    Several,
    /// Replaced endpoint that is still there a day after its overlap.
    Overdue,
}

variant_names! {
    /// Name of the difference, as a label of metrics.
    EndpointDrift {
        Missing => "missing",
        Disabled => "disabled",
        Events => "events",
        ApiVersion => "api_version",
        Secret => "secret",
        Several => "several",
        Overdue => "overdue",
    }
}

impl EndpointDrift {
    /// Sentence for the operator.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Missing => {
                "The webhook endpoint of this installation is gone at Stripe: run `paywright webhooks ensure`."
            }
            Self::Disabled => {
                "The webhook endpoint of this installation is disabled at Stripe: run `paywright webhooks ensure`."
            }
            Self::Events => {
                "The webhook endpoint at Stripe does not send exactly the documented events: run `paywright webhooks ensure`."
            }
            Self::ApiVersion => {
                "The webhook endpoint at Stripe has another API version: run `paywright webhooks ensure`, which replaces it."
            }
            Self::Secret => {
                "The secret of the webhook endpoint at Stripe is not among those that this process accepts: copy the file of \
                 the secrets from where it was written, or run `paywright webhooks ensure`."
            }
            Self::Several => {
                "More than one webhook endpoint at Stripe is of this installation: run `paywright webhooks ensure`."
            }
            Self::Overdue => {
                "A webhook endpoint at Stripe that was replaced is still there: run `paywright webhooks rotate`, which deletes it."
            }
        }
    }
}

/// Finds the drift of the newest current endpoint, and of the others. `was_there` says whether there was one before.
pub(super) fn of(found: &Found, spec: &EndpointSpec, was_there: bool) -> BTreeSet<EndpointDrift> {
    let current = found.in_state(State::Current);
    let unmarked = found.now.minus_seconds(UNMARKED_SECONDS);
    let left = found.in_state(State::Stray).iter().filter(|it| it.created_at < unmarked).count();
    let overdue = found.now.minus_seconds(OVERDUE_SECONDS);
    let is_overdue = found.in_state(State::Retiring).iter().any(|it| it.marks.retire_after < Some(overdue));
    let best = found.usable(spec).or_else(|| current.first().copied());
    let is_missing = best.is_none() && (was_there || !found.in_state(State::Retiring).is_empty() || left > 0);
    let checks = [
        (EndpointDrift::Missing, is_missing),
        (EndpointDrift::Disabled, best.is_some_and(|it| !it.is_enabled)),
        (EndpointDrift::Events, best.is_some_and(|it| !has_events(it, spec))),
        (EndpointDrift::ApiVersion, best.is_some_and(|it| !has_version(it, spec))),
        (EndpointDrift::Secret, best.is_some_and(|it| !found.knows(it))),
        (EndpointDrift::Several, current.len() > 1 || left > 0),
        (EndpointDrift::Overdue, is_overdue),
    ];
    checks.into_iter().filter(|(_, is_so)| *is_so).map(|(it, _)| it).collect()
}
