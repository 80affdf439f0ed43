//! Requests for the balance and what has moved it.

use paywright_app::CreatedRange;
use serde::Serialize;
use serde_json::Value;

use crate::StripeId;
use crate::objects::List;
use crate::requests::Get;

/// `created` filter of a list: objects created at or after a time, and before another one.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CreatedBetween {
    /// Earliest time of creation, in seconds since 1970.
    pub gte: i64,
    /// First time of creation after the range, in seconds since 1970.
    pub lt: i64,
}

impl From<CreatedRange> for CreatedBetween {
    fn from(range: CreatedRange) -> Self {
        Self { gte: range.from.unix_seconds(), lt: range.until.unix_seconds() }
    }
}

/// `GET /v1/balance_transactions`.
#[derive(Debug, Clone, Serialize)]
pub struct ListBalanceTransactions {
    /// Range of creation times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<CreatedBetween>,
    /// Automatic payout to whose balance transactions the list is restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout: Option<StripeId>,
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Last object of the previous page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
    /// References to expand to whole objects, like `data.source`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expand: Vec<&'static str>,
}

impl Get for ListBalanceTransactions {
    type Reply = List<Value>;
    fn path(&self) -> String {
        "/v1/balance_transactions".into()
    }
}

/// `GET /v1/payouts`.
#[derive(Debug, Clone, Serialize)]
pub struct ListPayouts {
    /// Range of creation times.
    pub created: CreatedBetween,
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Last object of the previous page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
}

impl Get for ListPayouts {
    type Reply = List<Value>;
    fn path(&self) -> String {
        "/v1/payouts".into()
    }
}

/// `GET /v1/payouts/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievePayout {
    /// Id of the payout.
    #[serde(skip)]
    pub payout: StripeId,
}

impl Get for RetrievePayout {
    type Reply = Value;
    fn path(&self) -> String {
        format!("/v1/payouts/{}", self.payout.segment())
    }
}

/// `GET /v1/balance`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrieveBalance {}

impl Get for RetrieveBalance {
    type Reply = Value;
    fn path(&self) -> String {
        "/v1/balance".into()
    }
}
