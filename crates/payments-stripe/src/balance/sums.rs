//! Sums of the balance ("The Balance object").

use std::collections::BTreeMap;

use paywright_app::{BalanceSum, GatewayError};
use paywright_domain::books::BalanceType;
use serde::Deserialize;
use serde_json::Value;

use super::{money, not_understood};

/// Name of the object in errors: it has no id.
const BALANCE: &str = "the balance";

/// `GET /v1/balance`. The ordinary balance is at the top level, others are in fields of their own. Stripe shows no sum of
/// the `risk_reserved` balance, and `connect_reserved` is no balance of its own: it is held for connected accounts.
#[derive(Debug, Deserialize)]
struct Balance {
    available: Vec<Amount>,
    pending: Vec<Amount>,
    issuing: Option<Detail>,
    refund_and_dispute_prefunding: Option<Detail>,
}

/// Sums of a balance that has a field of its own.
#[derive(Debug, Deserialize)]
struct Detail {
    available: Vec<Amount>,
    #[serde(default)]
    pending: Vec<Amount>,
}

#[derive(Debug, Deserialize)]
struct Amount {
    amount: i64,
    currency: String,
}

/// Reads the sums of each balance, by balance and in Stripe's order of currencies. A sum that the books cannot hold, of a
/// currency that no order can have for example, is left out: the balance transactions that it is of are refused one by
/// one.
pub(super) fn sums_of(json: &Value) -> Result<Vec<BalanceSum>, GatewayError> {
    let balance = Balance::deserialize(json).map_err(|problem| not_understood(BALANCE, &problem))?;
    let mut sums = sums(BalanceType::Payments, &balance.available, &balance.pending)?;
    for (kind, detail) in [
        (BalanceType::RefundAndDisputePrefunding, balance.refund_and_dispute_prefunding),
        (BalanceType::Issuing, balance.issuing),
    ] {
        if let Some(Detail { available, pending }) = detail {
            sums.extend(self::sums(kind, &available, &pending)?);
        }
    }
    Ok(sums)
}

fn sums(balance: BalanceType, available: &[Amount], pending: &[Amount]) -> Result<Vec<BalanceSum>, GatewayError> {
    let mut currencies: Vec<&str> = Vec::new();
    let mut by_currency: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    let both = available.iter().map(|it| (it, [it.amount, 0])).chain(pending.iter().map(|it| (it, [0, it.amount])));
    for (Amount { currency, .. }, [is_available, is_pending]) in both {
        if !by_currency.contains_key(currency.as_str()) {
            currencies.push(currency);
        }
        let [available, pending] = by_currency.entry(currency).or_default();
        let too_large = || not_understood(BALANCE, &format_args!("its sum in {currency} is too large"));
        *available = available.checked_add(is_available).ok_or_else(too_large)?;
        *pending = pending.checked_add(is_pending).ok_or_else(too_large)?;
    }
    let sum = |currency: &str| {
        let [available, pending] = by_currency.get(currency).copied().unwrap_or_default();
        let read = |wire| money(BALANCE, wire, currency);
        match (read(available), read(pending)) {
            (Ok(available), Ok(pending)) => Some(BalanceSum { balance, available, pending }),
            (Err(_), _) | (_, Err(_)) => None,
        }
    };
    Ok(currencies.into_iter().filter_map(sum).collect())
}
