//! Payment methods: test cards by their tokens, and cards that customers save.

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::cards::{self, Card};
use crate::error::Refusal;
use crate::intents::METHOD_TYPES;
use crate::kinds::{Kind, Spec, clearable, param};
use crate::lists::{is, page};
use crate::objects::{Fields, Metadata, PaymentMethod};
use crate::state::Twin;

const REDISPLAY: Kind = Kind::Word(&["always", "limited", "unspecified"]);

pub(crate) const DETAILS: &[Spec] = &[
    param("allow_redisplay", REDISPLAY),
    clearable("billing_details.address", Kind::Unset),
    param("billing_details.address.city", Kind::Text(5000)),
    param("billing_details.address.country", Kind::Text(5000)),
    param("billing_details.address.line1", Kind::Text(5000)),
    param("billing_details.address.line2", Kind::Text(5000)),
    param("billing_details.address.postal_code", Kind::Text(5000)),
    param("billing_details.address.state", Kind::Text(5000)),
    param("billing_details.email", Kind::Text(5000)),
    param("billing_details.name", Kind::Text(5000)),
    param("billing_details.phone", Kind::Text(5000)),
    param("billing_details.tax_id", Kind::Text(5000)),
];
pub(crate) const CREATION: &[Spec] = &[param("type", Kind::Word(METHOD_TYPES)), param("card.token", Kind::Id)];
pub(crate) const UPDATE: &[Spec] = &[param("card.exp_month", Kind::Int), param("card.exp_year", Kind::Int)];
pub(crate) const FILTERS: &[Spec] = &[param("type", Kind::Word(METHOD_TYPES)), param("allow_redisplay", REDISPLAY)];

impl Twin {
    /// `POST /v1/payment_methods`: a card by the older token of a test card, like `tok_visa`.
    pub(crate) fn create_method(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let kind = sent.params.required("type")?;
        if kind != "card" {
            let message = format!("The twin models payment methods of type card only, not of type {kind}");
            return Err(Refusal::parameter("parameter_not_modelled", "type", &message));
        }
        let token = sent.params.text("card.token").ok_or_else(|| Refusal::required("card"))?;
        let card =
            cards::by_old_token(token).ok_or_else(|| Refusal::no_such("token", token).of_param("card[token]"))?;
        if let Some(decline) = card.attachment_decline().filter(|it| it.code == "incorrect_cvc") {
            return Err(Refusal::declined(decline));
        }
        let mut method = self.new_method(card, sent.now);
        method.billing_details.merge(sent.params, "billing_details");
        if let Some(redisplay) = sent.params.text("allow_redisplay") {
            redisplay.clone_into(&mut method.allow_redisplay);
        }
        method.metadata = sent.params.metadata();
        let json = method.to_json();
        self.payment_methods.insert(method);
        Ok(json)
    }

    fn new_method(&mut self, card: &Card, now: i64) -> PaymentMethod {
        PaymentMethod {
            id: self.draw("pm_"),
            token: card.token.into(),
            customer: None,
            is_used_up: false,
            is_set_up: false,
            allow_redisplay: "unspecified".into(),
            billing_details: Fields::default(),
            exp_month: 12,
            exp_year: 2034,
            metadata: Metadata::new(),
            created: now,
        }
    }

    /// Shows a payment method. The token of a test card becomes a new one at each read, as it does at Stripe.
    pub(crate) fn retrieve_method(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let is_token = self.payment_methods.get(id).is_none() && cards::by_token(id).is_some();
        let made = if is_token { Some(self.resolve_method(id, now)?) } else { None };
        self.method(made.as_deref().unwrap_or(id)).map(PaymentMethod::to_json)
    }

    fn method(&self, id: &str) -> Result<&PaymentMethod, Refusal> {
        self.payment_methods.get(id).ok_or_else(|| Refusal::no_such("PaymentMethod", id))
    }

    /// Payment methods of a customer.
    pub(crate) fn list_methods(&self, sent: &Sent<'_>, customer: &str) -> Result<Value, Refusal> {
        self.check_customer(customer)?;
        let wanted = |it: &PaymentMethod| {
            it.customer.as_deref() == Some(customer)
                && is(sent.params, "type", it.kind())
                && is(sent.params, "allow_redisplay", &it.allow_redisplay)
        };
        page(&sent.request.path, "PaymentMethod", &self.payment_methods, sent.params, wanted, PaymentMethod::to_json)
    }

    pub(crate) fn update_method(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let before = self.method(sent.id)?.clone();
        if before.customer.is_none() {
            let message = "You must save this PaymentMethod to a customer before you can update it.";
            return Err(Refusal::invalid("payment_method", message));
        }
        let mut method = before.clone();
        method.billing_details.merge(sent.params, "billing_details");
        method.exp_month = sent.params.int("card.exp_month").unwrap_or(method.exp_month);
        method.exp_year = sent.params.int("card.exp_year").unwrap_or(method.exp_year);
        if !(1..=12).contains(&method.exp_month) {
            let refusal = Refusal::invalid("card[exp_month]", "Your card's expiration month is invalid.");
            return Err(Refusal { code: Some("invalid_expiry_month".to_owned()), ..refusal });
        }
        if let Some(redisplay) = sent.params.text("allow_redisplay") {
            redisplay.clone_into(&mut method.allow_redisplay);
        }
        sent.params.merge_metadata(&mut method.metadata);
        let json = method.to_json();
        self.emit_updated("payment_method.updated", &before, &method, sent.now);
        self.payment_methods.insert(method);
        Ok(json)
    }

    /// Id of a payment method: an existing one by its id, or a new one by the token of a test card.
    pub(crate) fn resolve_method(&mut self, text: &str, now: i64) -> Result<String, Refusal> {
        if let Some(known) = self.payment_methods.get(text) {
            if known.is_used_up {
                let message = "The provided PaymentMethod was previously used with a PaymentIntent without Customer \
                               attachment, shared with a connected account without Customer attachment, or was detached \
                               from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must \
                               attach it to a Customer first.";
                return Err(
                    Refusal::state("payment_method_unexpected_state", message.to_owned()).of_param("payment_method")
                );
            }
            return Ok(known.id.clone());
        }
        let card = cards::by_token(text);
        let card = card.ok_or_else(|| Refusal::no_such("PaymentMethod", text).of_param("payment_method"))?;
        let method = self.new_method(card, now);
        let id = method.id.clone();
        self.payment_methods.insert(method);
        Ok(id)
    }

    /// Owner of a payment method that is attached to another customer than `customer`.
    pub(crate) fn other_owner(&self, method: Option<&str>, customer: Option<&str>) -> Option<&str> {
        let method = method.and_then(|it| self.payment_methods.get(it));
        method.and_then(|it| it.customer.as_deref()).filter(|it| customer != Some(*it))
    }

    /// Refuses a payment method that cannot be attached to a customer.
    pub(crate) fn check_attachable(&self, id: &str, customer: &str) -> Result<(), Refusal> {
        let method = self.method(id)?;
        if method.customer.as_ref().is_some_and(|it| it != customer) {
            let message = "The payment method you provided has already been attached to a customer.".to_owned();
            return Err(Refusal { code: None, ..Refusal::state("", message) });
        }
        match cards::by_token(&method.token).and_then(Card::attachment_decline) {
            Some(decline) => Err(Refusal::declined(decline)),
            None => Ok(()),
        }
    }

    pub(crate) fn attach(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let customer = sent.params.required("customer")?.to_owned();
        self.check_customer(&customer)?;
        let id = self.resolve_method(sent.id, sent.now).map_err(|refusal| match refusal.code.as_deref() {
            Some("resource_missing") => Refusal { status: 404, ..refusal },
            _ => refusal,
        })?;
        self.check_attachable(&id, &customer)?;
        self.save_method(&id, customer, sent.now);
        self.method(&id).map(PaymentMethod::to_json)
    }

    /// Attaches a payment method to a customer, unless it already has one.
    pub(crate) fn save_method(&mut self, id: &str, customer: String, now: i64) {
        let Some(method) = self.payment_methods.get_mut(id) else { return };
        if method.customer.is_none() {
            method.customer = Some(customer);
            let method = method.clone();
            self.emit("payment_method.attached", &method, now);
        }
    }

    pub(crate) fn detach(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let before = self.method(id)?.clone();
        let Some(customer) = before.customer.clone() else {
            let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(Refusal { code: None, ..Refusal::state("", message.to_owned()) });
        };
        let method = PaymentMethod { customer: None, is_used_up: true, ..before };
        let json = method.to_json();
        self.emit("payment_method.detached", &method, now);
        self.payment_methods.insert(method);
        if let Some(customer) = self.customers.get_mut(&customer) {
            customer.default_method = customer.default_method.take().filter(|it| it != id);
        }
        Ok(json)
    }

    /// Payment method of the customer that the path names.
    pub(crate) fn retrieve_method_of_customer(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let id = sent.request.path.rsplit('/').next().unwrap_or_default();
        let found = self.payment_methods.get(id).filter(|it| it.customer.as_deref() == Some(sent.id));
        found.map(PaymentMethod::to_json).ok_or_else(|| Refusal::no_such("PaymentMethod", id))
    }

    /// Cards and accounts with which a customer may pay, without a page: an empty list for an unknown customer.
    pub(crate) fn list_customers_methods(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        match sent.params.text("customer") {
            Some(customer) => self.list_methods(sent, customer),
            None => Ok(json!({ "object": "list", "data": [], "has_more": false, "url": sent.request.path })),
        }
    }
}
