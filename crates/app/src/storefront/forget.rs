use paywright_domain::{CartId, OrderState, Timestamp};
use uuid::Uuid;

use super::{Storefront, StorefrontError};
use crate::{Lease, Mark, MarkDue, StoreError, Versioned};

/// The name of the mark that says how far the walk along the carts has come.
const MARK: &str = "left_carts";
/// How long one page may take before another process may walk on, in seconds.
const LEASE_SECONDS: u32 = 60;
/// How often the walk begins, in seconds: every day.
const EVERY_SECONDS: u32 = 24 * 3600;
/// How many carts are looked at on one page.
const PAGE: u16 = 200;

impl Storefront {
    /// Forgets carts that nobody has changed for `kept_seconds`, with the addresses in them: those whose order was never
    /// placed, or was given up. Those whose order was paid stay, as what the order was made from; those whose order can
    /// still be paid wait for its end. A page of one walk; says whether there is more of it. Of many processes one walks.
    pub async fn forget_left_carts(&self, kept_seconds: u32) -> Result<bool, StorefrontError> {
        let now = self.app.clock.now();
        let lease = Lease { owner: self.app.owner, now, until: now.plus_seconds(LEASE_SECONDS), limit: PAGE };
        let Some(mark) = self.app.store.take_mark(MARK, &lease, MarkDue::now(now, EVERY_SECONDS)).await? else {
            return Ok(false);
        };
        let before = mark.value;
        let after = before.as_deref().and_then(|it| Uuid::try_parse(it).ok()).map(CartId);
        let page = self.carts.left_carts(after, now.minus_seconds(kept_seconds), PAGE).await?;
        let more = page.len() == usize::from(PAGE);
        let value = page.last().filter(|_| more).map(|it| it.value.id.to_string());
        for left in page {
            self.forget(left, now).await?;
        }
        let mark = Mark { value };
        let more = self.app.goes_on(MARK, more, before.as_deref(), &mark);
        let again = if more { now } else { now.plus_seconds(EVERY_SECONDS) };
        self.app.store.move_mark(MARK, self.app.owner, &mark, again).await?;
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
