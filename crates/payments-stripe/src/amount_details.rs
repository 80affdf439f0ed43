//! `amount_details` of an order: lines, discount, shipping and tax, as Stripe requires them.

use paywright_app::NewIntent;
use paywright_domain::LineItem;
use paywright_domain::order::Totals;

use crate::requests::{AmountDetails, DetailLine, DetailShipping, DetailTax, Empty, Replaced};

/// Stripe's limit on line items ("Create a PaymentIntent", `amount_details.line_items`).
const LINES_MAX: usize = 200;

/// Parts of an order's amount, in the currency's wire units. They add up to the amount exactly: Stripe refuses the
/// request otherwise. Tax included in the prices is part of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    lines: Vec<DetailLine>,
    discount: i64,
    shipping: i64,
    tax: i64,
}

impl Parts {
    /// Parts of the order's amount. `None` if they are too many or cannot be expressed in wire units: then Stripe gets
    /// only the amount, which is enough for a payment.
    pub(crate) fn of(order: &NewIntent) -> Option<Self> {
        if order.lines.len() > LINES_MAX {
            return None;
        }
        let totals = Totals::of(order.amount.currency(), &order.lines, &order.adjustments).ok()?;
        if totals.due != order.amount {
            return None;
        }
        let line = |line: &LineItem| {
            let unit_cost = line.unit_amount().to_wire().ok()?;
            Some(DetailLine { product_name: line.name.to_string(), quantity: line.quantity(), unit_cost })
        };
        Some(Self {
            lines: order.lines.iter().map(line).collect::<Option<Vec<_>>>()?,
            discount: totals.discounts.to_wire().ok()?,
            shipping: totals.shipping.to_wire().ok()?,
            tax: totals.taxes.to_wire().ok()?,
        })
    }

    /// Parts for a new PaymentIntent: zero amounts are left out.
    pub(crate) fn for_creation(self) -> AmountDetails {
        AmountDetails {
            line_items: Replaced::With(self.lines),
            discount_amount: positive(self.discount).map(Replaced::With),
            shipping: positive(self.shipping).map(|amount| Replaced::With(DetailShipping { amount })),
            tax: positive(self.tax).map(|amount| Replaced::With(DetailTax { total_tax_amount: amount })),
        }
    }

    /// Parts that replace those of an existing PaymentIntent: zero amounts are cleared.
    pub(crate) fn for_replacement(self) -> AmountDetails {
        let details = self.for_creation();
        AmountDetails {
            line_items: details.line_items,
            discount_amount: details.discount_amount.or(Some(Replaced::Cleared(Empty))),
            shipping: details.shipping.or(Some(Replaced::Cleared(Empty))),
            tax: details.tax.or(Some(Replaced::Cleared(Empty))),
        }
    }

    /// Clears each part. By Stripe's OpenAPI description an update may clear `amount_details` as a whole, a capture
    /// only part by part.
    pub(crate) const fn cleared() -> AmountDetails {
        AmountDetails {
            line_items: Replaced::Cleared(Empty),
            discount_amount: Some(Replaced::Cleared(Empty)),
            shipping: Some(Replaced::Cleared(Empty)),
            tax: Some(Replaced::Cleared(Empty)),
        }
    }
}

fn positive(amount: i64) -> Option<i64> {
    (amount > 0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use paywright_domain::intent::CaptureMethod;
    use paywright_domain::order::{Adjustment, AdjustmentKind, Payer};
    use paywright_domain::text::Text;
    use paywright_domain::{Currency, Money, NewOrder, Order, OrderId, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn placed(currency: Currency, lines: &[(i64, u32)], adjustments: &[(AdjustmentKind, i64)]) -> Option<NewIntent> {
        let money = |minor| Money::new(minor, currency).unwrap();
        let new = NewOrder {
            lines: lines.iter().map(|(unit, many)| LineItem::new("x", money(*unit), *many).unwrap()).collect(),
            adjustments: adjustments
                .iter()
                .map(|(kind, minor)| Adjustment::new(*kind, Text::new("x").unwrap(), money(*minor)))
                .collect(),
            ..NewOrder::empty(currency)
        };
        let order = Order::place(OrderId(uuid::Uuid::nil()), new, Timestamp::EPOCH).ok()?.order;
        Some(NewIntent {
            order: order.id,
            number: order.number.clone(),
            customer: None,
            revision: 1,
            epoch: None,
            amount: order.total,
            capture: CaptureMethod::Automatic,
            email: None,
            payer: Payer::default(),
            lines: order.lines.clone(),
            adjustments: order.adjustments.clone(),
        })
    }

    fn form(details: &AmountDetails) -> String {
        serde_qs::to_string(details).unwrap()
    }

    #[test]
    fn every_part_of_the_amount_is_sent() {
        use AdjustmentKind::{Discount, Shipping, Tax, TaxIncluded};
        let order =
            placed(Currency::Usd, &[(2000, 2)], &[(Shipping, 590), (Discount, 400), (Tax, 300), (TaxIncluded, 99)]);
        let order = order.unwrap();
        assert_eq!(order.amount.minor(), 4490);
        let lines = "line_items[0][product_name]=x&line_items[0][quantity]=2&line_items[0][unit_cost]=2000";
        let parts = Parts::of(&order).unwrap();
        let expected = format!("{lines}&discount_amount=400&shipping[amount]=590&tax[total_tax_amount]=300");
        assert_eq!(form(&parts.clone().for_creation()), expected);
        assert_eq!(form(&parts.for_replacement()), expected);
        let plain = Parts::of(&placed(Currency::Usd, &[(2000, 2)], &[]).unwrap()).unwrap();
        assert_eq!(form(&plain.clone().for_creation()), lines);
        assert_eq!(form(&plain.for_replacement()), format!("{lines}&discount_amount=&shipping=&tax="));
        assert_eq!(form(&Parts::cleared()), "line_items=&discount_amount=&shipping=&tax=");
    }

    #[test]
    fn parts_that_wire_units_or_stripes_limit_cannot_express_are_left_out() {
        let many = vec![(500, 1); LINES_MAX];
        assert!(Parts::of(&placed(Currency::Usd, &many, &[]).unwrap()).is_some());
        let order = placed(Currency::Usd, &[(500, 1)], &[]).unwrap();
        let too_many = NewIntent { lines: vec![order.lines[0].clone(); LINES_MAX + 1], ..order };
        assert_eq!(Parts::of(&too_many), None);
        // 2 x 4.505 KWD can be charged; the price of one has no wire amount.
        assert_eq!(Parts::of(&placed(Currency::Kwd, &[(4505, 2)], &[]).unwrap()), None);
    }

    proptest! {
        /// Stripe's rule: the lines, less the discount, plus tax, plus shipping, equal the amount.
        #[test]
        fn parts_add_up_to_the_amount_of_any_order(
            currency in prop::sample::select(vec![Currency::Usd, Currency::Jpy, Currency::Isk, Currency::Kwd]),
            lines in prop::collection::vec((1_i64..100_000, 1_u32..20), 1..8),
            adjustments in prop::collection::vec(
                (prop::sample::select(AdjustmentKind::ALL.to_vec()), 0_i64..50_000), 0..6,
            ),
        ) {
            // Some generated orders are invalid.
            let Some(order) = placed(currency, &lines, &adjustments) else { return Ok(()) };
            let Some(parts) = Parts::of(&order) else {
                prop_assert_eq!(currency, Currency::Kwd, "only its wire amounts are coarser than its minor units");
                return Ok(());
            };
            let lines: i64 = parts.lines.iter().map(|it| it.unit_cost * i64::from(it.quantity)).sum();
            let sum = lines - parts.discount + parts.tax + parts.shipping;
            prop_assert_eq!(sum, order.amount.to_charge().unwrap());
        }
    }
}
