//! API keys and what each gives access to ("API keys" in Stripe's documentation).

use serde_json::Value;

use crate::error::Refusal;
use crate::request::{Method, Request};
use crate::state::Twin;

/// Fields of a PaymentIntent that a publishable key shows, as in Stripe's answers of 2024 that its SDK for iOS has
/// recorded. Of `payment_method_options` these show nothing of cards.
const SHOWN_OF_PAYMENT_INTENT: &[&str] = &[
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_configuration_details",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "status",
];
/// Fields of a SetupIntent that a publishable key shows, by the same sources.
const SHOWN_OF_SETUP_INTENT: &[&str] = &[
    "id",
    "object",
    "automatic_payment_methods",
    "cancellation_reason",
    "client_secret",
    "created",
    "description",
    "last_setup_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_configuration_details",
    "payment_method_types",
    "status",
    "usage",
];

/// Removes from an answer what a publishable key does not show: many fields of intents, the fingerprint of a card, and
/// the metadata of every object ("Metadata").
pub(crate) fn reduce(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            match fields.get("object").and_then(Value::as_str) {
                Some("payment_intent") => fields.retain(|name, _| SHOWN_OF_PAYMENT_INTENT.contains(&name.as_str())),
                Some("setup_intent") => fields.retain(|name, _| SHOWN_OF_SETUP_INTENT.contains(&name.as_str())),
                Some(_) | None => fields.retain(|name, _| name != "metadata" && name != "fingerprint"),
            }
            fields.values_mut().for_each(reduce);
        }
        Value::Array(items) => items.iter_mut().for_each(reduce),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Twin {
    /// Refuses a request whose key gives no access to its call.
    pub(crate) fn authenticate(&self, request: &Request, now: i64) -> Result<(), Refusal> {
        let Some(key) = &request.key else {
            let message = "You did not provide an API key. You need to provide your API key in the Authorization \
                           header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
            return Err(Refusal::unauthorized(message));
        };
        if key.starts_with("sk_test_") || key.starts_with("rk_test_") {
            return Ok(());
        }
        if request.has_publishable_key() {
            return self.check_publishable(request);
        }
        if key.starts_with("ek_test_") {
            return self.check_ephemeral(key, request, now);
        }
        Err(Refusal::unauthorized("Invalid API Key provided: the twin takes keys that begin with sk_test_"))
    }

    /// A publishable key gives access to one intent, together with its client secret: to read it, to confirm it, and to
    /// act as its customer.
    fn check_publishable(&self, request: &Request) -> Result<(), Refusal> {
        let secret = request.params.text("client_secret").unwrap_or_default();
        let is_customers =
            request.method == Method::Get || request.path.ends_with("/confirm") || request.path.starts_with("/_twin/");
        let mut segments = request.path.split('/');
        let is_its = segments.any(|id| {
            let intent = self.intents.get(id).map(|it| &it.client_secret);
            intent.or(self.setup_intents.get(id).map(|it| &it.client_secret)).is_some_and(|it| it == secret)
        });
        if is_its && is_customers {
            return Ok(());
        }
        let refusal = Refusal::unauthorized(
            "This API call cannot be made with a publishable API key, or it needs the client_secret of its intent. \
             Please use a secret API key.",
        );
        Err(Refusal { code: Some("secret_key_required".to_owned()), ..refusal })
    }

    /// An ephemeral key gives access to its customer and to that customer's payment methods.
    fn check_ephemeral(&self, secret: &str, request: &Request, now: i64) -> Result<(), Refusal> {
        let Some(key) = self.ephemeral_keys.iter().find(|it| it.secret == secret) else {
            return Err(Refusal::unauthorized("Invalid API Key provided: no such ephemeral key"));
        };
        if now >= key.expires {
            let refusal = Refusal::unauthorized("Expired API Key provided: the ephemeral key has expired");
            return Err(Refusal { code: Some("api_key_expired".to_owned()), ..refusal });
        }
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let names_it = request.params.text("customer") == Some(&key.customer);
        let is_open = match (request.method, path.as_slice()) {
            (Method::Get, ["v1", "customers", id] | ["v1", "customers", id, "payment_methods"]) => *id == key.customer,
            (Method::Get, ["v1", "payment_methods"]) | (Method::Post, ["v1", "payment_methods", _, "attach"]) => {
                names_it
            }
            (Method::Get | Method::Post, ["v1", "payment_methods", id] | ["v1", "payment_methods", id, "detach"]) => {
                self.payment_methods.get(id).is_some_and(|it| it.customer.as_ref() == Some(&key.customer))
            }
            (Method::Get | Method::Post | Method::Delete, _) => false,
        };
        if is_open {
            return Ok(());
        }
        let message = "The ephemeral key gives access to its customer and that customer's payment methods only";
        Err(Refusal { status: 403, ..Refusal::unauthorized(message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Response;
    use crate::twin::tests::{NOW, post, request};

    fn with_key(twin: &mut Twin, key: &str, method: Method, path: &str, form: &str) -> Response {
        let sent = Request { key: Some(key.to_owned()), ..request(method, path, form) };
        twin.handle(&sent, NOW).0
    }

    #[test]
    fn a_publishable_key_reads_and_confirms_the_intent_of_its_client_secret_only() {
        let mut twin = Twin::default();
        let made = post(&mut twin, "/v1/payment_intents", "amount=500&currency=usd&capture_method=manual").body;
        let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
        let secret = format!("client_secret={}", made["client_secret"].as_str().unwrap());
        let mut send = |method, path: &str, form: &str| with_key(&mut twin, "pk_test_x", method, path, form).status;
        assert_eq!(send(Method::Get, &path, &secret), 200);
        assert_eq!(send(Method::Get, &path, "client_secret=other"), 401);
        let confirmation = format!("{secret}&payment_method=pm_card_visa");
        assert_eq!(send(Method::Post, &format!("{path}/confirm"), &confirmation), 200);
        assert_eq!(send(Method::Post, &format!("{path}/capture"), ""), 401);
        assert_eq!(send(Method::Post, &path, &secret), 401);
    }

    #[test]
    fn a_publishable_key_shows_no_metadata_customer_or_charge() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let form = format!("amount=500&currency=usd&metadata[order]=7&customer={customer}");
        let made = post(&mut twin, "/v1/payment_intents", &form).body;
        let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
        let secret = format!("client_secret={}", made["client_secret"].as_str().unwrap());
        let declined = format!("{secret}&payment_method=pm_card_chargeDeclined");
        let error = with_key(&mut twin, "pk_test_x", Method::Post, &format!("{path}/confirm"), &declined).body;
        let form = format!("{secret}&expand[]=payment_method&payment_method=pm_card_visa");
        let paid = with_key(&mut twin, "pk_test_x", Method::Post, &format!("{path}/confirm"), &form).body;
        let read = with_key(&mut twin, "pk_test_x", Method::Get, &path, &secret).body;
        for shown in [&error["error"]["payment_intent"], &**paid, &**read] {
            assert_eq!((&shown["amount"], &shown["client_secret"]), (&made["amount"], &made["client_secret"]));
            for hidden in ["metadata", "customer", "latest_charge", "amount_received", "payment_method_options"] {
                assert_eq!(shown.get(hidden), None, "{hidden} in {shown}");
            }
        }
        assert_eq!(
            (&paid["payment_method"]["card"]["last4"], paid["payment_method"].get("metadata")),
            (&"4242".into(), None)
        );
        assert_eq!(error["error"]["payment_intent"]["last_payment_error"]["payment_method"].get("metadata"), None);
        assert_eq!(twin.handle(&request(Method::Get, &path, ""), NOW).0.body["metadata"]["order"], "7");
    }

    #[test]
    fn an_ephemeral_key_opens_its_customer_until_it_is_deleted() {
        let mut twin = Twin::default();
        let customer = |twin: &mut Twin| post(twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let (ada, eve) = (customer(&mut twin), customer(&mut twin));
        let sent = request(Method::Post, "/v1/ephemeral_keys", &format!("customer={ada}"));
        let key = twin.handle(&Request { version: Some("2024-06-20".into()), ..sent }, NOW).0.body;
        let secret = key["secret"].as_str().unwrap();
        let methods = "/v1/payment_methods";
        let attach = format!("{methods}/pm_card_visa/attach");
        for (method, path, form, status) in [
            (Method::Get, &format!("/v1/customers/{ada}"), String::new(), 200),
            (Method::Get, &format!("/v1/customers/{eve}"), String::new(), 403),
            (Method::Post, &attach, format!("customer={ada}"), 200),
            (Method::Post, &attach, format!("customer={eve}"), 403),
            (Method::Get, &methods.to_owned(), format!("customer={ada}"), 200),
            (Method::Get, &"/v1/customers".to_owned(), String::new(), 403),
        ] {
            assert_eq!(with_key(&mut twin, secret, method, path, &form).status, status, "{path} {form}");
        }
        let path = format!("/v1/ephemeral_keys/{}", key["id"].as_str().unwrap());
        assert_eq!(twin.handle(&request(Method::Delete, &path, ""), NOW).0.status, 200);
        assert_eq!(with_key(&mut twin, secret, Method::Get, &format!("/v1/customers/{ada}"), "").status, 401);
    }
}
