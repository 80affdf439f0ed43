//! PaymentIntents: create, retrieve, list, update, confirm, capture, cancel, and their later outcome at the bank.

use serde_json::{Value, json};

use crate::amount_details::AmountDetails;
use crate::card_options::CardOptions;
use crate::cards::{self, Outcome};
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, clearable, param};
use crate::lists::{is_created, page};
use crate::objects::{Intent, set};
use crate::params::Params;
use crate::state::Twin;

const CAPTURE_METHODS: &[&str] = &["automatic", "automatic_async", "manual"];
const CANCEL_REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer", "abandoned"];

const USAGE: &[&str] = &["off_session", "on_session"];

pub(crate) const CONTENT: &[Spec] = &[
    param("amount", Kind::Int),
    param("currency", Kind::Text(3)),
    param("customer", Kind::Id),
    param("payment_method", Kind::Id),
    param("payment_method_types.*", Kind::Text(5000)),
    param("description", Kind::Text(1000)),
    param("receipt_email", Kind::Text(512)),
    clearable("setup_future_usage", Kind::Word(USAGE)),
    param("statement_descriptor", Kind::Text(22)),
    param("statement_descriptor_suffix", Kind::Text(22)),
    param("capture_method", Kind::Word(CAPTURE_METHODS)),
    param("transfer_group", Kind::Text(5000)),
    param("payment_details.order_reference", Kind::Text(255)),
    param("payment_details.customer_reference", Kind::Text(255)),
    param("shipping.name", Kind::Text(5000)),
    param("shipping.phone", Kind::Text(20)),
    param("shipping.address.*", Kind::Text(5000)),
];

pub(crate) const CREATION: &[Spec] = &[
    param("automatic_payment_methods.enabled", Kind::Bool),
    param("automatic_payment_methods.allow_redirects", Kind::Word(&["always", "never"])),
    param("confirm", Kind::Bool),
    param("off_session", Kind::BoolOr(&["one_off", "recurring"])),
    param("return_url", Kind::Text(5000)),
    param("error_on_requires_action", Kind::Bool),
];

pub(crate) const CONFIRMATION: &[Spec] = &[
    param("payment_method", Kind::Id),
    param("return_url", Kind::Text(5000)),
    param("off_session", Kind::BoolOr(&["one_off", "recurring"])),
    clearable("setup_future_usage", Kind::Word(USAGE)),
    param("receipt_email", Kind::Text(512)),
    param("capture_method", Kind::Word(CAPTURE_METHODS)),
    param("error_on_requires_action", Kind::Bool),
];

pub(crate) const CAPTURE: &[Spec] = &[
    param("amount_to_capture", Kind::Int),
    param("final_capture", Kind::Bool),
    param("statement_descriptor_suffix", Kind::Text(22)),
];

pub(crate) const CANCEL: &[Spec] = &[param("cancellation_reason", Kind::Word(CANCEL_REASONS))];

pub(crate) const FINISH: &[Spec] =
    &[param("outcome", Kind::Word(&["succeeded", "failed"])), param("client_secret", Kind::Text(500))];

/// Minimum charge amount by settlement currency ("Minimum and maximum charge amounts").
fn minimum(currency: &str) -> i64 {
    match currency {
        "ars" | "aud" | "brl" | "cad" | "chf" | "cop" | "eur" | "idr" | "ils" | "inr" | "jpy" | "krw" | "nzd"
        | "php" | "rub" | "sgd" | "usd" | "zar" => 50,
        "gbp" => 30,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "aed" | "pln" | "myr" | "ron" => 200,
        "hkd" => 400,
        "mxn" | "thb" => 1000,
        "czk" => 1500,
        "huf" => 17_500,
        _ => 1,
    }
}

/// Maximum charge amount: eight digits, or more for the currencies that the same page names.
fn maximum(currency: &str) -> i64 {
    match currency {
        "idr" => 999_999_999_999,
        "lbp" => 99_999_999_999,
        "cop" | "huf" | "jpy" => 9_999_999_999,
        "inr" => 999_999_999,
        _ => 99_999_999,
    }
}

fn check_amount(amount: i64, currency: &str) -> Result<(), Refusal> {
    let least = minimum(currency);
    if amount < least {
        let message = format!("Amount must be at least {least} in the smallest unit of {currency}");
        return Err(Refusal::amount("amount_too_small", message));
    }
    let most = maximum(currency);
    if amount > most {
        return Err(Refusal::amount("amount_too_large", format!("Amount must be no more than {most}")));
    }
    let step = match currency {
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 10,
        "isk" | "ugx" => 100,
        _ => 1,
    };
    if amount % step != 0 {
        return Err(Refusal::invalid("amount", "Invalid amount: it has decimals that the currency does not have"));
    }
    Ok(())
}

/// Checks `receipt_email` by a simplified grammar: one `@`, plain characters before it, and at least two labels after
/// it.
fn check_email(params: &Params) -> Result<(), Refusal> {
    let Some(email) = params.text("receipt_email") else { return Ok(()) };
    let plain = |text: &str, more: &str| {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || more.contains(it);
        !text.is_empty() && text.split('.').all(|part| !part.is_empty() && part.chars().all(is_plain))
    };
    let is_good = email.split_once('@').is_some_and(|(local, domain)| {
        plain(local, "!#$%&'*+-/=?^_`{|}~") && plain(domain, "-") && domain.contains('.')
    });
    if is_good {
        return Ok(());
    }
    let refusal = Refusal::invalid("receipt_email", &format!("Invalid email address: {email}"));
    Err(Refusal { code: Some("email_invalid".to_owned()), ..refusal })
}

/// Checks the parameters of a new PaymentIntent that can be checked by themselves.
fn check_creation(params: &Params) -> Result<(), Refusal> {
    check_email(params)?;
    params.required("amount")?;
    let currency = params.required("currency")?.to_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|it| it.is_ascii_lowercase()) {
        return Err(Refusal::invalid("currency", "Invalid currency: must be a three-letter ISO code"));
    }
    check_amount(params.int("amount").unwrap_or_default(), &currency)?;
    let has_types = !params.list("payment_method_types").is_empty();
    if params.flag("automatic_payment_methods.enabled") && has_types {
        let names = "automatic_payment_methods, payment_method_types";
        return Err(Refusal::parameter("parameters_exclusive", names, "Only one of these may be given"));
    }
    if params.text("off_session").is_some() && !params.flag("confirm") {
        return Err(Refusal::invalid("off_session", "off_session needs confirm=true"));
    }
    Ok(())
}

impl Twin {
    pub(crate) fn create_intent(&mut self, params: &Params, now: i64) -> Result<Value, Refusal> {
        check_creation(params)?;
        let (amount, currency) =
            (params.int("amount").unwrap_or_default(), params.required("currency")?.to_lowercase());
        let types = params.list("payment_method_types");
        let customer = params.owned("customer");
        if let Some(id) = &customer {
            self.check_customer(id)?;
        }
        let payment_method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        self.check_owner(payment_method.as_ref(), customer.as_deref())?;
        let id = self.draw("pi_");
        let secret = self.draw("");
        let mut card_options = CardOptions::default();
        card_options.replace(params);
        let intent = Intent {
            client_secret: format!("{id}_secret_{secret}"),
            id: id.clone(),
            amount,
            amount_capturable: 0,
            amount_received: 0,
            currency,
            status: if payment_method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.into(),
            capture_method: params.text("capture_method").unwrap_or("automatic_async").into(),
            payment_method_types: if types.is_empty() { vec!["card".into()] } else { types },
            automatic_payment_methods: params.flag("automatic_payment_methods.enabled"),
            customer,
            payment_method,
            latest_charge: None,
            last_payment_error: None,
            next_action: None,
            cancellation_reason: None,
            canceled_at: None,
            authorized_at: None,
            description: params.owned("description"),
            receipt_email: params.owned("receipt_email"),
            setup_future_usage: params.owned("setup_future_usage"),
            return_url: params.owned("return_url"),
            card_options,
            metadata: params.metadata(),
            amount_details: AmountDetails::default().changed(params, amount)?,
            created: now,
        };
        self.emit("payment_intent.created", intent.to_json(), now);
        self.intents.insert(id.clone(), intent);
        if params.flag("confirm") {
            return self.confirm(&id, now);
        }
        self.shown(&id, params)
    }

    pub(crate) fn list_intents(&self, params: &Params) -> Result<Value, Refusal> {
        let customer = params.text("customer");
        let wanted = |it: &&Intent| {
            customer.is_none_or(|customer| it.customer.as_deref() == Some(customer)) && is_created(it.created, params)
        };
        let mut found: Vec<&Intent> = self.intents.values().filter(wanted).collect();
        found.sort_by(|a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)));
        page("/v1/payment_intents", found.into_iter(), params, |it| &it.id, Intent::to_json)
    }

    pub(crate) fn retrieve_intent(&self, id: &str, params: &Params) -> Result<Value, Refusal> {
        self.shown(id, params)
    }

    /// The intent as JSON, with the references that the request expands.
    fn shown(&self, id: &str, params: &Params) -> Result<Value, Refusal> {
        let intent = self.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id))?;
        let mut json = intent.to_json();
        for path in params.list("expand") {
            let charge = intent.latest_charge.as_ref().and_then(|it| self.charges.get(it));
            match (path.as_str(), charge) {
                ("latest_charge", Some(charge)) => {
                    set(&mut json, "latest_charge", charge.to_json());
                }
                ("latest_charge.balance_transaction", Some(charge)) => {
                    let mut shown = charge.to_json();
                    let transaction = charge.balance_transaction.as_ref();
                    if let Some(it) = transaction.and_then(|it| self.balance_transactions.get(it)) {
                        set(&mut shown, "balance_transaction", it.to_json());
                    }
                    set(&mut json, "latest_charge", shown);
                }
                ("latest_charge" | "latest_charge.balance_transaction", None) => {}
                (other, _) => {
                    return Err(Refusal::invalid("expand", &format!("This property cannot be expanded ({other})")));
                }
            }
        }
        Ok(json)
    }

    pub(crate) fn update_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        check_email(params)?;
        let method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        if let Some(customer) = params.text("customer") {
            self.check_customer(customer)?;
        }
        let before = self.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id))?;
        let customer = params.given("customer").or(before.customer.as_deref()).filter(|it| !it.is_empty());
        self.check_owner(method.as_ref().or(before.payment_method.as_ref()), customer)?;
        let intent = self.intent_mut(id)?;
        let open = ["requires_payment_method", "requires_confirmation", "requires_action"];
        let changes_money = params.given("amount").is_some() || params.given("currency").is_some();
        if !open.contains(&intent.status.as_str()) && (changes_money || method.is_some()) {
            return Err(unexpected_state(intent, "updated"));
        }
        let currency = params.text("currency").map_or_else(|| intent.currency.clone(), str::to_lowercase);
        let amount = params.int("amount").unwrap_or(intent.amount);
        if changes_money {
            check_amount(amount, &currency)?;
        }
        intent.amount_details = intent.amount_details.changed(params, amount)?;
        (intent.amount, intent.currency) = (amount, currency);
        if method.is_some() {
            intent.payment_method = method;
            intent.status = "requires_confirmation".into();
            intent.next_action = None;
        }
        params.replace("customer", &mut intent.customer);
        params.replace("description", &mut intent.description);
        params.replace("receipt_email", &mut intent.receipt_email);
        params.replace("setup_future_usage", &mut intent.setup_future_usage);
        if let Some(method) = params.text("capture_method") {
            method.clone_into(&mut intent.capture_method);
        }
        intent.card_options.replace(params);
        params.merge_metadata(&mut intent.metadata);
        intent.last_payment_error = None;
        self.shown(id, params)
    }

    pub(crate) fn confirm_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        check_email(params)?;
        let method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        let intent = self.intent_mut(id)?;
        match intent.status.as_str() {
            "requires_payment_method" | "requires_confirmation" => {}
            "requires_action" if method.is_some() => {}
            _ => return Err(unexpected_state(intent, "confirmed")),
        }
        if method.is_some() {
            intent.payment_method = method;
        }
        if let Some(capture) = params.text("capture_method") {
            capture.clone_into(&mut intent.capture_method);
        }
        if let Some(url) = params.text("return_url") {
            intent.return_url = Some(url.to_owned());
        }
        if let Some(email) = params.text("receipt_email") {
            intent.receipt_email = Some(email.to_owned());
        }
        intent.card_options.replace(params);
        self.confirm(id, now)
    }

    /// Refuses a saved payment method of another customer, at creation, update and confirmation.
    fn check_owner(&self, method: Option<&String>, customer: Option<&str>) -> Result<(), Refusal> {
        let saved_by = method.and_then(|it| self.payment_methods.get(it)).and_then(|it| it.customer.as_deref());
        if saved_by.is_some_and(|it| customer != Some(it)) {
            let message = "The provided PaymentMethod belongs to another Customer than the one of this PaymentIntent.";
            return Err(Refusal::invalid("payment_method", message));
        }
        Ok(())
    }

    fn confirm(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let intent = self.intent_mut(id)?;
        let Some(method) = intent.payment_method.clone() else {
            let message = "You cannot confirm this PaymentIntent because it is missing a payment method".to_owned();
            return Err(Refusal::state("payment_intent_unexpected_state", message));
        };
        let customer = intent.customer.clone();
        self.check_owner(Some(&method), customer.as_deref())?;
        let intent = self.intent_mut(id)?;
        intent.last_payment_error = None;
        intent.next_action = None;
        let token = self.payment_methods.get(&method).map(|it| it.token.clone()).unwrap_or_default();
        let outcome = cards::by_token(&token).map_or(Outcome::Succeeds, |it| it.outcome);
        match outcome {
            Outcome::Succeeds => self.approve(id, now)?,
            Outcome::Declined(code, decline_code, message) => {
                return Err(self.decline(id, code, decline_code, message, now)?);
            }
            Outcome::NeedsAction => {
                let intent = self.intent_mut(id)?;
                intent.status = "requires_action".into();
                intent.next_action = Some(match &intent.return_url {
                    Some(url) => json!({ "type": "redirect_to_url", "redirect_to_url": {
                        "return_url": url, "url": format!("/_twin/payment_intents/{id}/finish") } }),
                    None => {
                        json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect" } })
                    }
                });
                let json = intent.to_json();
                self.emit("payment_intent.requires_action", json, now);
            }
            Outcome::Processing => {
                let intent = self.intent_mut(id)?;
                intent.status = "processing".into();
                let json = intent.to_json();
                self.emit("payment_intent.processing", json, now);
            }
        }
        self.shown(id, &Params::default())
    }

    /// Finishes an authentication by the customer, or a payment that the bank is processing. Stripe has no such call.
    pub(crate) fn finish_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let intent = self.intent_mut(id)?;
        let acting = intent.status == "requires_action";
        if !acting && intent.status != "processing" {
            return Err(unexpected_state(intent, "finished"));
        }
        intent.next_action = None;
        if params.text("outcome") == Some("failed") {
            let (code, message) = if acting {
                ("payment_intent_authentication_failure", "We are unable to authenticate your payment method.")
            } else {
                ("payment_intent_payment_attempt_failed", "The payment failed.")
            };
            // The decline is shown in the intent and its event, not as an error of this call.
            self.decline(id, code, "", message, now)?;
        } else {
            self.approve(id, now)?;
        }
        self.shown(id, &Params::default())
    }

    pub(crate) fn capture_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let intent = self.intent_mut(id)?;
        if intent.status != "requires_capture" {
            return Err(unexpected_state(intent, "captured"));
        }
        let amount = params.int("amount_to_capture").unwrap_or(intent.amount_capturable);
        if amount < 1 || amount > intent.amount_capturable {
            let message = format!("The amount must be between 1 and {}", intent.amount_capturable);
            return Err(Refusal {
                param: Some("amount_to_capture".into()),
                ..Refusal::amount("amount_too_large", message)
            });
        }
        intent.amount_details = intent.amount_details.captured(params, amount)?;
        params.merge_metadata(&mut intent.metadata);
        let charge = intent.latest_charge.clone().unwrap_or_default();
        self.capture_charge(id, &charge, amount, "charge.captured", now)?;
        self.shown(id, params)
    }

    pub(crate) fn cancel_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let intent = self.intent_mut(id)?;
        if ["succeeded", "canceled", "processing"].contains(&intent.status.as_str()) {
            return Err(unexpected_state(intent, "canceled"));
        }
        intent.status = "canceled".into();
        intent.canceled_at = Some(now);
        intent.cancellation_reason = params.owned("cancellation_reason");
        intent.amount_capturable = 0;
        intent.next_action = None;
        let json = intent.to_json();
        self.emit("payment_intent.canceled", json, now);
        self.shown(id, params)
    }

    pub(crate) fn intent_mut(&mut self, id: &str) -> Result<&mut Intent, Refusal> {
        self.intents.get_mut(id).ok_or_else(|| Refusal::missing("payment_intent", id))
    }
}

fn unexpected_state(intent: &Intent, done: &str) -> Refusal {
    let message = format!(
        "This PaymentIntent could not be {done} because it has a status of {}; see payment_intent",
        intent.status
    );
    let mut refusal = Refusal::state("payment_intent_unexpected_state", message);
    refusal.with = vec![("payment_intent", intent.to_json())];
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn intent(twin: &mut Twin, more: &str) -> String {
        let made = post(twin, "/v1/payment_intents", &format!("amount=11200&currency=usd{more}"));
        assert_eq!(made.status, 200, "{}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    fn confirm(twin: &mut Twin, id: &str, method: &str) -> (u16, Value, Vec<String>) {
        let sent =
            request(Method::Post, &format!("/v1/payment_intents/{id}/confirm"), &format!("payment_method={method}"));
        let (response, events) = twin.handle(&sent, NOW);
        (response.status, response.body, events.into_iter().map(|it| it.kind).collect())
    }

    #[test]
    fn a_working_card_pays_and_the_fee_is_known_later() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "&metadata[order_id]=9&automatic_payment_methods[enabled]=true");
        let (status, body, events) = confirm(&mut twin, &id, "pm_card_visa");
        assert_eq!((status, &body["status"], &body["amount_received"]), (200, &json!("succeeded"), &json!(11_200)));
        assert_eq!(events, ["charge.succeeded", "payment_intent.succeeded", "charge.updated"]);
        let path = format!("/v1/payment_intents/{id}");
        let form = "expand[0]=latest_charge.balance_transaction";
        let shown = twin.handle(&request(Method::Get, &path, form), NOW).0.body;
        let transaction = &shown["latest_charge"]["balance_transaction"];
        assert_eq!((&transaction["fee"], &transaction["net"]), (&json!(354), &json!(10_846)));
    }

    #[test]
    fn a_declined_card_leaves_the_intent_open_for_another_card() {
        for (token, code, decline) in [
            ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
            ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ] {
            let mut twin = Twin::default();
            let id = intent(&mut twin, "");
            let (status, body, events) = confirm(&mut twin, &id, token);
            assert_eq!((status, body["error"]["code"].as_str()), (402, Some(code)));
            assert_eq!(body["error"]["decline_code"].as_str(), Some(decline));
            assert_eq!(body["error"]["payment_intent"]["status"], "requires_payment_method");
            assert_eq!(events, ["charge.failed", "payment_intent.payment_failed"]);
            assert_eq!(confirm(&mut twin, &id, "pm_card_visa").1["status"], "succeeded");
        }
    }

    #[test]
    fn an_authentication_succeeds_or_fails() {
        for (outcome, expected) in [("succeeded", "succeeded"), ("failed", "requires_payment_method")] {
            let mut twin = Twin::default();
            let id = intent(&mut twin, "");
            let (_, body, events) = confirm(&mut twin, &id, "pm_card_authenticationRequired");
            assert_eq!(
                (body["status"].as_str(), events),
                (Some("requires_action"), vec!["payment_intent.requires_action".to_owned()])
            );
            let path = format!("/_twin/payment_intents/{id}/finish");
            let done = post(&mut twin, &path, &format!("outcome={outcome}"));
            assert_eq!(done.body["status"], expected);
        }
    }

    #[test]
    fn an_authorization_is_captured_in_part_or_expires() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "&capture_method=manual");
        let (_, body, events) = confirm(&mut twin, &id, "pm_card_visa");
        assert_eq!(
            (body["status"].as_str(), body["amount_capturable"].as_i64()),
            (Some("requires_capture"), Some(11_200))
        );
        assert!(events.contains(&"payment_intent.amount_capturable_updated".to_owned()));
        let path = format!("/v1/payment_intents/{id}/capture");
        assert_eq!(post(&mut twin, &path, "amount_to_capture=11201").status, 400);
        let taken = post(&mut twin, &path, "amount_to_capture=5000").body;
        assert_eq!((taken["status"].as_str(), taken["amount_received"].as_i64()), (Some("succeeded"), Some(5_000)));

        let other = intent(&mut twin, "&capture_method=manual");
        confirm(&mut twin, &other, "pm_card_visa");
        let later = NOW + 7 * 24 * 3600;
        let path = format!("/v1/payment_intents/{other}");
        let (shown, events) = twin.handle(&request(Method::Get, &path, ""), later);
        assert_eq!(shown.body["cancellation_reason"], "automatic");
        assert_eq!(events.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), ["payment_intent.canceled"]);
    }

    #[test]
    fn a_final_status_refuses_every_change_and_shows_the_intent() {
        let mut twin = Twin::default();
        let paid = intent(&mut twin, "");
        confirm(&mut twin, &paid, "pm_card_visa");
        let canceled = intent(&mut twin, "");
        post(&mut twin, &format!("/v1/payment_intents/{canceled}/cancel"), "cancellation_reason=abandoned");
        for (id, status) in [(paid, "succeeded"), (canceled, "canceled")] {
            for (verb, form) in
                [("/confirm", "payment_method=pm_card_visa"), ("/capture", ""), ("/cancel", ""), ("", "amount=600")]
            {
                let refused = post(&mut twin, &format!("/v1/payment_intents/{id}{verb}"), form);
                assert_eq!(refused.body["error"]["code"], "payment_intent_unexpected_state", "{verb} {status}");
                assert_eq!(refused.body["error"]["payment_intent"]["status"], status);
            }
        }
    }

    #[test]
    fn an_open_intent_is_updated() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "&metadata[a]=1&metadata[b]=2");
        let path = format!("/v1/payment_intents/{id}");
        let updated = post(&mut twin, &path, "amount=500&metadata[a]=&payment_method=pm_card_visa").body;
        assert_eq!(
            (updated["amount"].as_i64(), updated["status"].as_str()),
            (Some(500), Some("requires_confirmation"))
        );
        assert_eq!(updated["metadata"], json!({ "b": "2" }));
    }

    #[test]
    fn the_receipt_email_is_checked_in_every_request() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "&receipt_email=ada@example.com");
        let one = format!("/v1/payment_intents/{id}");
        let create = "/v1/payment_intents".to_owned();
        for wrong in ["x@gmail", "a@example,com", "<a@example.com>", "a@example..com", "zo%C3%AB@example.com", "ada"] {
            for (path, form) in [
                (&create, "amount=500&currency=usd&"),
                (&one, ""),
                (&format!("{one}/confirm"), "payment_method=pm_card_visa&"),
            ] {
                let refused = post(&mut twin, path, &format!("{form}receipt_email={wrong}"));
                let error = &refused.body["error"];
                assert_eq!((refused.status, &error["code"]), (400, &json!("email_invalid")), "{path} {wrong}");
                assert_eq!(error["param"], "receipt_email");
            }
        }
        assert_eq!(post(&mut twin, &one, "receipt_email=").body["receipt_email"], Value::Null);
    }

    #[test]
    fn card_options_are_accepted_and_shown() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        let path = format!("/v1/payment_intents/{id}");
        let shown = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
        let automatic = json!({ "card": { "installments": null, "mandate_options": null, "network": null,
            "request_three_d_secure": "automatic" } });
        assert_eq!(shown["payment_method_options"], automatic);
        for absent in ["invoice", "source", "transfer_data", "payment_method_configuration_details"] {
            assert_eq!(shown.get(absent), Some(&Value::Null), "{absent}");
        }
        let form = "payment_method_options[card][request_three_d_secure]=any&\
                    payment_method_options[card][installments][enabled]=true&payment_method_options[card][network]=visa";
        let card = post(&mut twin, &path, form).body["payment_method_options"]["card"].clone();
        assert_eq!((&card["request_three_d_secure"], &card["network"]), (&json!("any"), &json!("visa")));
        assert_eq!(card["installments"]["enabled"], true);
        let unset = post(&mut twin, &path, "payment_method_options[card][network]=").body;
        assert_eq!(unset["payment_method_options"]["card"]["network"], Value::Null);
        for wrong in ["[card][request_three_d_secure]=often", "[card][color]=red", "[sofa][color]=red"] {
            assert_eq!(post(&mut twin, &path, &format!("payment_method_options{wrong}")).status, 400, "{wrong}");
        }
    }

    #[test]
    fn amounts_outside_stripes_limits_are_refused() {
        for (form, code) in [
            ("amount=49&currency=usd", Some("amount_too_small")),
            ("amount=100000000&currency=usd", Some("amount_too_large")),
            ("amount=1000000000&currency=inr", Some("amount_too_large")),
            ("amount=10000000000&currency=jpy", Some("amount_too_large")),
            ("amount=1000000000000&currency=idr", Some("amount_too_large")),
            ("amount=49&currency=krw", Some("amount_too_small")),
            ("amount=17499&currency=huf", Some("amount_too_small")),
            ("amount=5124&currency=kwd", None),
            ("currency=usd", Some("parameter_missing")),
            (
                "amount=500&currency=usd&automatic_payment_methods[enabled]=true&payment_method_types[0]=card",
                Some("parameters_exclusive"),
            ),
            ("amount=500&currency=usd&customer=cus_none", Some("resource_missing")),
        ] {
            let refused = Twin::default().handle(&request(Method::Post, "/v1/payment_intents", form), NOW).0;
            assert!(refused.status >= 400, "{form}");
            assert_eq!(refused.body["error"]["code"].as_str(), code, "{form}");
        }
        for form in ["amount=999999999999&currency=idr", "amount=9999999999&currency=jpy"] {
            let made = Twin::default().handle(&request(Method::Post, "/v1/payment_intents", form), NOW).0;
            assert_eq!(made.status, 200, "{form}");
        }
    }

    #[test]
    fn the_dispute_card_is_disputed_after_the_payment() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        let (_, _, events) = confirm(&mut twin, &id, "pm_card_createDispute");
        assert!(events.contains(&"charge.dispute.created".to_owned()), "{events:?}");
        let disputes = twin.handle(&request(Method::Get, "/v1/disputes", ""), NOW).0.body;
        assert_eq!(disputes["data"][0]["payment_intent"], json!(id));
        let path = format!("/_twin/disputes/{}/close", disputes["data"][0]["id"].as_str().unwrap());
        assert_eq!(post(&mut twin, &path, "outcome=won").body["status"], "won");
        let refund = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}"));
        assert_eq!(refund.status, 200, "a won dispute leaves the charge refundable");
    }

    #[test]
    fn a_paid_intent_can_be_disputed_once() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        let path = format!("/_twin/payment_intents/{id}/dispute");
        assert_eq!(post(&mut twin, &path, "").status, 400, "nothing was paid");
        confirm(&mut twin, &id, "pm_card_visa");
        let opened = post(&mut twin, &path, "").body;
        assert_eq!((&opened["status"], &opened["payment_intent"]), (&json!("needs_response"), &json!(id)));
        assert_eq!(post(&mut twin, &path, "").body["error"]["code"], "charge_not_disputable");
        assert_eq!(post(&mut twin, "/v1/refunds", &format!("payment_intent={id}")).status, 400);
        let seen: Vec<_> = twin.disputes().map(|it| (it.intent, it.amount, it.status)).collect();
        assert_eq!(seen, [(id.as_str(), 11_200, "needs_response")]);
    }

    #[test]
    fn a_bank_may_reverse_its_decision_and_a_partly_lost_charge_is_refundable_for_the_rest() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        confirm(&mut twin, &id, "pm_card_visa");
        let opened = post(&mut twin, &format!("/_twin/payment_intents/{id}/dispute"), "amount=4000").body;
        let path = format!("/_twin/disputes/{}/close", opened["id"].as_str().unwrap());
        let mut close = |outcome: &str| {
            let (response, events) = twin.handle(&request(Method::Post, &path, &format!("outcome={outcome}")), NOW);
            let amounts = response.body["balance_transactions"].as_array().unwrap().clone();
            let amounts: Vec<_> = amounts.iter().map(|it| it["amount"].as_i64().unwrap()).collect();
            (amounts, events.into_iter().map(|it| it.kind.replace("charge.dispute.", "")).collect::<Vec<_>>())
        };
        assert_eq!(close("lost"), (vec![-4000], vec!["closed".to_owned()]));
        assert_eq!(close("won"), (vec![-4000, 4000], vec!["updated".to_owned(), "funds_reinstated".to_owned()]));
        let again = (vec![-4000, 4000, -4000], vec!["updated".to_owned(), "funds_withdrawn".to_owned()]);
        assert_eq!(close("lost"), again);
        let refund =
            |twin: &mut Twin, amount| post(twin, "/v1/refunds", &format!("payment_intent={id}&amount={amount}"));
        assert_eq!(refund(&mut twin, 7201).status, 400);
        assert_eq!(refund(&mut twin, 7200).status, 200);
    }

    #[test]
    fn the_views_show_what_the_lists_show() {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "&metadata[order_id]=9&capture_method=manual");
        confirm(&mut twin, &id, "pm_card_visa");
        let held = twin.intents().next().unwrap();
        assert_eq!((held.id, held.status, held.capturable, held.received), (&*id, "requires_capture", 11_200, 0));
        post(&mut twin, &format!("/v1/payment_intents/{id}/capture"), "amount_to_capture=11000");
        post(&mut twin, "/v1/refunds", &format!("payment_intent={id}&amount=500&metadata[refund_id]=7"));
        let taken = twin.intents().next().unwrap();
        assert_eq!((taken.status, taken.amount, taken.received, taken.currency), ("succeeded", 11_200, 11_000, "usd"));
        assert_eq!(taken.metadata.get("order_id").map(String::as_str), Some("9"));
        let back = twin.refunds().next().unwrap();
        assert_eq!((back.intent, back.amount, back.status), (&*id, 500, "succeeded"));
        assert_eq!(back.metadata.get("refund_id").map(String::as_str), Some("7"));
    }
}
