use std::borrow::Cow;

use paywright_domain::intent::{PaymentIntent, Proceeds};
use paywright_domain::{Currency, IntentId, Money, Order, Timestamp};

use super::{Column, ColumnError, currency, text};

/// Row of the table `payment_intents`, without the order's id and the position.
#[expect(missing_docs, reason = "each other field is the column of its name, and `PaymentIntent` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIntent<'a> {
    pub provider_id: Cow<'a, str>,
    pub revision: i64,
    pub currency: Cow<'a, str>,
    pub amount: i64,
    pub status: Cow<'a, str>,
    pub received: i64,
    pub capturable: i64,
    /// Amount of the intent's refunds that have not failed, for the checks of the databases; it follows from the refunds.
    pub refunded: i64,
    pub capture_asked: Option<i64>,
    pub balance_currency: Option<Cow<'a, str>>,
    pub balance_gross: Option<i64>,
    pub balance_fee: Option<i64>,
    pub last_error: Option<Cow<'a, str>>,
    pub as_of: i64,
    pub created_at: i64,
    pub confirmed_at: Option<i64>,
}

impl<'a> StoredIntent<'a> {
    /// Row of a PaymentIntent of `order`.
    pub fn of(order: &Order, intent: &'a PaymentIntent) -> Result<Self, ColumnError> {
        let error = Column("payment_intents", "last_error");
        let last_error = intent.last_error.as_ref().map(|it| error.document(it)).transpose()?;
        Ok(Self {
            provider_id: text(intent.id.as_str()),
            revision: i64::from(intent.revision),
            currency: currency(intent.amount),
            amount: intent.amount.minor(),
            status: text(intent.status.name()),
            received: intent.received.minor(),
            capturable: intent.capturable.minor(),
            refunded: order.refunded_of(&intent.id),
            capture_asked: intent.capture_requested.map(Money::minor),
            balance_currency: intent.proceeds.map(|it| currency(it.gross)),
            balance_gross: intent.proceeds.map(|it| it.gross.minor()),
            balance_fee: intent.proceeds.map(|it| it.fee.minor()),
            last_error: last_error.map(Cow::Owned),
            as_of: intent.as_of.unix_micros(),
            created_at: intent.created_at.unix_micros(),
            confirmed_at: intent.confirmed_at.map(Timestamp::unix_micros),
        })
    }

    /// Restores the PaymentIntent.
    pub fn restore(self) -> Result<PaymentIntent, ColumnError> {
        let column = |name| Column("payment_intents", name);
        let currency: Currency = column("currency").read(self.currency.parse())?;
        Ok(PaymentIntent {
            proceeds: self.proceeds()?,
            id: column("provider_id").read(IntentId::new(self.provider_id))?,
            revision: column("revision").count(self.revision)?,
            amount: column("amount").money(self.amount, currency)?,
            status: column("status").found(self.status.parse().ok())?,
            received: column("received").money(self.received, currency)?,
            confirmed_at: self.confirmed_at.map(|it| column("confirmed_at").time(it)).transpose()?,
            capturable: column("capturable").money(self.capturable, currency)?,
            capture_requested: self.capture_asked.map(|it| column("capture_asked").money(it, currency)).transpose()?,
            last_error: self.last_error.map(|it| column("last_error").json(&it)).transpose()?,
            as_of: column("as_of").time(self.as_of)?,
            created_at: column("created_at").time(self.created_at)?,
        })
    }

    fn proceeds(&self) -> Result<Option<Proceeds>, ColumnError> {
        let column = |name| Column("payment_intents", name);
        let (Some(currency), Some(gross), Some(fee)) = (&self.balance_currency, self.balance_gross, self.balance_fee)
        else {
            return Ok(None);
        };
        let currency: Currency = column("balance_currency").read(currency.parse())?;
        let gross = column("balance_gross").money(gross, currency)?;
        Ok(Some(Proceeds { gross, fee: column("balance_fee").money(fee, currency)? }))
    }
}
