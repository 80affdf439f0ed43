//! API keys and what each gives access to ("API keys" in Stripe's documentation).

use crate::error::Refusal;
use crate::request::{Method, Request};
use crate::state::Twin;

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
        if key.starts_with("pk_test_") {
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
