use paywright_domain::{CartId, OrderState, Timestamp};
use uuid::Uuid;

use super::{Storefront, StorefrontError};
use crate::{Cursor, CursorDue, Lease, StoreError, Versioned};

/// How long one page may take before another process may walk on, in seconds.
const LEASE_SECONDS: u32 = 60;
/// How many carts are looked at on one page.
const PAGE: u16 = 200;

/// The carts that a walk goes along.
#[derive(Debug, Clone, Copy)]
enum Walk {
    /// All that nobody has changed for long.
    Left,
    /// Those of guests without lines.
    Empty,
}

impl Walk {
    /// The name of the stored place that the walk has come to.
    const fn name(self) -> &'static str {
        match self {
            Self::Left => "left_carts",
            Self::Empty => "empty_carts",
        }
    }

    /// How often it begins.
    const fn every_seconds(self) -> u32 {
        match self {
            Self::Left => 24 * 3600,
            Self::Empty => 5 * 60,
        }
    }
}

impl Storefront {
    /// Forgets carts that nobody has changed for `kept_seconds`, with the addresses in them: those whose order was never
    /// placed, or was given up. Those whose order was paid stay, as what the order was made from; those whose order can
    /// still be paid wait for its end. A page of one walk; says whether there is more of it. Of many processes one walks.
    pub async fn forget_left_carts(&self, kept_seconds: u32) -> Result<bool, StorefrontError> {
        self.walk(Walk::Left, kept_seconds).await
    }

    /// As [`Self::forget_left_carts`], of guests' carts without lines alone: anybody can make any number of them.
    pub async fn forget_empty_carts(&self, kept_seconds: u32) -> Result<bool, StorefrontError> {
        self.walk(Walk::Empty, kept_seconds).await
    }

    async fn walk(&self, walk: Walk, kept_seconds: u32) -> Result<bool, StorefrontError> {
        let (now, name, every) = (self.app.clock.now(), walk.name(), walk.every_seconds());
        let lease = Lease { owner: self.app.owner, now, until: now.plus_seconds(LEASE_SECONDS), limit: PAGE };
        let Some(cursor) = self.app.store.lease_cursor(name, &lease, CursorDue::now(now, every)).await? else {
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
        self.app.store.move_cursor(name, self.app.owner, &cursor, again).await?;
        Ok(more)
    }

    async fn forget(&self, left: Versioned<paywright_domain::Cart>, now: Timestamp) -> Result<(), StoreError> {
        let Versioned { version, value: cart } = left;
        let order = self.order_of(&cart).await?;
        let done = match order.as_ref().map(|it| &it.state) {
            None | Some(OrderState::Canceled { .. }) => self.carts.remove_cart(version, cart.id).await,
            Some(OrderState::Paid { .. }) => self.carts.commit_cart(version, &cart.closed(now)).await,
            Some(OrderState::Open) => Ok(()),
        };
        match done {
            // Somebody has come back to it.
            Err(StoreError::Conflict) => Ok(()),
            done => done,
        }
    }
}
