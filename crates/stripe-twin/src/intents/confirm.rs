//! Confirmation of a PaymentIntent, and the later outcome at the customer and the bank.

use serde_json::{Value, json};

use super::limits::check_email;
use super::method_types::{check_descriptor, check_kind, check_types, named_types};
use super::unexpected_state;
use crate::calls::Sent;
use crate::cards::{self, Authentication, Decline, Outcome};
use crate::error::Refusal;
use crate::objects::{AutomaticMethods, Charge, Intent, PaymentMethod, Snapshot};
use crate::params::Params;
use crate::state::Twin;

/// Decline of a payment off session that the customer would have to authenticate.
const OFF_SESSION: Decline = Decline {
    code: "authentication_required",
    decline_code: "authentication_required",
    message: "Your card was declined. This transaction requires authentication.",
};
/// Decline of a payment with `error_on_requires_action`.
const ACTION_NOT_HANDLED: Decline = Decline {
    code: "authentication_required",
    decline_code: "authentication_not_handled",
    message: "This payment required an authentication action to complete, but `error_on_requires_action` was set.",
};

pub(super) fn without_method() -> Refusal {
    let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update \
                   the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with \
                   a payment method or ConfirmationToken.";
    Refusal::state("payment_intent_unexpected_state", message.to_owned())
}

/// Refuses a confirmation by a server without the URL to which a redirecting payment method would send the customer back.
/// Stripe's SDKs in browsers and apps, which have a publishable key, need it only if the customer is redirected. `noun` is
/// `PaymentIntent` or `SetupIntent`.
pub(crate) fn check_return(
    noun: &str,
    methods: Option<AutomaticMethods>,
    return_url: Option<&str>,
    sent: &Sent<'_>,
) -> Result<(), Refusal> {
    let is_server = sent.request.key.as_ref().is_none_or(|it| !it.starts_with("pk_"));
    if !is_server || return_url.is_some() || methods.is_none_or(|it| !it.redirects) {
        return Ok(());
    }
    let message = format!(
        "This {noun} is configured to accept payment methods enabled in your Dashboard. Because some of these payment \
         methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to \
         accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and \
         `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
    );
    Err(Refusal { code: None, ..Refusal::state("", message) })
}

/// Whether a request says that the customer is not there.
fn is_off_session(params: &Params) -> bool {
    params.text("off_session").is_some_and(|it| !it.eq_ignore_ascii_case("false"))
}

impl Twin {
    pub(crate) fn confirm_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (id, params, now) = (sent.id, sent.params, sent.now);
        check_email(params, "receipt_email")?;
        self.intent(id)?;
        let method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        // A refused confirmation changes nothing: everything that it can be refused for is checked first.
        let before = self.intent(id)?;
        let chosen = method.as_ref().or(before.payment_method.as_ref());
        self.check_owner(chosen, before.customer.as_deref(), Some(before))?;
        let kind = self.kind_of(chosen.map(String::as_str));
        let intent = self.intent_mut(id)?;
        let named = named_types(params, "PaymentIntent")?;
        let methods = intent.automatic_payment_methods.filter(|_| intent.is_open() && named.is_none());
        check_return("PaymentIntent", methods, params.text("return_url").or(intent.return_url.as_deref()), sent)?;
        match intent.status.as_str() {
            "requires_payment_method" | "requires_confirmation" => {}
            "requires_action" if method.is_some() => {}
            "succeeded" => {
                let message = "You cannot confirm this PaymentIntent because it has already succeeded after being \
                               previously confirmed.";
                return Err(unexpected_state(intent, message.to_owned()));
            }
            status => {
                let message = format!(
                    "You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent \
                     with one of the following statuses may be confirmed: requires_confirmation, requires_action."
                );
                return Err(unexpected_state(intent, message));
            }
        }
        let types = named.as_deref().unwrap_or(&intent.payment_method_types);
        let capture_method = params.text("capture_method").unwrap_or(&intent.capture_method);
        check_types(types, &intent.currency, capture_method)?;
        let is_automatic = named.is_none() && intent.automatic_payment_methods.is_some();
        check_kind(kind, is_automatic, types, &intent.currency, capture_method)?;
        check_descriptor(intent.statement_descriptor.as_deref(), types)?;
        let amount_details = intent.amount_details.changed(params, intent.amount)?;
        intent.shipping.replace(params, "shipping", &["address", "name"])?;
        intent.amount_details = amount_details;
        if method.is_some() && method != intent.payment_method {
            (intent.payment_method, intent.is_authenticated) = (method, false);
        }
        if let Some(capture) = params.text("capture_method") {
            capture.clone_into(&mut intent.capture_method);
        }
        if let Some(types) = named {
            (intent.payment_method_types, intent.automatic_payment_methods) = (types, None);
        }
        params.replace("return_url", &mut intent.return_url);
        params.replace("receipt_email", &mut intent.receipt_email);
        params.replace("setup_future_usage", &mut intent.setup_future_usage);
        intent.payment_details.merge(params, "payment_details");
        intent.card_options.replace(params);
        self.confirm(id, params, now)?;
        self.show_intent(id)
    }

    /// Confirms an intent as the request says. Its payment method has been checked.
    pub(super) fn confirm(&mut self, id: &str, params: &Params, now: i64) -> Result<(), Refusal> {
        let intent = self.intent(id)?;
        let Some(method) = intent.payment_method.as_ref() else {
            return Err(Refusal { with: vec![("payment_intent", intent.to_json())], ..without_method() });
        };
        let method = self.payment_methods.get(method).ok_or_else(|| Refusal::no_such("PaymentMethod", method))?.clone();
        let card = cards::by_token(&method.token);
        let is_off_session = is_off_session(params);
        let must_authenticate = !intent.is_authenticated && requires_action(intent, &method, is_off_session);
        let intent = self.intent_mut(id)?;
        intent.last_payment_error = None;
        intent.next_action = None;
        match card.map_or(Outcome::Succeeds, |it| it.outcome) {
            Outcome::Authenticates(..) if must_authenticate && is_off_session => {
                Err(self.decline(id, OFF_SESSION, now)?)
            }
            Outcome::Authenticates(..) if must_authenticate && params.flag("error_on_requires_action") => {
                Err(self.decline_without_charge(id, ACTION_NOT_HANDLED, now)?)
            }
            Outcome::Authenticates(..) if must_authenticate => {
                self.require_action(id, params.flag("use_stripe_sdk"), now)
            }
            Outcome::Authenticates(_, Some(decline)) | Outcome::Declined(decline) => {
                Err(self.decline(id, decline, now)?)
            }
            Outcome::Succeeds | Outcome::Authenticates(_, None) => self.approve(id, now),
            Outcome::Processing => self.submit_to_bank(id, now),
        }
    }

    fn require_action(&mut self, id: &str, uses_sdk: bool, now: i64) -> Result<(), Refusal> {
        let base = self.base_url();
        let intent = self.intent_mut(id)?;
        intent.status = "requires_action".into();
        let return_url = intent.return_url.as_deref().filter(|_| !uses_sdk);
        intent.next_action = Some(next_action(&base, &intent.id, &intent.client_secret, return_url));
        let intent = intent.clone();
        self.emit("payment_intent.requires_action", intent, now);
        Ok(())
    }

    /// Finishes an authentication by the customer, or a payment that the bank is processing. Stripe has no such call.
    pub(crate) fn finish_intent(&mut self, sent: &Sent<'_>) -> Result<Snapshot, Refusal> {
        let (id, now) = (sent.id, sent.now);
        let intent = self.intent_mut(id)?;
        let acting = intent.status == "requires_action";
        if !acting && intent.status != "processing" {
            let message = format!("This PaymentIntent cannot be finished because it has a status of {}", intent.status);
            return Err(unexpected_state(intent, message));
        }
        intent.next_action = None;
        // A decline is shown in the intent and its event, not as an error of this call.
        match (sent.params.text("outcome") == Some("failed"), acting) {
            (true, true) => {
                self.fail_authentication(id, now)?;
            }
            (true, false) => self.decline_by_bank(id, now)?,
            (false, true) => {
                intent.is_authenticated = true;
                self.pass_authentication(id, now)?;
            }
            (false, false) => self.approve_by_bank(id, now)?,
        }
        self.show_intent(id)
    }

    /// Continues a payment that the customer has authenticated.
    fn pass_authentication(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let intent = self.intent_mut(id)?;
        if intent.confirms_manually {
            intent.status = "requires_confirmation".into();
            return Ok(());
        }
        let method = intent.payment_method.clone().unwrap_or_default();
        let token = self.payment_methods.get(&method).map(|it| it.token.clone()).unwrap_or_default();
        match cards::by_token(&token).map(|it| it.outcome) {
            Some(Outcome::Authenticates(_, Some(decline))) => self.decline(id, decline, now).map(|_| ()),
            Some(Outcome::Authenticates(_, None) | Outcome::Succeeds | Outcome::Declined(_) | Outcome::Processing)
            | None => self.approve(id, now),
        }
    }

    fn fail_authentication(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let method = self.method_of(id)?.map(PaymentMethod::to_json);
        let message = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new \
                       PaymentMethod to attempt to fulfill this PaymentIntent again.";
        let mut refusal = Refusal::parameter_less("payment_intent_authentication_failure", message.to_owned());
        refusal.with.extend(method.map(|it| ("payment_method", it)));
        self.fail(id, &refusal, now)?;
        Ok(())
    }

    /// Payment method of an intent.
    pub(super) fn method_of(&self, id: &str) -> Result<Option<&PaymentMethod>, Refusal> {
        Ok(self.intent(id)?.payment_method.as_ref().and_then(|it| self.payment_methods.get(it)))
    }

    /// Records a failed attempt: the intent requires another payment method.
    fn fail(&mut self, id: &str, refusal: &Refusal, now: i64) -> Result<Intent, Refusal> {
        let intent = self.intent_mut(id)?;
        intent.status = "requires_payment_method".into();
        intent.payment_method = None;
        intent.next_action = None;
        intent.is_authenticated = false;
        intent.last_payment_error = Some(refusal.to_json());
        let intent = intent.clone();
        self.emit("payment_intent.payment_failed", &intent, now);
        Ok(intent)
    }

    /// Declines a confirmation with a failed charge.
    pub(super) fn decline(&mut self, id: &str, decline: Decline, now: i64) -> Result<Refusal, Refusal> {
        let charge_id = self.draw("ch_");
        let method = self.method_of(id)?.cloned();
        let intent = self.intent_mut(id)?;
        intent.latest_charge = Some(charge_id.clone());
        let charge = Charge {
            status: "failed".into(),
            failure_code: Some(decline.code.to_owned()),
            failure_message: Some(decline.message.to_owned()),
            decline_code: Some(decline.decline_code.to_owned()).filter(|it| !it.is_empty()),
            ..Charge::of(intent, method.as_ref(), charge_id.clone(), now)
        };
        let mut refusal = Refusal::declined(decline);
        refusal.with = vec![("charge", json!(charge_id))];
        refusal.with.extend(method.map(|it| ("payment_method", it.to_json())));
        self.emit("charge.failed", &charge, now);
        self.charges.insert(charge);
        let intent = self.fail(id, &refusal, now)?;
        refusal.with.push(("payment_intent", intent.to_json()));
        Ok(refusal)
    }

    /// Records the decline of a charge that exists already.
    pub(super) fn fail_declined(&mut self, id: &str, decline: Decline, now: i64) -> Result<(), Refusal> {
        let charge = self.intent(id)?.latest_charge.clone();
        let mut refusal = Refusal::declined(decline);
        refusal.with.extend(charge.map(|it| ("charge", json!(it))));
        refusal.with.extend(self.method_of(id)?.map(|it| ("payment_method", it.to_json())));
        self.fail(id, &refusal, now).map(drop)
    }

    fn decline_without_charge(&mut self, id: &str, decline: Decline, now: i64) -> Result<Refusal, Refusal> {
        let method = self.method_of(id)?.map(PaymentMethod::to_json);
        let mut refusal = Refusal::declined(decline);
        refusal.with.extend(method.map(|it| ("payment_method", it)));
        let intent = self.fail(id, &refusal, now)?;
        refusal.with.push(("payment_intent", intent.to_json()));
        Ok(refusal)
    }

    /// URL under which the client reached the twin.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.cause.host.as_deref().unwrap_or("localhost"))
    }
}

/// `next_action` of an intent whose customer must authenticate: a redirect, or a task for Stripe's SDKs.
pub(crate) fn next_action(base: &str, id: &str, secret: &str, return_url: Option<&str>) -> Value {
    let page = format!("{base}/_twin/3ds/{id}?client_secret={secret}");
    if let Some(return_url) = return_url {
        return json!({ "type": "redirect_to_url", "redirect_to_url": { "return_url": return_url, "url": page } });
    }
    json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "stripe_js": page, "type": "three_d_secure_redirect" } })
}

/// Whether the customer must authenticate this payment.
fn requires_action(intent: &Intent, method: &PaymentMethod, is_off_session: bool) -> bool {
    let card = cards::by_token(&method.token);
    match card.map(|it| it.outcome) {
        Some(Outcome::Authenticates(when, _)) => match when {
            Authentication::Always => true,
            Authentication::UnlessSetUp => !(is_off_session && method.is_set_up),
            Authentication::OnSession => !is_off_session,
            Authentication::OnRequest => intent.card_options.requests_three_d_secure(),
        },
        Some(Outcome::Succeeds | Outcome::Declined(_) | Outcome::Processing) | None => false,
    }
}
