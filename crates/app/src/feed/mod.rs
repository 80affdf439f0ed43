//! Feed: the public facts of all orders and the events of the account, in one list.

mod account_event;
mod account_event_view;
#[cfg(feature = "openapi")]
mod event_schema;
mod event_view;
mod read;
mod relay;
mod retention;

pub use account_event::AccountEventContext;
#[cfg(feature = "openapi")]
pub use event_schema::event_schema;
pub use read::{FeedPage, FeedPageError, FeedPageRequest};
pub(crate) use relay::FeedState;
pub use retention::FeedRetention;
