//! What callers send, and the way from there into the domain. Every problem of a body is named at once.

use std::collections::BTreeMap;
use std::fmt::Display;

use paywright_domain::{
    Adjustment, AdjustmentKind, CancelReason, CaptureMethod, Currency, CustomerId, Email, IntentId, LineItem, Metadata,
    Money, NewOrder, NewRefund, OrderEdit, RefundReason, Text,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::problem::{FieldProblem, Problem};

/// What a body of JSON is read as.
pub(crate) trait JsonBody: DeserializeOwned {
    /// The code of a refusal of its fields.
    const INVALID: &'static str;
}

impl JsonBody for OrderBody {
    const INVALID: &'static str = "invalid_order";
}

impl JsonBody for EditBody {
    const INVALID: &'static str = OrderBody::INVALID;
}

impl JsonBody for CancelBody {
    const INVALID: &'static str = OrderBody::INVALID;
}

impl JsonBody for CaptureBody {
    const INVALID: &'static str = "invalid_capture";
}

impl JsonBody for RefundBody {
    const INVALID: &'static str = "invalid_refund";
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    currency: String,
    customer: Option<String>,
    email: Option<String>,
    line_items: Vec<LineBody>,
    #[serde(default)]
    adjustments: Vec<AdjustmentBody>,
    capture: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineBody {
    name: String,
    /// Minor units of ISO 4217.
    amount: i64,
    quantity: i64,
    #[serde(default)]
    description: String,
    sku: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdjustmentBody {
    kind: String,
    label: String,
    /// Minor units of ISO 4217.
    amount: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditBody {
    line_items: Option<Vec<LineBody>>,
    adjustments: Option<Vec<AdjustmentBody>>,
    #[serde(default)]
    email: Change,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptureBody {
    /// A decimal in major units; all that is authorised if absent.
    amount: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundBody {
    /// A decimal in major units; all that is left if absent.
    amount: Option<String>,
    reason: Option<String>,
    payment_intent: Option<String>,
}

/// A field that may be absent, null or a text.
#[derive(Debug, Default)]
enum Change {
    #[default]
    Absent,
    Cleared,
    Set(String),
}

impl<'de> Deserialize<'de> for Change {
    /// Is not asked where the field is absent.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Cleared, Self::Set))
    }
}

/// The problems of one body, gathered while it is read.
#[derive(Default)]
pub(crate) struct Check(pub(crate) Vec<FieldProblem>);

impl Check {
    pub(crate) fn note(&mut self, field: impl Into<String>, problem: &dyn Display) {
        self.0.push(FieldProblem { field: field.into(), problem: problem.to_string() });
    }

    pub(crate) fn take<T, E: Display>(&mut self, field: impl Into<String>, value: Result<T, E>) -> Option<T> {
        value.map_err(|problem| self.note(field, &problem)).ok()
    }

    fn lines(&mut self, bodies: Vec<LineBody>, currency: Currency) -> Vec<LineItem> {
        let read = |(index, body): (usize, LineBody)| {
            let at = |field: &str| format!("line_items[{index}].{field}");
            let amount = self.take(at("amount"), Money::new(body.amount, currency));
            // What is no quantity at all is 0 here, which the domain refuses in its own words.
            let quantity = u32::try_from(body.quantity).unwrap_or(0);
            let description = self.take(at("description"), Text::new(body.description));
            let sku = body.sku.map(|it| self.take(at("sku"), Text::new(it)));
            let line = LineItem::new(body.name, amount?, quantity);
            let mut line = line.map_err(|problem| self.note(format!("line_items[{index}]"), &problem)).ok()?;
            line.description = description?;
            line.sku = sku.flatten();
            Some(line)
        };
        bodies.into_iter().enumerate().filter_map(read).collect()
    }

    fn adjustments(&mut self, bodies: Vec<AdjustmentBody>, currency: Currency) -> Vec<Adjustment> {
        let read = |(index, body): (usize, AdjustmentBody)| {
            let at = |field: &str| format!("adjustments[{index}].{field}");
            let kind = AdjustmentKind::named(&body.kind);
            let kind = self.take(at("kind"), kind.ok_or("must be discount, shipping, tax or tax_included"));
            let label = self.take(at("label"), Text::new(body.label));
            let amount = self.take(at("amount"), Money::new(body.amount, currency));
            Some(Adjustment { kind: kind?, label: label?, amount: amount? })
        };
        bodies.into_iter().enumerate().filter_map(read).collect()
    }

    fn metadata(&mut self, entries: BTreeMap<String, String>) -> Metadata {
        let read = |(key, value): (String, String)| {
            let at = format!("metadata.{key}");
            let key = self.take(at.clone(), Text::new(key));
            let value = self.take(at, Text::new(value));
            Some((key?, value?))
        };
        entries.into_iter().filter_map(read).collect()
    }

    fn amount(&mut self, text: Option<String>, currency: Currency) -> Option<Money> {
        text.and_then(|it| self.take("amount", Money::parse_decimal(&it, currency)))
    }

    /// What was read of a `B`, if all of it could be.
    fn done<B: JsonBody, T>(self, value: T) -> Result<T, Problem> {
        if self.0.is_empty() { Ok(value) } else { Err(Problem::invalid::<B>(self.0)) }
    }
}

impl OrderBody {
    pub(crate) fn into_new_order(self) -> Result<NewOrder, Problem> {
        let mut check = Check::default();
        let Some(currency) = check.take("currency", self.currency.parse::<Currency>()) else {
            return Err(Problem::invalid::<Self>(check.0));
        };
        let capture = match self.capture.as_deref() {
            None | Some("automatic") => CaptureMethod::Automatic,
            Some("manual") => CaptureMethod::Manual,
            Some(_) => {
                check.note("capture", &"must be automatic or manual");
                CaptureMethod::Automatic
            }
        };
        let new = NewOrder {
            customer: self.customer.and_then(|it| check.take("customer", CustomerId::new(it))),
            email: self.email.and_then(|it| check.take("email", Email::new(it))),
            lines: check.lines(self.line_items, currency),
            adjustments: check.adjustments(self.adjustments, currency),
            capture,
            metadata: check.metadata(self.metadata),
            ..NewOrder::empty(currency)
        };
        check.done::<Self, _>(new)
    }
}

impl EditBody {
    /// Amounts are in the order's own currency.
    pub(crate) fn into_edit(self, currency: Currency) -> Result<OrderEdit, Problem> {
        let mut check = Check::default();
        let edit = OrderEdit {
            lines: self.line_items.map(|it| check.lines(it, currency)),
            adjustments: self.adjustments.map(|it| check.adjustments(it, currency)),
            email: match self.email {
                Change::Absent => None,
                Change::Cleared => Some(None),
                Change::Set(text) => check.take("email", Email::new(text)).map(Some),
            },
            metadata: self.metadata.map(|it| check.metadata(it)),
            ..OrderEdit::default()
        };
        check.done::<Self, _>(edit)
    }
}

impl CancelBody {
    pub(crate) fn into_reason(self) -> Result<CancelReason, Problem> {
        let Some(text) = self.reason else { return Ok(CancelReason::RequestedByCustomer) };
        let known = CancelReason::named(&text);
        known.ok_or_else(|| {
            let problem = "must be duplicate, fraudulent, requested_by_customer or abandoned".into();
            Problem::invalid::<Self>(vec![FieldProblem { field: "reason".into(), problem }])
        })
    }
}

impl CaptureBody {
    pub(crate) fn into_amount(self, currency: Currency) -> Result<Option<Money>, Problem> {
        let mut check = Check::default();
        let amount = check.amount(self.amount, currency);
        check.done::<Self, _>(amount)
    }
}

impl RefundBody {
    pub(crate) fn into_refund(self, currency: Currency) -> Result<NewRefund, Problem> {
        let mut check = Check::default();
        let reason = self.reason.and_then(|it| {
            let known = RefundReason::named(&it);
            check.take("reason", known.ok_or("must be duplicate, fraudulent or requested_by_customer"))
        });
        let intent = self.payment_intent.and_then(|it| check.take("payment_intent", IntentId::new(it)));
        let amount = check.amount(self.amount, currency);
        check.done::<Self, _>(NewRefund { amount, intent, reason, request: None })
    }
}
