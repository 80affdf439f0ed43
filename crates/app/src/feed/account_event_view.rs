//! JSON form of what an account event shows.

use paywright_domain::books::{Payout, SignedMoney};
use serde::Serialize;
use uuid::Uuid;

use crate::Break;
use crate::view_value::{BreakClassName, CurrencyCode, SignedDecimalAmount, Time, UtcDate};

/// Break that was found.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct BreakFoundView<'a> {
    #[serde(rename = "break")]
    found: BreakView<'a>,
}

impl<'a> BreakFoundView<'a> {
    pub(super) fn of(found: &'a Break) -> Self {
        Self { found: BreakView::of(found) }
    }
}

/// Difference between the books and Stripe.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Break))]
struct BreakView<'a> {
    /// Name of the break: its class and its object.
    id: &'a str,
    class: BreakClassName,
    /// Stripe's id of the object, or the name of a balance, category or day.
    object: &'a str,
    /// Id of the order that the object belongs to, if it is one of this installation.
    order: Option<Uuid>,
    /// Amount that the orders or the books have.
    ours: Option<SignedDecimalAmount>,
    /// Amount that Stripe has.
    theirs: Option<SignedDecimalAmount>,
    /// Amount that Stripe has more; negative if less. Null if there is no amount, or if the currencies differ.
    difference: Option<SignedDecimalAmount>,
    /// Currency of the amounts.
    currency: Option<CurrencyCode>,
    /// Currency of `theirs`, if it is another one than that of `ours`.
    theirs_currency: Option<CurrencyCode>,
    /// Time of the latest movement or fact that it is about.
    since: Time,
}

impl<'a> BreakView<'a> {
    fn of(found: &'a Break) -> Self {
        let (ours, theirs) = (found.ours, found.theirs);
        let currency = ours.or(theirs).map(SignedMoney::currency);
        let theirs_currency = theirs.map(SignedMoney::currency).filter(|it| Some(*it) != currency);
        let difference = currency.and_then(|it| {
            let zero = SignedMoney::zero(it);
            theirs.unwrap_or(zero).minus(ours.unwrap_or(zero)).ok()
        });
        Self {
            id: &found.id,
            class: found.class.into(),
            object: &found.object,
            order: found.order.map(|it| it.0),
            ours: ours.map(SignedDecimalAmount),
            theirs: theirs.map(SignedDecimalAmount),
            difference: difference.map(SignedDecimalAmount),
            currency: currency.map(CurrencyCode::from),
            theirs_currency: theirs_currency.map(CurrencyCode::from),
            since: Time(found.since),
        }
    }
}

/// Payout that was paid or has failed.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct PayoutChangedView<'a> {
    payout: PayoutView<'a>,
}

impl<'a> PayoutChangedView<'a> {
    pub(super) fn of(payout: &'a Payout) -> Self {
        Self {
            payout: PayoutView {
                id: payout.id.as_str(),
                amount: SignedDecimalAmount(payout.amount),
                currency: payout.amount.currency().into(),
                arrival_date: UtcDate(payout.arrival),
                trace_id: payout.trace_id.as_deref(),
                failure_code: payout.failure_code.as_deref(),
            },
        }
    }
}

/// Payout of a balance at Stripe to the shop's bank.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Payout))]
struct PayoutView<'a> {
    /// Stripe's id of the payout.
    id: &'a str,
    /// Amount that the bank receives; negative if Stripe debits the bank.
    amount: SignedDecimalAmount,
    currency: CurrencyCode,
    /// Day on which the bank is expected to receive it.
    arrival_date: UtcDate,
    /// Reference of the transfer at the bank, where the bank gave one.
    trace_id: Option<&'a str>,
    /// Stripe's code of a failure.
    failure_code: Option<&'a str>,
}
