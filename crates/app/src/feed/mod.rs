//! Feed: the public facts of all orders, in one list.

#[cfg(feature = "openapi")]
mod event_schema;
mod event_view;
mod read;
mod relay;
mod retention;

#[cfg(feature = "openapi")]
pub use event_schema::event_schema;
pub use read::{FeedPage, FeedPageError, FeedPageRequest};
pub(crate) use relay::FeedState;
pub use retention::FeedRetention;
