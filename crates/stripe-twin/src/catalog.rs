//! Customers, payment methods, SetupIntents and webhook endpoints, and the lists that can only be read.

use serde_json::{Value, json};

use crate::cards;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is_created, page};
use crate::objects::{
    BalanceTransaction, Charge, Customer, Dispute, Event, PaymentMethod, SetupIntent, WebhookEndpoint, set,
};
use crate::params::Params;
use crate::request::Request;
use crate::state::Twin;

pub(crate) const CUSTOMER: &[Spec] = &[
    param("email", Kind::Text(512)),
    param("name", Kind::Text(256)),
    param("phone", Kind::Text(20)),
    param("description", Kind::Text(5000)),
];
pub(crate) const SETUP: &[Spec] = &[
    param("customer", Kind::Id),
    param("usage", Kind::Word(&["off_session", "on_session"])),
    param("payment_method", Kind::Id),
    param("automatic_payment_methods.enabled", Kind::Bool),
    param("payment_method_types.*", Kind::Text(5000)),
    param("confirm", Kind::Bool),
    param("return_url", Kind::Text(5000)),
    param("description", Kind::Text(1000)),
];
pub(crate) const SETUP_CONFIRMATION: &[Spec] = &[
    param("payment_method", Kind::Id),
    param("return_url", Kind::Text(5000)),
    param("client_secret", Kind::Text(5000)),
];
pub(crate) const ENDPOINT: &[Spec] = &[
    param("url", Kind::Text(5000)),
    param("enabled_events.*", Kind::Text(5000)),
    param("api_version", Kind::Text(50)),
    param("description", Kind::Text(5000)),
];

/// Lifetime of an ephemeral key, in seconds.
const EPHEMERAL_SECONDS: i64 = 3600;

impl Twin {
    pub(crate) fn retrieve_customer(&self, id: &str) -> Result<Value, Refusal> {
        self.customers.get(id).map(Customer::to_json).ok_or_else(|| Refusal::missing("customer", id))
    }

    pub(crate) fn list_methods(&self, customer: &str, request: &Request) -> Result<Value, Refusal> {
        let methods = self.payment_methods.values().rev().filter(|it| it.customer.as_deref() == Some(customer));
        page(&request.path, methods, &request.params, |it| &it.id, PaymentMethod::to_json)
    }

    pub(crate) fn retrieve_method(&self, id: &str) -> Result<Value, Refusal> {
        let found = self.payment_methods.get(id).map(PaymentMethod::to_json);
        found.ok_or_else(|| Refusal::missing("payment_method", id))
    }

    pub(crate) fn retrieve_setup_intent(&self, id: &str) -> Result<Value, Refusal> {
        let found = self.setup_intents.get(id).map(SetupIntent::to_json);
        found.ok_or_else(|| Refusal::missing("setup_intent", id))
    }

    pub(crate) fn delete_endpoint(&mut self, id: &str) -> Result<Value, Refusal> {
        let gone = self.endpoints.remove(id).ok_or_else(|| Refusal::missing("webhook_endpoint", id))?;
        Ok(json!({ "id": gone.id, "object": "webhook_endpoint", "deleted": true }))
    }

    pub(crate) fn read_lists(&self, path: &[&str], request: &Request) -> Result<Value, Refusal> {
        let params = &request.params;
        let url = request.path.as_str();
        let is = |name: &str, value: &str| params.text(name).is_none_or(|it| it == value);
        match path {
            ["webhook_endpoints"] => page(url, self.endpoints.values(), params, |it| &it.id, WebhookEndpoint::to_json),
            ["charges"] => {
                let mut found: Vec<&Charge> =
                    self.charges.values().filter(|it| is("payment_intent", &it.intent)).collect();
                found.sort_by(|a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)));
                page(url, found.into_iter(), params, |it| &it.id, Charge::to_json)
            }
            ["charges", id] => self.charges.get(*id).map(Charge::to_json).ok_or_else(|| Refusal::missing("charge", id)),
            ["balance_transactions"] => {
                let found = self.balance_transactions.values().filter(|it| is("source", &it.source));
                page(url, found, params, |it| &it.id, BalanceTransaction::to_json)
            }
            ["balance_transactions", id] => {
                let found = self.balance_transactions.get(*id).map(BalanceTransaction::to_json);
                found.ok_or_else(|| Refusal::missing("balance_transaction", id))
            }
            ["disputes"] => {
                let wanted = |it: &&Dispute| {
                    is("payment_intent", &it.intent) && is("charge", &it.charge) && is_created(it.created, params)
                };
                let mut found: Vec<&Dispute> = self.disputes.values().filter(wanted).collect();
                found.sort_by(|a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)));
                page(url, found.into_iter(), params, |it| &it.id, Dispute::to_json)
            }
            ["disputes", id] => {
                self.disputes.get(*id).map(Dispute::to_json).ok_or_else(|| Refusal::missing("dispute", id))
            }
            ["events"] => {
                let types = params.list("types");
                let wanted = |it: &&Event| {
                    is("type", &it.kind)
                        && (types.is_empty() || types.contains(&it.kind))
                        && is_created(it.created, params)
                };
                page(url, self.events.iter().rev().filter(wanted), params, |it| &it.id, Event::to_json)
            }
            ["events", id] => {
                let found = self.events.iter().find(|it| it.id == *id).map(Event::to_json);
                found.ok_or_else(|| Refusal::missing("event", id))
            }
            _ => Err(Refusal::url(request.method.name(), &request.path)),
        }
    }

    pub(crate) fn create_customer(&mut self, params: &Params, now: i64) -> Value {
        let customer = Customer {
            id: self.draw("cus_"),
            email: params.owned("email"),
            name: params.owned("name"),
            phone: params.owned("phone"),
            description: params.owned("description"),
            metadata: params.metadata(),
            deleted: false,
            created: now,
        };
        let json = customer.to_json();
        self.emit("customer.created", json.clone(), now);
        self.customers.insert(customer.id.clone(), customer);
        json
    }

    pub(crate) fn update_customer(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        self.check_customer(id)?;
        let customer = self.customers.get_mut(id).ok_or_else(|| Refusal::missing("customer", id))?;
        params.replace("email", &mut customer.email);
        params.replace("name", &mut customer.name);
        params.replace("phone", &mut customer.phone);
        params.replace("description", &mut customer.description);
        params.merge_metadata(&mut customer.metadata);
        let json = customer.to_json();
        self.emit("customer.updated", json.clone(), now);
        Ok(json)
    }

    pub(crate) fn delete_customer(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        self.check_customer(id)?;
        let customer = self.customers.get_mut(id).ok_or_else(|| Refusal::missing("customer", id))?;
        customer.deleted = true;
        let json = customer.to_json();
        self.emit("customer.deleted", json.clone(), now);
        Ok(json)
    }

    /// Refuses a customer that does not exist or was deleted.
    pub(crate) fn check_customer(&self, id: &str) -> Result<(), Refusal> {
        let exists = self.customers.get(id).is_some_and(|it| !it.deleted);
        if exists { Ok(()) } else { Err(Refusal { status: 400, ..Refusal::missing("customer", id) }) }
    }

    /// Id of a payment method: an existing one by its id, or a new one by the name of a test card.
    pub(crate) fn resolve_method(&mut self, text: &str, now: i64) -> Result<String, Refusal> {
        if let Some(known) = self.payment_methods.get(text) {
            if known.detached {
                let message = "The payment method was detached and cannot be used again".to_owned();
                return Err(Refusal::state("payment_method_unexpected_state", message));
            }
            return Ok(known.id.clone());
        }
        let Some(card) = cards::by_token(text) else {
            return Err(Refusal { status: 400, ..Refusal::missing("PaymentMethod", text) });
        };
        let method = PaymentMethod {
            id: self.draw("pm_"),
            token: card.token.into(),
            brand: card.brand.into(),
            last4: card.last4.into(),
            customer: None,
            detached: false,
            created: now,
        };
        let id = method.id.clone();
        self.payment_methods.insert(id.clone(), method);
        Ok(id)
    }

    pub(crate) fn attach(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let customer = params.required("customer")?.to_owned();
        self.check_customer(&customer)?;
        let id = self.resolve_method(id, now)?;
        let method = self.payment_methods.get_mut(&id).ok_or_else(|| Refusal::missing("payment_method", &id))?;
        if method.customer.as_ref().is_some_and(|it| *it != customer) {
            let message = "The payment method you provided has already been attached to a customer.";
            return Err(Refusal::invalid("customer", message));
        }
        method.customer = Some(customer);
        let json = method.to_json();
        self.emit("payment_method.attached", json.clone(), now);
        Ok(json)
    }

    /// Attaches the payment method of a payment to the customer, unless it already has one.
    pub(crate) fn save_method(&mut self, id: &str, customer: String, now: i64) {
        let new = self.payment_methods.get_mut(id).filter(|it| it.customer.is_none());
        if let Some(method) = new {
            method.customer = Some(customer);
            let json = method.to_json();
            self.emit("payment_method.attached", json, now);
        }
    }

    pub(crate) fn detach(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let method = self.payment_methods.get_mut(id).ok_or_else(|| Refusal::missing("payment_method", id))?;
        method.customer = None;
        method.detached = true;
        let json = method.to_json();
        self.emit("payment_method.detached", json.clone(), now);
        Ok(json)
    }

    pub(crate) fn create_ephemeral_key(&mut self, request: &Request, now: i64) -> Result<Value, Refusal> {
        if request.version.is_none() {
            return Err(Refusal::invalid("Stripe-Version", "An ephemeral key needs the Stripe-Version of the app"));
        }
        self.check_customer(request.params.required("customer")?)?;
        let (id, secret) = (self.draw("ephkey_"), self.draw("ek_test_"));
        Ok(json!({ "id": id, "object": "ephemeral_key", "created": now, "expires": now + EPHEMERAL_SECONDS,
            "livemode": false, "secret": secret }))
    }

    pub(crate) fn create_setup_intent(&mut self, params: &Params, now: i64) -> Result<Value, Refusal> {
        if let Some(customer) = params.text("customer") {
            self.check_customer(customer)?;
        }
        let payment_method = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        let id = self.draw("seti_");
        let setup = SetupIntent {
            client_secret: format!("{id}_secret_{}", self.draw("")),
            id: id.clone(),
            status: if payment_method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.into(),
            usage: params.text("usage").unwrap_or("off_session").into(),
            customer: params.owned("customer"),
            payment_method,
            metadata: params.metadata(),
            created: now,
        };
        self.emit("setup_intent.created", setup.to_json(), now);
        let json = setup.to_json();
        self.setup_intents.insert(id.clone(), setup);
        if params.flag("confirm") { self.confirm_setup_intent(&id, &Params::default(), now) } else { Ok(json) }
    }

    pub(crate) fn confirm_setup_intent(&mut self, id: &str, params: &Params, now: i64) -> Result<Value, Refusal> {
        let given = params.text("payment_method").map(|it| self.resolve_method(it, now)).transpose()?;
        let setup = self.setup_intents.get_mut(id).ok_or_else(|| Refusal::missing("setup_intent", id))?;
        if ["succeeded", "canceled"].contains(&setup.status.as_str()) {
            let message = format!("This SetupIntent has a status of {}", setup.status);
            return Err(Refusal::state("setup_intent_unexpected_state", message));
        }
        if given.is_some() {
            setup.payment_method = given;
        }
        let Some(method) = setup.payment_method.clone() else {
            return Err(Refusal::required("payment_method"));
        };
        setup.status = "succeeded".into();
        let (json, customer) = (setup.to_json(), setup.customer.clone());
        if let (Some(customer), Some(method)) = (customer, self.payment_methods.get_mut(&method)) {
            method.customer = Some(customer);
        }
        self.emit("setup_intent.succeeded", json.clone(), now);
        Ok(json)
    }

    pub(crate) fn create_endpoint(&mut self, params: &Params) -> Result<Value, Refusal> {
        let enabled_events = params.list("enabled_events");
        if enabled_events.is_empty() {
            return Err(Refusal::required("enabled_events"));
        }
        let endpoint = WebhookEndpoint {
            id: self.draw("we_"),
            url: params.required("url")?.to_owned(),
            secret: self.draw("whsec_"),
            enabled_events,
        };
        // Stripe answers the secret only at creation.
        let mut json = endpoint.to_json();
        set(&mut json, "secret", json!(endpoint.secret));
        self.register(endpoint);
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn a_customer_lists_its_cards_and_answers_only_its_id_when_deleted() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "email=ada@example.com&metadata[a]=1").body;
        let id = customer["id"].as_str().unwrap();
        let attached = post(&mut twin, "/v1/payment_methods/pm_card_visa/attach", &format!("customer={id}")).body;
        let method = attached["id"].as_str().unwrap();
        let path = format!("/v1/customers/{id}/payment_methods");
        let list = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
        assert_eq!(list["data"][0]["card"]["last4"], "4242");
        post(&mut twin, &format!("/v1/payment_methods/{method}/detach"), "");
        let again = post(&mut twin, &format!("/v1/payment_methods/{method}/attach"), &format!("customer={id}"));
        assert_eq!(again.status, 400, "a detached card cannot be attached again");
        twin.handle(&request(Method::Delete, &format!("/v1/customers/{id}"), ""), NOW);
        let gone = twin.handle(&request(Method::Get, &format!("/v1/customers/{id}"), ""), NOW).0;
        assert_eq!((gone.status, &gone.body["deleted"]), (200, &json!(true)));
    }

    #[test]
    fn a_card_saved_during_a_payment_is_usable_by_its_customer_only() {
        let mut twin = Twin::default();
        let customer = |twin: &mut Twin| post(twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let (ada, eve) = (customer(&mut twin), customer(&mut twin));
        let form = |who: &str, more: &str| format!("amount=500&currency=usd&customer={who}&confirm=true&{more}");
        let saves = form(&ada, "setup_future_usage=off_session&payment_method=pm_card_visa");
        let paid = post(&mut twin, "/v1/payment_intents", &saves).body;
        let card = paid["payment_method"].as_str().unwrap();
        let list = twin.handle(&request(Method::Get, &format!("/v1/customers/{ada}/payment_methods"), ""), NOW).0.body;
        assert_eq!(list["data"][0]["id"], card);
        let again = post(&mut twin, "/v1/payment_intents", &form(&ada, &format!("payment_method={card}")));
        assert_eq!(again.body["status"], "succeeded");
        let refuses = |twin: &mut Twin, path: &str, form: &str| {
            let other = post(twin, path, form);
            assert_eq!((other.status, &other.body["error"]["param"]), (400, &json!("payment_method")), "{path} {form}");
        };
        refuses(&mut twin, "/v1/payment_intents", &form(&eve, &format!("payment_method={card}")));
        // At creation and update too, and for an intent without a customer.
        for owner in [String::new(), format!("&customer={eve}")] {
            let form = format!("amount=500&currency=usd{owner}");
            refuses(&mut twin, "/v1/payment_intents", &format!("{form}&payment_method={card}"));
            let made = post(&mut twin, "/v1/payment_intents", &form).body;
            let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
            refuses(&mut twin, &path, &format!("payment_method={card}"));
        }
        let own = format!("amount=500&currency=usd&customer={ada}&payment_method={card}");
        let made = post(&mut twin, "/v1/payment_intents", &own).body;
        refuses(
            &mut twin,
            &format!("/v1/payment_intents/{}", made["id"].as_str().unwrap()),
            &format!("customer={eve}"),
        );
    }

    #[test]
    fn an_ephemeral_key_needs_the_apps_api_version_and_expires_after_an_hour() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let mut sent = request(Method::Post, "/v1/ephemeral_keys", &format!("customer={customer}"));
        assert_eq!(twin.handle(&sent, NOW).0.status, 400);
        sent.version = Some("2024-06-20".into());
        assert_eq!(twin.handle(&sent, NOW).0.body["expires"], NOW + 3600);
    }

    #[test]
    fn a_setup_intent_saves_a_card() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let setup = post(&mut twin, "/v1/setup_intents", &format!("customer={customer}")).body;
        let path = format!("/v1/setup_intents/{}/confirm", setup["id"].as_str().unwrap());
        assert_eq!(post(&mut twin, &path, "payment_method=pm_card_visa").body["status"], "succeeded");
        let path = format!("/v1/customers/{customer}/payment_methods");
        let list = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn an_unknown_path_is_refused_by_name() {
        let answer = post(&mut Twin::default(), "/v1/moonbeams", "");
        assert_eq!(answer.status, 404);
        assert!(answer.body["error"]["message"].as_str().unwrap().contains("POST: /v1/moonbeams"));
    }
}
