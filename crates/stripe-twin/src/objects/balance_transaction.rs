use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A movement of the account's balance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BalanceTransaction {
    pub(crate) id: String,
    /// Id of the charge, refund, dispute or payout that moved the balance; `None` for fees of their own.
    pub(crate) source: Option<String>,
    /// PaymentIntent to which the source belongs; empty if it belongs to none.
    pub(crate) intent: String,
    /// Type, like `charge` or `adjustment`.
    pub(crate) kind: String,
    /// Reporting category, if it does not follow from the type.
    #[serde(default)]
    pub(crate) category: Option<String>,
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    /// Sum of the parts of the fee, if it is not the fee: only after tampering.
    #[serde(default)]
    pub(crate) sum_of_fees: Option<i64>,
    /// Net amount, if it is not the amount less the fee: only after tampering.
    #[serde(default)]
    pub(crate) false_net: Option<i64>,
    /// Balance that it moves, like `payments`.
    #[serde(default = "payments")]
    pub(crate) balance: String,
    pub(crate) currency: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) created: i64,
    /// Request that caused it. The answer to that request does not show it yet.
    pub(crate) request: Option<String>,
    /// Time from which the money can be paid out.
    pub(crate) available_on: i64,
    /// Payout with which it was paid out, or that it is.
    #[serde(default)]
    pub(crate) payout: Option<String>,
    /// Rate from the currency of the source, if that is another one.
    #[serde(default)]
    pub(crate) rate: Option<Rate>,
}

/// Balance of rows that were stored before there were others.
fn payments() -> String {
    "payments".to_owned()
}

impl BalanceTransaction {
    /// Makes a movement of the ordinary balance, without a fee, that is available at once.
    pub(crate) fn new(id: String, kind: &str, amount: i64, currency: &str, now: i64) -> Self {
        Self {
            id,
            source: None,
            intent: String::new(),
            kind: kind.to_owned(),
            category: None,
            amount,
            fee: 0,
            sum_of_fees: None,
            false_net: None,
            balance: payments(),
            currency: currency.to_owned(),
            description: None,
            created: now,
            request: None,
            available_on: now,
            payout: None,
            rate: None,
        }
    }

    /// Amount by which the balance moves.
    pub(crate) fn net(&self) -> i64 {
        self.false_net.unwrap_or(self.amount - self.fee)
    }

    /// Whether an automatic payout will contain it.
    pub(crate) fn is_unpaid(&self) -> bool {
        self.payout.is_none() && self.balance == payments()
    }

    /// Whether it moves this balance in this currency.
    pub(crate) fn is_of(&self, balance: &str, currency: &str) -> bool {
        self.balance == balance && self.currency == currency
    }

    /// Category for accounting ("Reporting categories").
    pub(crate) fn category(&self) -> &str {
        let by_kind = match self.kind.as_str() {
            "adjustment" if self.amount > 0 => "dispute_reversal",
            "adjustment" => "dispute",
            "payment" => "charge",
            "payment_failure_refund" => "charge_failure",
            "stripe_fee" => "fee",
            "payout_failure" | "payout_cancel" => "payout_reversal",
            kind => kind,
        };
        self.category.as_deref().unwrap_or(by_kind)
    }

    /// The transaction as it is at `now`.
    pub(crate) fn to_json(&self, now: i64) -> Value {
        let sum_of_fees = self.sum_of_fees.unwrap_or(self.fee);
        let details = if sum_of_fees == 0 {
            json!([])
        } else {
            let description = if self.kind == "adjustment" { "Dispute fee" } else { "Stripe processing fees" };
            json!([{ "amount": sum_of_fees, "application": null, "currency": self.currency,
                "description": description, "type": "stripe_fee" }])
        };
        json!({
            "id": self.id,
            "object": "balance_transaction",
            "amount": self.amount,
            "available_on": self.available_on,
            "balance_type": self.balance,
            "created": self.created,
            "currency": self.currency,
            "description": self.description,
            "exchange_rate": self.rate.map(Rate::to_json),
            "fee": self.fee,
            "fee_details": details,
            "net": self.net(),
            "reporting_category": self.category(),
            "source": self.source,
            "status": if now >= self.available_on { "available" } else { "pending" },
            "type": self.kind,
        })
    }
}

/// Rate of exchange between amounts in wire units, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate(i64);

const MILLION: i64 = 1_000_000;

impl Rate {
    /// Parses a decimal number above zero with at most six decimals.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let decimals: i64 = format!("{decimals:0<6}").parse().ok()?;
        whole.checked_mul(MILLION)?.checked_add(decimals).filter(|it| *it > 0).map(Self)
    }

    /// Converts an amount, rounded half away from zero.
    pub(crate) fn convert(self, amount: i64) -> i64 {
        let exact = i128::from(amount) * i128::from(self.0);
        let half = i128::from(MILLION / 2) * exact.signum();
        i64::try_from((exact + half) / i128::from(MILLION)).unwrap_or(i64::MAX)
    }

    pub(crate) fn to_json(self) -> Value {
        let text = format!("{}.{:06}", self.0 / MILLION, self.0 % MILLION);
        serde_json::from_str(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_converts_amounts_and_rounds_half_away_from_zero() {
        let rate = Rate::parse("1.0837").unwrap();
        assert_eq!((rate.convert(10_000), rate.convert(-10_000), rate.to_json()), (10_837, -10_837, json!(1.0837)));
        let half = Rate::parse("0.5").unwrap();
        assert_eq!((half.convert(1), half.convert(-1), half.convert(0)), (1, -1, 0));
        for bad in ["", ".5", "0", "-1", "1.0000001", "1e3", "1.2.3"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }
}
