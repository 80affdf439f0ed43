//! SetupIntents: they save a card for later payments, without a payment.

use serde_json::Value;

use crate::calls::Sent;
use crate::cards::{self, Authentication, Card, Outcome};
use crate::error::Refusal;
use crate::intents::{check_automatic, check_modelled, check_return, incompatible, named_types, next_action};
use crate::kinds::{Kind, Spec, param, required_text};
use crate::lists::{is, is_created, page};
use crate::objects::{AutomaticMethods, PaymentMethod, SetupIntent};
use crate::params::Params;
use crate::state::Twin;

pub(crate) const CONTENT: &[Spec] = &[
    param("customer", Kind::Id),
    param("payment_method", Kind::Id),
    required_text("payment_method_types.*", 5000),
    param("description", Kind::Text(1000)),
];
pub(crate) const CREATION: &[Spec] = &[
    param("usage", Kind::Word(&["off_session", "on_session"])),
    param("automatic_payment_methods.enabled", Kind::Bool),
    param("automatic_payment_methods.allow_redirects", Kind::Word(&["always", "never"])),
    param("confirm", Kind::Bool),
    param("return_url", Kind::Url),
    param("use_stripe_sdk", Kind::Bool),
];
pub(crate) const CONFIRMATION: &[Spec] =
    &[param("payment_method", Kind::Id), param("return_url", Kind::Url), param("use_stripe_sdk", Kind::Bool)];
pub(crate) const CANCEL: &[Spec] =
    &[param("cancellation_reason", Kind::Word(&["abandoned", "duplicate", "requested_by_customer"]))];
pub(crate) const FILTERS: &[Spec] = &[param("customer", Kind::Id), param("payment_method", Kind::Id)];

impl Twin {
    pub(crate) fn create_setup_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (params, now) = (sent.params, sent.now);
        check_automatic(params, &["payment_method_types"])?;
        let types = setup_types(params)?;
        if let Some(customer) = params.text("customer") {
            self.check_customer(customer)?;
        }
        if params.flag("confirm") {
            params.required("payment_method")?;
        } else if params.has("return_url") {
            let message = "The parameter `return_url` cannot be passed when creating a SetupIntent unless `confirm` is set \
                           to true.";
            return Err(Refusal::invalid("return_url", message));
        }
        let payment_method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        let automatic = AutomaticMethods::of(params);
        let types = types.unwrap_or_else(|| vec!["card".into()]);
        let accepted = Some(types.as_slice()).filter(|_| automatic.is_none());
        self.check_setup_method(payment_method.as_deref(), params.text("customer"), accepted)?;
        if params.flag("confirm") {
            check_return("SetupIntent", automatic, params.text("return_url"), sent)?;
        }
        let id = self.draw("seti_");
        let setup = SetupIntent {
            client_secret: format!("{id}_secret_{}", self.draw("")),
            id: id.clone(),
            status: if payment_method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.into(),
            usage: params.text("usage").unwrap_or("off_session").into(),
            customer: params.owned("customer"),
            payment_method,
            payment_method_types: types,
            automatic_payment_methods: automatic,
            description: params.owned("description"),
            return_url: params.owned("return_url"),
            cancellation_reason: None,
            last_setup_error: None,
            next_action: None,
            metadata: params.metadata(),
            created: now,
        };
        self.emit("setup_intent.created", &setup, now);
        self.setup_intents.insert(setup);
        if params.flag("confirm") {
            self.confirm_setup(&id, params, now)?;
        }
        self.retrieve_setup_intent(&id)
    }

    pub(crate) fn retrieve_setup_intent(&self, id: &str) -> Result<Value, Refusal> {
        self.setup_intents.get(id).map(SetupIntent::to_json).ok_or_else(|| Refusal::no_such("setupintent", id))
    }

    pub(crate) fn list_setup_intents(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &SetupIntent| {
            is(sent.params, "customer", it.customer.as_deref().unwrap_or_default())
                && is(sent.params, "payment_method", it.payment_method.as_deref().unwrap_or_default())
                && is_created(it.created, sent.params)
        };
        page("/v1/setup_intents", "setupintent", &self.setup_intents, sent.params, wanted, SetupIntent::to_json)
    }

    /// SetupIntent that may still be changed.
    fn open_setup(&mut self, id: &str, done: &str) -> Result<&mut SetupIntent, Refusal> {
        let setup = self.setup_intents.get_mut(id).ok_or_else(|| Refusal::no_such("setupintent", id))?;
        if !["succeeded", "canceled"].contains(&setup.status.as_str()) {
            return Ok(setup);
        }
        let message = format!("You cannot {done} this SetupIntent because it has a status of {}.", setup.status);
        let mut refusal = Refusal::state("setup_intent_unexpected_state", message);
        refusal.with = vec![("setup_intent", setup.to_json())];
        Err(refusal)
    }

    pub(crate) fn update_setup_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let types = setup_types(params)?;
        self.open_setup(sent.id, "update")?;
        if let Some(customer) = params.text("customer") {
            self.check_customer(customer)?;
        }
        let method = params.text("payment_method").map(|it| self.resolve_method(it, sent.now)).transpose()?;
        let before = self.open_setup(sent.id, "update")?.clone();
        let customer = params.text("customer").or(before.customer.as_deref());
        self.check_setup_method(
            method.as_deref().or(before.payment_method.as_deref()),
            customer,
            types.as_deref().or(before.accepted_types()),
        )?;
        let setup = self.open_setup(sent.id, "update")?;
        if method.is_some() {
            (setup.payment_method, setup.next_action) = (method, None);
            setup.status = "requires_confirmation".into();
        }
        params.replace("customer", &mut setup.customer);
        params.replace("description", &mut setup.description);
        if let Some(types) = types {
            (setup.payment_method_types, setup.automatic_payment_methods) = (types, None);
        }
        params.merge_metadata(&mut setup.metadata);
        Ok(setup.to_json())
    }

    pub(crate) fn cancel_setup_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let setup = self.open_setup(sent.id, "cancel")?;
        setup.status = "canceled".into();
        setup.next_action = None;
        setup.cancellation_reason = sent.params.owned("cancellation_reason");
        let setup = setup.clone();
        self.emit("setup_intent.canceled", &setup, sent.now);
        Ok(setup.to_json())
    }

    pub(crate) fn confirm_setup_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        self.open_setup(sent.id, "confirm")?;
        let given = sent.params.text("payment_method").map(|it| self.resolve_method(it, sent.now)).transpose()?;
        let before = self.open_setup(sent.id, "confirm")?.clone();
        let method = given.as_deref().or(before.payment_method.as_deref());
        self.check_setup_method(method, before.customer.as_deref(), before.accepted_types())?;
        let return_url = sent.params.text("return_url").or(before.return_url.as_deref());
        check_return("SetupIntent", before.automatic_payment_methods, return_url, sent)?;
        let setup = self.open_setup(sent.id, "confirm")?;
        if given.is_some() {
            setup.payment_method = given;
        }
        sent.params.replace("return_url", &mut setup.return_url);
        self.confirm_setup(sent.id, sent.params, sent.now)?;
        self.retrieve_setup_intent(sent.id)
    }

    fn confirm_setup(&mut self, id: &str, params: &Params, now: i64) -> Result<(), Refusal> {
        let base = self.base_url();
        let setup = self.open_setup(id, "confirm")?;
        let Some(method) = setup.payment_method.clone() else {
            let message = "You cannot confirm this SetupIntent because it's missing a payment method.";
            return Err(Refusal::state("setup_intent_unexpected_state", message.to_owned()));
        };
        setup.last_setup_error = None;
        let card = self.payment_methods.get(&method).and_then(|it| cards::by_token(&it.token));
        if let Some(decline) = card.and_then(Card::attachment_decline) {
            return Err(self.fail_setup(id, Refusal::declined(decline), now)?);
        }
        let authenticates = card.is_some_and(|it| {
            matches!(
                it.outcome,
                Outcome::Authenticates(
                    Authentication::Always | Authentication::UnlessSetUp | Authentication::OnSession,
                    _
                )
            )
        });
        if !authenticates {
            return self.succeed_setup(id, now);
        }
        let setup = self.open_setup(id, "confirm")?;
        setup.status = "requires_action".into();
        let return_url = setup.return_url.as_deref().filter(|_| !params.flag("use_stripe_sdk"));
        setup.next_action = Some(next_action(&base, &setup.id, &setup.client_secret, return_url));
        let setup = setup.clone();
        self.emit("setup_intent.requires_action", &setup, now);
        Ok(())
    }

    fn succeed_setup(&mut self, id: &str, now: i64) -> Result<(), Refusal> {
        let setup = self.open_setup(id, "confirm")?;
        setup.status = "succeeded".into();
        setup.next_action = None;
        let setup = setup.clone();
        let method = setup.payment_method.clone().unwrap_or_default();
        if let Some(customer) = setup.customer.clone() {
            self.save_method(&method, customer, now);
        }
        if let Some(method) = self.payment_methods.get_mut(&method) {
            method.is_set_up = true;
        }
        self.emit("setup_intent.succeeded", &setup, now);
        Ok(())
    }

    /// Records a failed setup: the SetupIntent requires another payment method.
    fn fail_setup(&mut self, id: &str, mut refusal: Refusal, now: i64) -> Result<Refusal, Refusal> {
        let method = self.open_setup(id, "confirm")?.payment_method.take();
        let method = method.and_then(|it| self.payment_methods.get(&it)).map(PaymentMethod::to_json);
        refusal.with.extend(method.map(|it| ("payment_method", it)));
        let setup = self.open_setup(id, "confirm")?;
        setup.status = "requires_payment_method".into();
        setup.next_action = None;
        setup.last_setup_error = Some(refusal.to_json());
        let setup = setup.clone();
        self.emit("setup_intent.setup_failed", &setup, now);
        refusal.with.push(("setup_intent", setup.to_json()));
        Ok(refusal)
    }

    /// Finishes an authentication by the customer. Stripe has no such call.
    pub(crate) fn finish_setup_intent(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let setup = self.open_setup(sent.id, "finish")?;
        if setup.status != "requires_action" {
            let message = format!("This SetupIntent cannot be finished because it has a status of {}", setup.status);
            return Err(Refusal::state("setup_intent_unexpected_state", message));
        }
        if sent.params.text("outcome") == Some("failed") {
            let message = "We are unable to authenticate your payment method. Please choose a different payment method and \
                           try again.";
            let refusal = Refusal::parameter_less("setup_intent_authentication_failure", message.to_owned());
            self.fail_setup(sent.id, refusal, sent.now)?;
        } else {
            self.succeed_setup(sent.id, sent.now)?;
        }
        self.retrieve_setup_intent(sent.id)
    }

    /// Refuses a payment method of another customer, or of a type that is not one of those that a request named.
    fn check_setup_method(
        &self,
        method: Option<&str>,
        customer: Option<&str>,
        accepted: Option<&[String]>,
    ) -> Result<(), Refusal> {
        let owner = self.other_owner(method, customer);
        let Some(method) = method.and_then(|it| self.payment_methods.get(it)) else { return Ok(()) };
        match (owner, customer) {
            (None, _) => {}
            (Some(_), Some(customer)) => return Err(Refusal::not_of_customer(&method.id, customer)),
            (Some(owner), None) => {
                let message = format!(
                    "The payment method supplied ({}) belongs to the Customer {owner}. Please include the Customer in the \
                     `customer` parameter on the SetupIntent.",
                    method.id
                );
                return Err(Refusal::invalid("payment_method", &message));
            }
        }
        let kind = method.kind();
        let is_accepted = accepted.is_none_or(|it| it.iter().any(|it| it == kind));
        if is_accepted { Ok(()) } else { Err(incompatible("SetupIntent", kind)) }
    }
}

/// Types that a request names, which the twin can set up; `None` if it names none.
fn setup_types(params: &Params) -> Result<Option<Vec<String>>, Refusal> {
    let types = named_types(params, "SetupIntent")?;
    check_modelled(types.as_deref().unwrap_or_default())?;
    Ok(types)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn a_declined_card_is_neither_set_up_nor_attached() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let form = format!("customer={customer}&confirm=true&payment_method=pm_card_chargeDeclined");
        let refused = post(&mut twin, "/v1/setup_intents", &form);
        let error = &refused.body["error"];
        assert_eq!((refused.status, &error["code"]), (402, &json!("card_declined")));
        assert_eq!(error["setup_intent"]["status"], "requires_payment_method");
        let events: Vec<_> = twin.events().map(|it| it.kind.clone()).collect();
        assert_eq!(events.last().map(String::as_str), Some("setup_intent.setup_failed"));
        let attach = |twin: &mut Twin, card: &str| {
            post(twin, &format!("/v1/payment_methods/{card}/attach"), &format!("customer={customer}")).status
        };
        assert_eq!(attach(&mut twin, "pm_card_visa_chargeDeclinedExpiredCard"), 402);
        assert_eq!(attach(&mut twin, "pm_card_chargeCustomerFail"), 200, "declined at a charge only");
    }

    #[test]
    fn a_server_names_a_return_url_if_the_customer_may_be_redirected() {
        let mut twin = Twin::default();
        let mut send = |path: &str, form: &str| twin.handle(&request(Method::Post, path, form), NOW).0;
        let confirms = "confirm=true&payment_method=pm_card_visa";
        let refused = send("/v1/setup_intents", confirms);
        assert_eq!(refused.status, 400);
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("This SetupIntent is configured to accept payment methods"), "{message}");
        let never = "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";
        for more in ["payment_method_types[]=card", never, "return_url=https://shop.example/cards"] {
            assert_eq!(send("/v1/setup_intents", &format!("{confirms}&{more}")).status, 200, "{more}");
        }
        let wrong = send("/v1/setup_intents", &format!("{confirms}&return_url=shop.example"));
        assert_eq!(wrong.body["error"]["code"], "url_invalid");
        let early = send("/v1/setup_intents", "return_url=https://shop.example/cards");
        assert_eq!((early.status, &early.body["error"]["param"]), (400, &json!("return_url")));
        let made = send("/v1/setup_intents", "").body;
        let path = format!("/v1/setup_intents/{}/confirm", made["id"].as_str().unwrap());
        assert_eq!(send(&path, "payment_method=pm_card_visa").status, 400);
        let done = send(&path, "payment_method=pm_card_visa&return_url=https://shop.example/cards");
        assert_eq!(done.body["status"], "succeeded");
    }

    #[test]
    fn a_setup_intent_is_updated_listed_and_canceled() {
        let mut twin = Twin::default();
        let made = post(&mut twin, "/v1/setup_intents", "usage=on_session").body;
        let path = format!("/v1/setup_intents/{}", made["id"].as_str().unwrap());
        assert_eq!(post(&mut twin, &path, "description=card&metadata[a]=1").body["metadata"]["a"], "1");
        let list = twin.handle(&request(Method::Get, "/v1/setup_intents", ""), NOW).0.body;
        assert_eq!(list["data"][0]["description"], "card");
        let canceled = post(&mut twin, &format!("{path}/cancel"), "cancellation_reason=abandoned").body;
        assert_eq!((&canceled["status"], &canceled["cancellation_reason"]), (&json!("canceled"), &json!("abandoned")));
        let refused = post(&mut twin, &format!("{path}/confirm"), "payment_method=pm_card_visa");
        assert_eq!(refused.body["error"]["code"], "setup_intent_unexpected_state");
        assert_eq!(refused.body["error"]["setup_intent"]["id"], made["id"]);
    }
}
