use paywright_domain::Timestamp;
use paywright_domain::order::OrderState;
use paywright_domain::storefront::CartId;
use uuid::Uuid;

use super::{Storefront, StorefrontError};
use crate::{Cursor, CursorDue, Lease, StoreError, Versioned};

/// Lease of one page, in seconds, after which another process may go on.
const LEASE_SECONDS: u32 = 60;
/// Number of carts on one page.
const PAGE: u16 = 200;

/// Walk through the stored carts that deletes some of them.
#[derive(Debug, Clone, Copy)]
enum Walk {
    /// All carts that were not changed for long.
    Left,
    /// Carts of guests without lines.
    Empty,
}

impl Walk {
    /// Name of the cursor of the walk.
    const fn name(self) -> &'static str {
        match self {
            Self::Left => "left_carts",
            Self::Empty => "empty_carts",
        }
    }

    /// Period of the walk, in seconds.
    const fn every_seconds(self) -> u32 {
        match self {
            Self::Left => 24 * 3600,
            Self::Empty => 5 * 60,
        }
    }
}

impl Storefront {
    /// Deletes carts that were not changed for `kept_seconds`, with the addresses in them, if their order was never placed
    /// or is canceled. Carts of paid orders are closed and stay; carts of open orders wait for the end of the order. One
    /// page of the walk; returns whether there is another one. Only one process walks at a time.
    pub async fn forget_left_carts(&self, kept_seconds: u32) -> Result<bool, StorefrontError> {
        self.walk(Walk::Left, kept_seconds).await
    }

    /// As [`Self::forget_left_carts`], for guests' carts without lines only: a caller can create any number of them.
    pub async fn forget_empty_carts(&self, kept_seconds: u32) -> Result<bool, StorefrontError> {
        self.walk(Walk::Empty, kept_seconds).await
    }

    async fn walk(&self, walk: Walk, kept_seconds: u32) -> Result<bool, StorefrontError> {
        let (now, name, every) = (self.app.clock.now(), walk.name(), walk.every_seconds());
        let lease = Lease { owner: self.app.owner, now, until: now.plus_seconds(LEASE_SECONDS), limit: PAGE };
        let Some(cursor) = self.app.store.cursors.lease_cursor(name, &lease, CursorDue::now(now, every)).await? else {
            return Ok(false);
        };
        let before = cursor.value;
        let after = before.as_deref().and_then(|it| Uuid::try_parse(it).ok()).map(CartId);
        let unchanged_since = now.minus_seconds(kept_seconds);
        let page = match walk {
            Walk::Left => self.carts.left_carts(after, unchanged_since, PAGE).await?,
            Walk::Empty => self.carts.empty_guest_carts(after, unchanged_since, PAGE).await?,
        };
        let more = page.len() == usize::from(PAGE);
        let value = page.last().filter(|_| more).map(|it| it.value.id.to_string());
        for left in page {
            self.forget(left, now).await?;
        }
        let cursor = Cursor { value };
        let more = self.app.continues_at_once(name, more, before.as_deref(), &cursor);
        let again = if more { now } else { now.plus_seconds(every) };
        self.app.store.cursors.move_cursor(name, self.app.owner, &cursor, again).await?;
        Ok(more)
    }

    async fn forget(
        &self,
        left: Versioned<paywright_domain::storefront::Cart>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Versioned { version, value: cart } = left;
        let order = self.order_of(&cart).await?;
        let done = match order.as_ref().map(|it| &it.value.state) {
            None | Some(OrderState::Canceled { .. }) => self.carts.remove_cart(version, cart.id).await,
            Some(OrderState::Paid { .. }) => self.carts.commit_cart(version, &cart.closed(now)).await,
            Some(OrderState::Open) => Ok(()),
        };
        match done {
            // The shopper has changed it again.
            Err(StoreError::Conflict) => Ok(()),
            done => done,
        }
    }
}
