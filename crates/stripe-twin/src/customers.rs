//! Customers and the ephemeral keys of their apps.

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::error::Refusal;
use crate::intents::check_email;
use crate::kinds::{Kind, Spec, clearable, param};
use crate::lists::{is, is_created, page};
use crate::objects::{Customer, EphemeralKey, Fields};
use crate::state::Twin;

pub(crate) const CUSTOMER: &[Spec] = &[
    param("email", Kind::Text(512)),
    param("name", Kind::Text(256)),
    param("phone", Kind::Text(20)),
    param("description", Kind::Text(5000)),
    param("address", Kind::Unset),
    param("address.city", Kind::Text(5000)),
    param("address.country", Kind::Text(5000)),
    param("address.line1", Kind::Text(5000)),
    param("address.line2", Kind::Text(5000)),
    param("address.postal_code", Kind::Text(5000)),
    param("address.state", Kind::Text(5000)),
    param("shipping", Kind::Unset),
    param("shipping.name", Kind::Text(5000)),
    param("shipping.phone", Kind::Text(5000)),
    param("shipping.address.city", Kind::Text(5000)),
    param("shipping.address.country", Kind::Text(5000)),
    param("shipping.address.line1", Kind::Text(5000)),
    param("shipping.address.line2", Kind::Text(5000)),
    param("shipping.address.postal_code", Kind::Text(5000)),
    param("shipping.address.state", Kind::Text(5000)),
    param("preferred_locales.*", Kind::Text(5000)),
    clearable("tax_exempt", Kind::Word(&["none", "exempt", "reverse"])),
    clearable("invoice_settings.default_payment_method", Kind::Id),
];

/// Lifetime of an ephemeral key, in seconds.
const EPHEMERAL_SECONDS: i64 = 3600;

impl Twin {
    pub(crate) fn create_customer(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let now = sent.now;
        let mut customer = Customer {
            id: self.draw("cus_"),
            email: None,
            name: None,
            phone: None,
            description: None,
            address: Fields::default(),
            shipping: Fields::default(),
            preferred_locales: Vec::new(),
            tax_exempt: "none".into(),
            default_method: None,
            metadata: sent.params.metadata(),
            deleted: false,
            created: now,
        };
        let method = sent.params.text("payment_method");
        let method = method.map(|it| self.resolve_method(it, now)).transpose()?;
        if let Some(method) = &method {
            self.check_attachable(method, &customer.id)?;
        }
        change(&mut customer, sent)?;
        if let Some(default) = &customer.default_method
            && sent.params.text("payment_method") != Some(default)
            && method.as_ref() != Some(default)
        {
            return Err(Refusal::no_such("PaymentMethod", default).of_param("invoice_settings[default_payment_method]"));
        }
        let id = customer.id.clone();
        if customer.default_method.is_some() {
            customer.default_method.clone_from(&method);
        }
        let json = customer.to_json();
        self.emit("customer.created", &customer, now);
        self.customers.insert(customer);
        if let Some(method) = method {
            self.save_method(&method, id, now);
        }
        Ok(json)
    }

    pub(crate) fn list_customers(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let wanted = |it: &Customer| {
            !it.deleted
                && is(sent.params, "email", it.email.as_deref().unwrap_or_default())
                && is_created(it.created, sent.params)
        };
        page("/v1/customers", "customer", &self.customers, sent.params, wanted, Customer::to_json)
    }

    pub(crate) fn retrieve_customer(&self, id: &str) -> Result<Value, Refusal> {
        self.customers.get(id).map(Customer::to_json).ok_or_else(|| Refusal::no_such("customer", id))
    }

    pub(crate) fn update_customer(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let missing = || Refusal::no_such("customer", sent.id);
        let mut customer = self.customers.get(sent.id).filter(|it| !it.deleted).ok_or_else(missing)?.clone();
        let before = customer.clone();
        change(&mut customer, sent)?;
        if let Some(default) = &customer.default_method {
            let method = self.payment_methods.get(default);
            if method.is_none_or(|it| it.customer.as_deref() != Some(sent.id)) {
                let message = format!(
                    "The customer does not have a payment method with the ID {default}. The payment method must be \
                     attached to the customer."
                );
                let param = "invoice_settings[default_payment_method]";
                return Err(Refusal::parameter("resource_missing", param, &message));
            }
        }
        self.emit_updated("customer.updated", &before, &customer, sent.now);
        let json = customer.to_json();
        self.customers.insert(customer);
        Ok(json)
    }

    pub(crate) fn delete_customer(&mut self, id: &str, now: i64) -> Result<Value, Refusal> {
        let missing = || Refusal::no_such("customer", id);
        let customer = self.customers.get_mut(id).filter(|it| !it.deleted).ok_or_else(missing)?;
        // The event has the customer as it was.
        let before = customer.clone();
        customer.deleted = true;
        let json = customer.to_json();
        self.emit("customer.deleted", &before, now);
        let saved: Vec<String> = self
            .payment_methods
            .iter()
            .filter(|it| it.customer.as_deref() == Some(id))
            .map(|it| it.id.clone())
            .collect();
        for method in saved {
            self.detach(&method, now)?;
        }
        Ok(json)
    }

    /// Refuses a customer that does not exist or was deleted, named by the parameter `customer`.
    pub(crate) fn check_customer(&self, id: &str) -> Result<(), Refusal> {
        let exists = self.customers.get(id).is_some_and(|it| !it.deleted);
        if exists { Ok(()) } else { Err(Refusal::no_such("customer", id).of_param("customer")) }
    }

    pub(crate) fn create_ephemeral_key(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        if sent.request.version.is_none() {
            let message =
                "Creating an ephemeral key requires the header Stripe-Version, with the version of the app's SDK.";
            return Err(Refusal::parameter_less("parameter_missing", message.to_owned()));
        }
        let customer = sent.params.required("customer")?.to_owned();
        self.check_customer(&customer)?;
        let key = EphemeralKey {
            id: self.draw("ephkey_"),
            secret: self.draw("ek_test_"),
            customer,
            created: sent.now,
            expires: sent.now + EPHEMERAL_SECONDS,
        };
        let mut json = key.to_json(true);
        // A field of older versions, which the mobile SDKs read.
        let associated = json!([{ "id": key.customer, "type": "customer" }]);
        crate::objects::set(&mut json, "associated_objects", associated);
        self.ephemeral_keys.insert(key);
        Ok(json)
    }

    pub(crate) fn delete_ephemeral_key(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let missing = || Refusal::no_such("ephemeral key", sent.id);
        let mut key = self.ephemeral_keys.remove(sent.id).ok_or_else(missing)?;
        key.expires = key.expires.min(sent.now);
        Ok(key.to_json(false))
    }
}

/// Changes a customer as a request says.
fn change(customer: &mut Customer, sent: &Sent<'_>) -> Result<(), Refusal> {
    let params = sent.params;
    check_email(params, "email")?;
    params.replace("email", &mut customer.email);
    params.replace("name", &mut customer.name);
    params.replace("phone", &mut customer.phone);
    params.replace("description", &mut customer.description);
    customer.address.merge(params, "address");
    customer.shipping.replace(params, "shipping", &["address", "name"])?;
    if params.has("preferred_locales") {
        customer.preferred_locales = params.list("preferred_locales");
    }
    if let Some(exempt) = params.given("tax_exempt") {
        let exempt = if exempt.is_empty() { "none" } else { exempt };
        exempt.clone_into(&mut customer.tax_exempt);
    }
    params.replace("invoice_settings.default_payment_method", &mut customer.default_method);
    params.merge_metadata(&mut customer.metadata);
    Ok(())
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
            let param = &other.body["error"]["param"];
            assert!(other.status == 400 && ["payment_method", "source"].iter().any(|it| param == it), "{path} {form}");
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
}
