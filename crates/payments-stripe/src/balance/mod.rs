//! `ProviderBalance` over the Stripe client: balance transactions, payouts and the sums of the balance.

mod presented;
mod requests;
mod rows;
mod sums;

use std::fmt::Display;

use async_trait::async_trait;
use paywright_app::{
    BalancePage, BalanceSum, CreatedRange, GatewayError, PaymentGateway, ProviderBalance, ReportedTransaction,
};
use paywright_domain::Currency;
use paywright_domain::books::{Payout, SignedMoney};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use serde_json::Value;

pub use self::requests::{CreatedBetween, ListBalanceTransactions, ListPayouts, RetrieveBalance, RetrievePayout};
use crate::gateway::gateway_error;
use crate::objects::List;
use crate::records::{PAGE, after, id_of};
use crate::{StripeGateway, StripeId};

#[async_trait]
impl ProviderBalance for StripeGateway {
    async fn transactions(
        &self,
        range: CreatedRange,
        after: Option<&str>,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError> {
        let request = ListBalanceTransactions {
            created: Some(range.into()),
            payout: None,
            limit: PAGE,
            starting_after: self::after(after)?,
            expand: vec!["data.source"],
        };
        page(&self.list(&request).await?, |it| rows::transaction_of(it).map(Some))
    }

    async fn payouts(&self, range: CreatedRange, after: Option<&str>) -> Result<BalancePage<Payout>, GatewayError> {
        let request = ListPayouts { created: range.into(), limit: PAGE, starting_after: self::after(after)? };
        page(&self.list(&request).await?, |it| rows::payout_of(it).map(Some))
    }

    async fn payout(&self, id: &PayoutId) -> Result<Payout, GatewayError> {
        let request = RetrievePayout { payout: stripe_id(id)? };
        rows::payout_of(&self.client().get(&request).await.map_err(gateway_error)?.value)
    }

    async fn members(
        &self,
        payout: &PayoutId,
        after: Option<&str>,
    ) -> Result<BalancePage<BalanceTransactionId>, GatewayError> {
        let request = ListBalanceTransactions {
            created: None,
            payout: Some(stripe_id(payout)?),
            limit: PAGE,
            starting_after: self::after(after)?,
            expand: Vec::new(),
        };
        page(&self.list(&request).await?, |it| rows::member_of(payout, it))
    }

    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError> {
        sums::sums_of(&self.client().get(&RetrieveBalance {}).await.map_err(gateway_error)?.value)
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        PaymentGateway::clock_difference_seconds(self)
    }
}

fn stripe_id(id: &PayoutId) -> Result<StripeId, GatewayError> {
    StripeId::new("po_", id.as_str()).map_err(|_| GatewayError::NotFound)
}

/// Converts a page of Stripe's list. One object that cannot be converted is an error: the books must not leave out any.
fn page<T>(
    list: &List<Value>,
    read: impl Fn(&Value) -> Result<Option<T>, GatewayError>,
) -> Result<BalancePage<T>, GatewayError> {
    let next = list.data.last().filter(|_| list.has_more).and_then(id_of);
    let items = list.data.iter().filter_map(|it| read(it).transpose()).collect::<Result<_, _>>()?;
    Ok(BalancePage { items, next })
}

/// Error of an object with a value that the books cannot hold.
fn not_understood(id: &str, problem: &dyn Display) -> GatewayError {
    GatewayError::NotUnderstood(format!("{id}: {problem}"))
}

/// Converts an amount of the object `id`.
fn money(id: &str, wire: i64, currency: &str) -> Result<SignedMoney, GatewayError> {
    let unsupported = |_| not_understood(id, &format_args!("the currency {currency} is not supported"));
    let code: Currency = currency.parse().map_err(unsupported)?;
    let inexact = |problem| not_understood(id, &format_args!("the amount {wire} {currency} {problem}"));
    SignedMoney::from_wire(wire, code).map_err(inexact)
}
