//! Settings of the account: its clock, its schedule of payouts and its settlement currency. Stripe has no such calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::calls::Sent;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::objects::Rate;
use crate::state::Twin;

pub(crate) const CLOCK: &[Spec] = &[param("advance", Kind::Int), param("to", Kind::Int)];
pub(crate) const SETTINGS: &[Spec] = &[
    param("payouts", Kind::Word(&["daily", "manual"])),
    param("settlement_currency", Kind::Text(3)),
    param("exchange_rates.*", Kind::Text(20)),
    param("partial_capture_rows", Kind::Word(&["one", "two"])),
];

/// Largest number of seconds by which the clock can be ahead: ten years.
const AHEAD_MAX: i64 = 10 * 366 * 24 * 3600;

/// Settings of the account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Number of seconds by which the account's clock is ahead of the real one.
    pub(crate) ahead: i64,
    /// Time of the next automatic payouts; `None` if they are made by requests.
    pub(crate) next_payouts: Option<i64>,
    /// Currency of the balance for payments in the currencies of `rates`.
    pub(crate) settlement: Option<String>,
    /// Rates into the settlement currency, by currency.
    pub(crate) rates: BTreeMap<String, Rate>,
    /// Whether a partial capture has two balance transactions, as before version 2025-03-31.basil: one of the whole
    /// authorized amount, and one that reverses what was not captured.
    #[serde(default)]
    pub(crate) reverses_partial_captures: bool,
    /// Amounts of balance transactions that were removed because of their number, by
    /// [`crate::balance::removed_key`].
    pub(crate) removed: BTreeMap<String, i64>,
}

impl Account {
    /// Amount and currency of the balance for an amount of a payment, and the rate if the currency is another one.
    pub(crate) fn settle(&self, amount: i64, currency: &str) -> (i64, String, Option<Rate>) {
        match (&self.settlement, self.rates.get(currency)) {
            (Some(other), Some(rate)) if other != currency => (rate.convert(amount), other.clone(), Some(*rate)),
            (_, _) => (amount, currency.to_owned(), None),
        }
    }

    fn to_json(&self, now: i64) -> Value {
        let rates: BTreeMap<_, _> = self.rates.iter().map(|(currency, rate)| (currency, rate.to_json())).collect();
        json!({
            "object": "twin.account",
            "now": now,
            "payouts": if self.next_payouts.is_some() { "daily" } else { "manual" },
            "settlement_currency": self.settlement,
            "exchange_rates": rates,
            "partial_capture_rows": if self.reverses_partial_captures { "two" } else { "one" },
        })
    }
}

impl Twin {
    /// Time of the account's clock at a time of the real one, both in seconds since 1970.
    pub fn time_at(&self, real: i64) -> i64 {
        real.saturating_add(self.account.ahead)
    }

    /// Moves the clock ahead, by `advance` seconds or `to` a time, and performs what is due until then.
    pub(crate) fn move_clock(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (params, now) = (sent.params, sent.now);
        let (name, by) = match (params.int("advance"), params.int("to")) {
            (Some(by), None) => ("advance", by),
            (None, Some(to)) => ("to", to.saturating_sub(now)),
            (None, None) => {
                let message = "Missing required param: advance or to.";
                return Err(Refusal::parameter("parameter_missing", "advance", message));
            }
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: advance, to.";
                return Err(Refusal::parameter("parameters_exclusive", "advance", message));
            }
        };
        if by < 0 || self.account.ahead.saturating_add(by) > AHEAD_MAX {
            let message = format!("The clock is moved ahead only, by at most {AHEAD_MAX} seconds in all.");
            return Err(Refusal::invalid(name, &message));
        }
        self.account.ahead += by;
        self.pass_time(now + by);
        Ok(self.account.to_json(now + by))
    }

    /// Reads the settings.
    pub(crate) fn show_account(&self, sent: &Sent<'_>) -> Value {
        self.account.to_json(sent.now)
    }

    /// Changes the schedule of payouts, the settlement currency with its rates, or the rows of a partial capture.
    pub(crate) fn set_account(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let mut account = self.account.clone();
        for (currency, text) in params.below("exchange_rates") {
            let wrong = || {
                let message = format!("Invalid rate: {text}. It must be a decimal number with at most six decimals.");
                Refusal::invalid(&format!("exchange_rates[{currency}]"), &message)
            };
            account.rates.insert(currency.to_owned(), Rate::parse(text).ok_or_else(wrong)?);
        }
        if let Some(currency) = params.given("settlement_currency") {
            account.settlement = Some(currency.to_lowercase()).filter(|it| !it.is_empty());
        }
        if let Some(rows) = params.text("partial_capture_rows") {
            account.reverses_partial_captures = rows == "two";
        }
        match params.text("payouts") {
            Some("daily") if account.next_payouts.is_none() => account.next_payouts = Some(next_day(sent.now)),
            Some("manual") => account.next_payouts = None,
            Some(_) | None => {}
        }
        self.account = account;
        self.check_at(sent.now);
        Ok(self.account.to_json(sent.now))
    }
}

/// Length of a day, in seconds.
pub(crate) const DAY: i64 = 24 * 3600;

/// First midnight in UTC after a time.
pub(crate) fn next_day(time: i64) -> i64 {
    (time.div_euclid(DAY) + 1) * DAY
}
