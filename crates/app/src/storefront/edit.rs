use paywright_domain::Timestamp;
use paywright_domain::storefront::{Cart, CouponCode, LineId, Terms};

use super::{Session, Shopper, Storefront, StorefrontError};

/// Edit of a shopper's cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CartEdit {
    /// Sets the quantity of a line.
    SetQuantity {
        /// Line of the cart.
        line: LineId,
        /// New quantity.
        quantity: u32,
    },
    /// Removes a line.
    RemoveLine(LineId),
    /// Removes all lines, coupons and the shipping rate, and returns to the first step.
    Empty,
    /// Applies a coupon.
    ApplyCoupon(CouponCode),
    /// Removes the coupon with this code.
    RemoveCoupon(CouponCode),
    /// Removes all coupons.
    RemoveAllCoupons,
}

impl CartEdit {
    /// Applies the edit to `cart`, which is to be priced again afterwards.
    fn apply(&self, cart: Cart, terms: &Terms, now: Timestamp) -> Result<Cart, StorefrontError> {
        Ok(match self {
            Self::SetQuantity { line, quantity } => cart.with_quantity(*line, *quantity)?,
            Self::RemoveLine(line) => cart.without_line(*line)?,
            Self::Empty => cart.emptied(),
            Self::ApplyCoupon(code) => cart.with_coupon(code.clone(), terms, now)?,
            Self::RemoveCoupon(code) => cart.without_coupon(Some(code))?,
            Self::RemoveAllCoupons => cart.without_coupon(None)?,
        })
    }
}

impl Storefront {
    /// Edits the shopper's cart, prices it again, and edits its open order, if there is one, to match. If the order
    /// refuses, the cart is not changed.
    pub async fn edit_cart(&self, shopper: &Shopper, edit: &CartEdit) -> Result<Session, StorefrontError> {
        let loaded = self.load(shopper).await?;
        Ok(self.change(loaded, shopper, |cart, loaded, now| edit.apply(cart, &loaded.terms, now)).await?.session)
    }
}
