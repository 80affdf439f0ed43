//! PaymentIntents: create, read, list and update.

mod bank_debits;
mod capture;
mod confirm;
mod limits;
mod method_types;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use self::confirm::{check_return, next_action};
use self::limits::check_amount;
pub(crate) use self::limits::{check_email, written};
pub(crate) use self::method_types::{
    TYPES as METHOD_TYPES, check_automatic, check_modelled, incompatible, named_types,
};
use self::method_types::{check_descriptor, check_kind, check_types, types_of_creation};
use crate::amount_details::AmountDetails;
use crate::calls::Sent;
use crate::card_options::CardOptions;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, clearable, param, required_text};
use crate::lists::{is, is_created, page};
use crate::objects::{AutomaticMethods, Fields, Intent, PaymentMethod, Snapshot};
use crate::params::Params;
use crate::state::Twin;

const CAPTURE_METHODS: &[&str] = &["automatic", "automatic_async", "manual"];
const CANCEL_REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
const USAGE: &[&str] = &["off_session", "on_session"];
const OFF_SESSION: Kind = Kind::BoolOr(&["one_off", "recurring"]);

pub(crate) const CONTENT: &[Spec] = &[
    param("amount", Kind::Int),
    param("currency", Kind::Text(3)),
    param("customer", Kind::Id),
    param("payment_method", Kind::Id),
    required_text("payment_method_types.*", 5000),
    param("description", Kind::Text(1000)),
    param("receipt_email", Kind::Text(512)),
    clearable("setup_future_usage", Kind::Word(USAGE)),
    clearable("statement_descriptor", Kind::Descriptor(5)),
    clearable("statement_descriptor_suffix", Kind::Descriptor(1)),
    param("capture_method", Kind::Word(CAPTURE_METHODS)),
    param("transfer_group", Kind::Text(5000)),
];

/// `payment_details`, which each card network shows on the statement.
pub(crate) const PAYMENT_DETAILS: &[Spec] = &[
    param("payment_details", Kind::Unset),
    param("payment_details.order_reference", Kind::Text(5000)),
    param("payment_details.customer_reference", Kind::Text(5000)),
];

pub(crate) const SHIPPING: &[Spec] = &[
    param("shipping", Kind::Unset),
    param("shipping.name", Kind::Text(5000)),
    param("shipping.phone", Kind::Text(5000)),
    param("shipping.carrier", Kind::Text(5000)),
    param("shipping.tracking_number", Kind::Text(5000)),
    param("shipping.address.city", Kind::Text(5000)),
    param("shipping.address.country", Kind::Text(5000)),
    param("shipping.address.line1", Kind::Text(5000)),
    param("shipping.address.line2", Kind::Text(5000)),
    param("shipping.address.postal_code", Kind::Text(5000)),
    param("shipping.address.state", Kind::Text(5000)),
];

pub(crate) const CREATION: &[Spec] = &[
    param("automatic_payment_methods.enabled", Kind::Bool),
    param("automatic_payment_methods.allow_redirects", Kind::Word(&["always", "never"])),
    param("confirm", Kind::Bool),
    param("confirmation_method", Kind::Word(&["automatic", "manual"])),
    param("off_session", OFF_SESSION),
    param("return_url", Kind::Url),
    param("error_on_requires_action", Kind::Bool),
    param("use_stripe_sdk", Kind::Bool),
];

pub(crate) const CONFIRMATION: &[Spec] = &[
    param("payment_method", Kind::Id),
    required_text("payment_method_types.*", 5000),
    param("return_url", Kind::Url),
    param("off_session", OFF_SESSION),
    clearable("setup_future_usage", Kind::Word(USAGE)),
    param("receipt_email", Kind::Text(512)),
    param("capture_method", Kind::Word(CAPTURE_METHODS)),
    param("error_on_requires_action", Kind::Bool),
    param("use_stripe_sdk", Kind::Bool),
];

pub(crate) const CAPTURE: &[Spec] = &[
    param("amount_to_capture", Kind::Int),
    param("final_capture", Kind::Bool),
    clearable("statement_descriptor", Kind::Descriptor(5)),
    clearable("statement_descriptor_suffix", Kind::Descriptor(1)),
];

pub(crate) const CANCEL: &[Spec] = &[param("cancellation_reason", Kind::Word(CANCEL_REASONS))];

/// Checks the parameters of a new PaymentIntent that can be checked by themselves.
fn check_creation(params: &Params) -> Result<(), Refusal> {
    check_email(params, "receipt_email")?;
    params.required("amount")?;
    let currency = params.required("currency")?.to_lowercase();
    check_amount(params.int("amount").unwrap_or_default(), &currency)?;
    check_automatic(params, &["payment_method_types", "confirmation_method"])?;
    if !params.flag("confirm") {
        for name in ["off_session", "error_on_requires_action", "return_url"] {
            if params.text(name).is_some_and(|it| !it.eq_ignore_ascii_case("false")) {
                let message = format!(
                    "The parameter `{name}` cannot be passed when creating a PaymentIntent unless `confirm` is set to true."
                );
                return Err(Refusal::invalid(name, &message));
            }
        }
    }
    Ok(())
}

impl Twin {
    pub(crate) fn create_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (params, now) = (sent.params, sent.now);
        check_creation(params)?;
        let amount = params.int("amount").unwrap_or_default();
        let currency = params.required("currency")?.to_lowercase();
        let capture_method = params.text("capture_method").unwrap_or("automatic_async");
        let types = types_of_creation(params, &currency, capture_method)?;
        let customer = params.owned("customer");
        if let Some(id) = &customer {
            self.check_customer(id)?;
        }
        let mut shipping = Fields::default();
        shipping.replace(params, "shipping", &["address", "name"])?;
        let amount_details = AmountDetails::default().changed(params, amount)?;
        let payment_method = self.method_for_creation(sent, customer.as_deref())?;
        let automatic = AutomaticMethods::of(params);
        check_kind(self.kind_of(payment_method.as_deref()), automatic.is_some(), &types, &currency, capture_method)?;
        let id = self.draw("pi_");
        let mut intent = Intent {
            client_secret: format!("{id}_secret_{}", self.draw("")),
            id,
            amount,
            amount_capturable: 0,
            amount_received: 0,
            currency,
            status: if payment_method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.into(),
            capture_method: capture_method.into(),
            confirms_manually: params.text("confirmation_method") == Some("manual"),
            payment_method_types: types,
            automatic_payment_methods: automatic,
            customer,
            payment_method,
            latest_charge: None,
            last_payment_error: None,
            next_action: None,
            cancellation_reason: None,
            canceled_at: None,
            authorized_at: None,
            is_authenticated: false,
            description: params.owned("description"),
            receipt_email: params.owned("receipt_email"),
            setup_future_usage: params.owned("setup_future_usage"),
            return_url: params.owned("return_url"),
            statement_descriptor: params.owned("statement_descriptor"),
            statement_descriptor_suffix: params.owned("statement_descriptor_suffix"),
            transfer_group: params.owned("transfer_group"),
            shipping,
            payment_details: Fields::of(params, "payment_details"),
            card_options: CardOptions::default(),
            metadata: params.metadata(),
            amount_details,
            created: now,
        };
        intent.card_options.replace(params);
        self.emit("payment_intent.created", &intent, now);
        let id = intent.id.clone();
        self.intents.insert(intent);
        if params.flag("confirm") {
            self.confirm(&id, params, now)?;
        }
        self.show_intent(&id)
    }

    /// Payment method of a new intent, with the checks of a creation that confirms it at once.
    fn method_for_creation(&mut self, sent: &Sent<'_>, customer: Option<&str>) -> Result<Option<String>, Refusal> {
        let params = sent.params;
        if params.flag("confirm") {
            params.required("payment_method").map_err(|_| confirm::without_method())?;
        }
        let method = params.text("payment_method").map(|it| self.resolve_method(it, sent.now)).transpose()?;
        self.check_owner(method.as_ref(), customer, None)?;
        if params.flag("confirm") {
            check_return("PaymentIntent", AutomaticMethods::of(params), params.text("return_url"), sent)?;
        }
        Ok(method)
    }

    pub(crate) fn list_intents(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Intent| {
            is_created(it.created, sent.params)
                && is(sent.params, "customer", it.customer.as_deref().unwrap_or_default())
        };
        page("/v1/payment_intents", "payment_intent", &self.intents, sent.params, wanted, Intent::to_json)
    }

    /// The intent as an answer.
    pub(crate) fn show_intent(&self, id: &str) -> Result<Snapshot, Refusal> {
        self.intent(id).map(Snapshot::from)
    }

    pub(crate) fn update_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (id, params, now) = (sent.id, sent.params, sent.now);
        check_email(params, "receipt_email")?;
        self.intent(id)?;
        let method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        if let Some(customer) = params.text("customer") {
            self.check_customer(customer)?;
        }
        let before = self.intent(id)?;
        let customer = params.text("customer").or(before.customer.as_deref());
        self.check_owner(method.as_ref().or(before.payment_method.as_ref()), customer, Some(before))?;
        let kind = self.kind_of(method.as_deref().or(before.payment_method.as_deref()));
        let intent = self.intent_mut(id)?;
        check_update(intent, params)?;
        let currency = params.text("currency").map_or_else(|| intent.currency.clone(), str::to_lowercase);
        let amount = params.int("amount").unwrap_or(intent.amount);
        if params.has("amount") || params.has("currency") {
            check_amount(amount, &currency)?;
        }
        let named = named_types(params, "PaymentIntent")?;
        let types = named.as_deref().unwrap_or(&intent.payment_method_types);
        let capture_method = params.text("capture_method").unwrap_or(&intent.capture_method);
        check_types(types, &currency, capture_method)?;
        let is_automatic = named.is_none() && intent.automatic_payment_methods.is_some();
        check_kind(kind, is_automatic, types, &currency, capture_method)?;
        let descriptor = params.given("statement_descriptor").or(intent.statement_descriptor.as_deref());
        check_descriptor(descriptor.filter(|it| !it.is_empty()), types)?;
        let amount_details = intent.amount_details.changed(params, amount)?;
        intent.shipping.replace(params, "shipping", &["address", "name"])?;
        (intent.amount, intent.currency, intent.amount_details) = (amount, currency, amount_details);
        if intent.is_open() && params.has("payment_method") {
            // Another payment method must be confirmed again ("Update a PaymentIntent").
            intent.payment_method = method.or(intent.payment_method.take());
            let has_method = intent.payment_method.is_some();
            intent.status = if has_method { "requires_confirmation" } else { "requires_payment_method" }.into();
            (intent.next_action, intent.is_authenticated) = (None, false);
        }
        if let Some(types) = named {
            (intent.payment_method_types, intent.automatic_payment_methods) = (types, None);
        }
        params.replace("customer", &mut intent.customer);
        params.replace("description", &mut intent.description);
        params.replace("receipt_email", &mut intent.receipt_email);
        params.replace("setup_future_usage", &mut intent.setup_future_usage);
        params.replace("statement_descriptor", &mut intent.statement_descriptor);
        params.replace("statement_descriptor_suffix", &mut intent.statement_descriptor_suffix);
        params.replace("transfer_group", &mut intent.transfer_group);
        if let Some(method) = params.text("capture_method") {
            method.clone_into(&mut intent.capture_method);
        }
        intent.payment_details.merge(params, "payment_details");
        intent.card_options.replace(params);
        params.merge_metadata(&mut intent.metadata);
        intent.last_payment_error = None;
        Ok(Snapshot::from(&*intent))
    }

    pub(crate) fn intent(&self, id: &str) -> Result<&Intent, Refusal> {
        self.intents.get(id).ok_or_else(|| Refusal::no_such("payment_intent", id))
    }

    pub(crate) fn intent_mut(&mut self, id: &str) -> Result<&mut Intent, Refusal> {
        self.intents.get_mut(id).ok_or_else(|| Refusal::no_such("payment_intent", id))
    }

    /// Type of a payment method.
    fn kind_of(&self, method: Option<&str>) -> Option<&'static str> {
        method.and_then(|it| self.payment_methods.get(it)).map(PaymentMethod::kind)
    }

    /// Refuses a saved payment method of another customer, at creation, update and confirmation. The refusal of a call about
    /// an `intent` includes it.
    fn check_owner(
        &self,
        method: Option<&String>,
        customer: Option<&str>,
        intent: Option<&Intent>,
    ) -> Result<(), Refusal> {
        let Some((method, owner)) = method.zip(self.other_owner(method.map(String::as_str), customer)) else {
            return Ok(());
        };
        let refusal = if let Some(customer) = customer {
            Refusal::not_of_customer(method, customer)
        } else {
            let message = format!(
                "The `payment_method` parameter supplied {method} belongs to the Customer {owner}. Please include the \
                 Customer in the `customer` parameter on the PaymentIntent."
            );
            // Stripe names the older parameter.
            Refusal::parameter("parameter_missing", "source", &message)
        };
        Err(Refusal { with: intent.map(|it| ("payment_intent", it.to_json())).into_iter().collect(), ..refusal })
    }
}

/// Refuses an update of what is final in the intent's status.
fn check_update(intent: &Intent, params: &Params) -> Result<(), Refusal> {
    const OPEN: &str = "requires_payment_method, requires_confirmation, requires_action";
    if intent.is_open() {
        return Ok(());
    }
    let final_now = ["amount", "currency", "payment_method", "capture_method", "customer"];
    match final_now.into_iter().find(|it| params.has(it)) {
        Some(name) => {
            let message = format!(
                "This PaymentIntent's {name} could not be updated because it has a status of {}. You may only update the \
                 {name} of a PaymentIntent with one of the following statuses: {OPEN}.",
                intent.status
            );
            Err(unexpected_state(intent, message))
        }
        None => Ok(()),
    }
}

/// Refusal of a call that the intent's status does not allow; it includes the intent.
pub(crate) fn unexpected_state(intent: &Intent, message: String) -> Refusal {
    let mut refusal = Refusal::state("payment_intent_unexpected_state", message);
    refusal.with = vec![("payment_intent", intent.to_json())];
    refusal
}
