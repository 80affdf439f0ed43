//! Stories of the feed and the endpoints: orders are paid, and at the same time endpoints are disabled, enabled and get
//! events again.

use crate::acts::{Act, EndpointAct};
use crate::external_actions::ExternalAction;
use crate::plan::{PAID, PAY, PAYING, PLACED, SHOWN, Workload, manual, story};

const DISABLE: Act = Act::Endpoint(EndpointAct::Disable);
const ENABLE: Act = Act::Endpoint(EndpointAct::Enable);
/// The secret before goes on signing for an hour.
const ROTATE: Act = Act::Endpoint(EndpointAct::Rotate(3600));
const REPLACE_SECRET: Act = Act::Endpoint(EndpointAct::Rotate(0));
const REPLAY: Act = Act::Endpoint(EndpointAct::Replay);
const READ: Act = Act::ReadFeed;

/// Stories in which what the feed does is explored.
pub(crate) const FEED_STORIES: &[Workload] = &[
    story("placed, paid and refunded", &[], &[&[Act::Place, Act::CreateIntent, PAY, Act::Refund(None)], &[READ, READ]]),
    story("two orders", PLACED, &[&[Act::CreateIntent, PAY], &[Act::PlaceWithoutKey, READ]]),
    story("an order that changes often", PLACED, &[&[Act::Edit(700), Act::Annotate, Act::Edit(900)], &[Act::Annotate]]),
    story(
        "an endpoint is disabled and enabled",
        PLACED,
        &[&[Act::Edit(700), Act::Annotate, Act::Annotate], &[DISABLE, ENABLE]],
    ),
    story("an endpoint is disabled", SHOWN, &[&[PAY, Act::Check], &[DISABLE]]),
    story(
        "an endpoint is enabled later",
        SHOWN,
        &[&[DISABLE, PAY, Act::Check, Act::Wait(4000), ENABLE], &[Act::Annotate]],
    ),
    story("a secret is rotated", PLACED, &[&[Act::Annotate, Act::Annotate, Act::Annotate], &[ROTATE, Act::Annotate]]),
    story(
        "secrets are rotated",
        PLACED,
        &[&[Act::Annotate, Act::Annotate], &[ROTATE, Act::Wait(4000), REPLACE_SECRET, ROTATE]],
    ),
    story("events are replayed", PAID, &[&[Act::Refund(Some(300)), Act::Annotate], &[REPLAY]]),
    story(
        "an event is sent again",
        PAID,
        &[&[Act::Refund(Some(300)), Act::Annotate], &[Act::Endpoint(EndpointAct::Resend(2))]],
    ),
    story(
        "events are replayed and sent again",
        PLACED,
        &[&[Act::Annotate, Act::Annotate], &[Act::Endpoint(EndpointAct::Resend(1)), REPLAY], &[DISABLE, ENABLE]],
    ),
    story(
        "events that wait are sent again",
        PLACED,
        &[
            &[Act::Annotate, Act::Annotate],
            &[Act::Endpoint(EndpointAct::Resend(2)), Act::Endpoint(EndpointAct::Resend(3))],
        ],
    ),
    story(
        "canceled and disputed",
        PAID,
        &[&[Act::External(ExternalAction::Dispute), Act::Refund(Some(100))], &[Act::PlaceWithoutKey, READ]],
    ),
    manual("captured", PAYING, &[&[Act::Check, Act::Capture(Some(700)), Act::Refund(Some(300))], &[Act::Cancel, READ]]),
];

/// Actions at endpoints that are drawn at random.
pub(crate) const ANYTHING_AT_ENDPOINTS: &[Act] =
    &[DISABLE, ENABLE, ENABLE, ROTATE, REPLACE_SECRET, REPLAY, Act::Endpoint(EndpointAct::Resend(1)), READ, READ];
