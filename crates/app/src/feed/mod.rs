//! Feed: the public facts of all orders, in one list.

mod event_view;
mod read;
mod relay;
mod retention;

pub use read::{FeedPage, FeedPageError, FeedPageRequest};
pub(crate) use relay::FeedState;
pub use retention::FeedRetention;
