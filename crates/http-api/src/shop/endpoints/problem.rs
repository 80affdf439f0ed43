//! Refusals of calls about endpoints of outgoing webhooks.

use actix_web::http::StatusCode;
use paywright_app::{EndpointError, StoreError};

use crate::problem::Problem;

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Self {
        match error {
            error @ EndpointError::NotFound => {
                Self::new(StatusCode::NOT_FOUND, "webhook_endpoint_not_found", error.to_string())
            }
            error @ (EndpointError::NotConfigured | EndpointError::OtherKey) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "webhooks_not_configured", error.to_string())
            }
            error @ EndpointError::TypesFollowSubscriptions => {
                Self::conflict("types_follow_subscriptions", error.to_string())
            }
            EndpointError::UrlNotAllowed(reason) => {
                Self::field(StatusCode::UNPROCESSABLE_ENTITY, "webhook_url_not_allowed", "url", reason)
            }
            error @ EndpointError::TooManyEndpoints => Self::conflict("too_many_webhook_endpoints", error.to_string()),
            EndpointError::Position(error) => error.into(),
            EndpointError::EventNotFound => {
                let problem = "is not the position of an event in the feed";
                Self::field(StatusCode::NOT_FOUND, "event_not_found", "position", problem)
            }
            error @ EndpointError::TooManyResends => Self::conflict("too_many_resends", error.to_string()),
            error @ EndpointError::EventStillWaits { .. } => Self::conflict("event_still_waits", error.to_string()),
            EndpointError::Store(error) => of_store(error),
        }
    }
}

/// Refusal by the store, in terms of an endpoint where the general one speaks of an order.
fn of_store(error: StoreError) -> Problem {
    let detail = match &error {
        StoreError::Conflict => "other requests are changing this webhook endpoint at the same time: try again",
        StoreError::Unknown(_) => {
            "the database did not confirm whether the change was committed: read the webhook endpoints"
        }
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => return error.into(),
    };
    Problem::from(error).with_detail(detail)
}
