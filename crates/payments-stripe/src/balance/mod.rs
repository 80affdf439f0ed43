//! `ProviderBalance` over the Stripe client: balance transactions, payouts and the sums of the balance.

mod presented;
mod requests;
mod rows;
mod sums;

use std::fmt::Display;

use async_trait::async_trait;
use paywright_app::{
    BalancePage, BalanceSum, CreatedRange, GatewayError, PaymentGateway, PayoutMember, ProviderBalance, RefusedObject,
    ReportedTransaction,
};
use paywright_domain::books::{Payout, SignedMoney};
use paywright_domain::id::PayoutId;
use paywright_domain::{Currency, Timestamp};
use serde_json::Value;

pub use self::requests::{CreatedBetween, ListBalanceTransactions, ListPayouts, RetrieveBalance, RetrievePayout};
use crate::gateway::read_failure;
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
        rows::payout_of(&self.client().get(&request).await.map_err(read_failure)?.value)
    }

    async fn members(&self, payout: &PayoutId, after: Option<&str>) -> Result<BalancePage<PayoutMember>, GatewayError> {
        let request = ListBalanceTransactions {
            created: None,
            payout: Some(stripe_id(payout)?),
            limit: PAGE,
            starting_after: self::after(after)?,
            expand: vec!["data.source"],
        };
        page(&self.list(&request).await?, |it| rows::member_of(payout, it))
    }

    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError> {
        sums::sums_of(&self.client().get(&RetrieveBalance {}).await.map_err(read_failure)?.value)
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        PaymentGateway::clock_difference_seconds(self)
    }
}

fn stripe_id(id: &PayoutId) -> Result<StripeId, GatewayError> {
    StripeId::new("po_", id.as_str()).map_err(GatewayError::from)
}

/// Converts a page of Stripe's list. An object that cannot be converted is told apart, so that it holds up no other.
fn page<T>(
    list: &List<Value>,
    read: impl Fn(&Value) -> Result<Option<T>, GatewayError>,
) -> Result<BalancePage<T>, GatewayError> {
    let (mut items, mut refused) = (Vec::new(), Vec::new());
    for object in &list.data {
        match read(object) {
            Ok(item) => items.extend(item),
            Err(GatewayError::NotUnderstood(problem)) => refused.push(refused_object(object, problem)),
            Err(error) => return Err(error),
        }
    }
    let next = list.data.last().filter(|_| list.has_more).and_then(id_of);
    Ok(BalancePage { items, refused, next })
}

/// Largest number of characters of an id that is no id of Stripe's.
const SHOWN_ID_LEN_MAX: usize = 255;

fn refused_object(object: &Value, problem: String) -> RefusedObject {
    let id = id_of(object).unwrap_or_else(|| "an object without an id".to_owned());
    let created = object.get("created").and_then(Value::as_i64).and_then(|it| Timestamp::from_unix_seconds(it).ok());
    RefusedObject { id: id.chars().filter(|it| !it.is_control()).take(SHOWN_ID_LEN_MAX).collect(), created, problem }
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
