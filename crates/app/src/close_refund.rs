use paywright_domain::refund::{CloseError, NewClosing, Refund};
use paywright_domain::{Fact, Order};
use thiserror::Error;

use crate::{App, GetOrderError, OrderRef};

/// A closed refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRefund {
    /// The refund.
    pub refund: Refund,
    /// Whether the note of this request is stored; not, if the refund had been closed before with another one.
    pub is_note_stored: bool,
}

/// Why a refund was not closed.
#[derive(Debug, Error)]
pub enum CloseRefundError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses it.
    #[error(transparent)]
    Refused(#[from] CloseError),
    /// The order is no longer as the caller has shown it to a person.
    #[error("the order has changed meanwhile")]
    OutOfDate,
}

impl App {
    /// Closes a failed refund whose money went back in another way, so that it no longer waits for a person. A repeat changes
    /// nothing.
    pub async fn close_refund(
        &self,
        which: &OrderRef,
        number: u32,
        new: &NewClosing,
    ) -> Result<ClosedRefund, CloseRefundError> {
        self.close_shown_refund(which, number, new, |_| true).await
    }

    /// As [`Self::close_refund`], for a person who has decided on an order as a page has shown it: it is refused with
    /// [`CloseRefundError::OutOfDate`] if `is_shown` denies that of the order on which the closing is committed.
    pub async fn close_shown_refund(
        &self,
        which: &OrderRef,
        number: u32,
        new: &NewClosing,
        is_shown: impl Fn(&Order) -> bool + Send + Sync,
    ) -> Result<ClosedRefund, CloseRefundError> {
        let decide = |order: &Order, now| Ok(order.close_refund(number, new, now)?);
        let (order, is_repeat) = self.change_shown(which, is_shown, || CloseRefundError::OutOfDate, decide).await?;
        let refund = order.refund_numbered(number).cloned().ok_or(CloseError::NotFound { number })?;
        let is_it =
            |it: &Fact| matches!(it, Fact::RefundClosed { refund, note, .. } if (*refund, note) == (number, &new.note));
        let is_note_stored = !is_repeat || self.has_fact(order.id, is_it).await?;
        Ok(ClosedRefund { refund, is_note_stored })
    }
}
