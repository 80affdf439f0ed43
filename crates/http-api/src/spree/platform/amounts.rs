//! Attributes with amounts: signed decimals of major units, and amounts for people as `display_…`.

use paywright_domain::Money;
use paywright_domain::money::MoneyError;
use serde_json::{Map, Value, json};

use crate::spree::amount::{decimal, display, negative_decimal, negative_display};

/// Amount with a sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed {
    amount: Money,
    is_negative: bool,
}

impl From<Money> for Signed {
    fn from(amount: Money) -> Self {
        Self { amount, is_negative: false }
    }
}

impl Signed {
    /// Negative of `amount`; zero has no sign.
    pub(super) const fn negative(amount: Money) -> Self {
        Self { amount, is_negative: true }
    }

    /// `more` minus `less`.
    pub(super) fn difference(more: Money, less: Money) -> Result<Self, MoneyError> {
        match more.minus(less) {
            Err(MoneyError::Negative) => Ok(Self::negative(less.minus(more)?)),
            difference => Ok(difference?.into()),
        }
    }

    fn decimal(self) -> String {
        if self.is_negative { negative_decimal(self.amount) } else { decimal(self.amount) }
    }

    fn display(self) -> String {
        if self.is_negative { negative_display(self.amount) } else { display(self.amount) }
    }
}

/// Attributes of a resource.
#[derive(Debug, Default)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// Attributes of a JSON object.
    pub(super) fn of(object: Value) -> Self {
        match object {
            Value::Object(fields) => Self(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Self::default(),
        }
    }

    /// Adds each amount as a decimal and as `display_…`.
    pub(super) fn amounts(mut self, amounts: &[(&str, Signed)]) -> Self {
        for (name, amount) in amounts {
            self.0.insert((*name).to_owned(), json!(amount.decimal()));
        }
        self.displays(amounts)
    }

    /// Adds each amount as a decimal alone.
    pub(super) fn decimals(mut self, amounts: &[(&str, Signed)]) -> Self {
        self.0.extend(amounts.iter().map(|(name, amount)| ((*name).to_owned(), json!(amount.decimal()))));
        self
    }

    /// Adds each amount as `display_…` alone.
    pub(super) fn displays(mut self, amounts: &[(&str, Signed)]) -> Self {
        self.0.extend(amounts.iter().map(|(name, amount)| (format!("display_{name}"), json!(amount.display()))));
        self
    }

    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}
