//! Events, and the webhook endpoints to which they are delivered.

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is_created, page};
use crate::objects::{API_VERSION, Event, WebhookEndpoint};
use crate::state::Twin;

/// Most webhook endpoints, as of a Stripe account.
const ENDPOINTS_MAX: usize = 16;

/// Most types of events that a list can be filtered by.
const TYPES_MAX: usize = 20;

pub(crate) const FILTERS: &[Spec] = &[
    param("type", Kind::Text(5000)),
    param("types.*", Kind::Text(5000)),
    // Whether all endpoints have received the event.
    param("delivery_success", Kind::Bool),
];
pub(crate) const ENDPOINT: &[Spec] = &[
    param("url", Kind::Text(5000)),
    param("enabled_events.*", Kind::Text(5000)),
    param("description", Kind::Text(5000)),
];
pub(crate) const CREATION: &[Spec] = &[param("api_version", Kind::Text(50))];
pub(crate) const UPDATE: &[Spec] = &[param("disabled", Kind::Bool)];

impl Twin {
    pub(crate) fn list_events(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let types = sent.params.list("types");
        if sent.params.has("type") && !types.is_empty() {
            let message = "You may only specify one of these parameters: type, types.";
            return Err(Refusal::parameter("parameters_exclusive", "types", message));
        }
        if types.len() > TYPES_MAX {
            let message = format!("Array types exceeded maximum {TYPES_MAX} allowed elements.");
            return Err(Refusal::invalid("types", &message));
        }
        let wanted = |it: &Event| {
            sent.params.text("type").is_none_or(|wanted| is_of_type(wanted, &it.kind))
                && (types.is_empty() || types.iter().any(|wanted| is_of_type(wanted, &it.kind)))
                && sent.params.bool("delivery_success").is_none_or(|wanted| wanted == it.pending.is_empty())
                && is_created(it.created, sent.params)
        };
        page("/v1/events", "event", &self.events, sent.params, wanted, Event::to_json)
    }

    pub(crate) fn retrieve_event(&self, id: &str) -> Result<Value, Refusal> {
        self.events.get(id).map(Event::to_json).ok_or_else(|| Refusal::no_such("event", id))
    }

    /// Records that an endpoint has received an event.
    #[cfg(feature = "server")]
    pub(crate) fn finish_delivery(&mut self, event: &str, endpoint: &str) {
        if let Some(event) = self.events.get_mut(event) {
            event.pending.retain(|it| it != endpoint);
        }
    }

    /// Whether deliveries to an endpoint are attempted: those to one that was deleted or disabled are not.
    #[cfg(feature = "server")]
    pub(crate) fn delivers_to(&self, endpoint: &str) -> bool {
        self.endpoints.get(endpoint).is_some_and(|it| !it.disabled)
    }

    pub(crate) fn create_endpoint(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let url = params.required("url")?.to_owned();
        check_url(&url)?;
        let enabled_events = params.list("enabled_events");
        if enabled_events.is_empty() {
            return Err(Refusal::required("enabled_events"));
        }
        check_types(&enabled_events)?;
        if let Some(version) = params.text("api_version").filter(|it| *it != API_VERSION) {
            let message = format!("The twin renders events in version {API_VERSION} only, not in {version}");
            return Err(Refusal::parameter("parameter_not_modelled", "api_version", &message));
        }
        if self.endpoints.len() >= ENDPOINTS_MAX {
            let message = format!("You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints.");
            return Err(Refusal::invalid("url", &message));
        }
        let endpoint = WebhookEndpoint {
            id: self.draw("we_"),
            url,
            secret: self.draw("whsec_"),
            api_version: params.owned("api_version"),
            enabled_events,
            description: params.owned("description"),
            disabled: false,
            metadata: params.metadata(),
            created: sent.now,
        };
        let json = endpoint.to_json(true);
        self.register(endpoint);
        Ok(json)
    }

    pub(crate) fn list_endpoints(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        page(
            "/v1/webhook_endpoints",
            "webhook endpoint",
            &self.endpoints,
            sent.params,
            |_| true,
            |it| it.to_json(false),
        )
    }

    pub(crate) fn retrieve_endpoint(&self, id: &str) -> Result<Value, Refusal> {
        self.endpoints.get(id).map(|it| it.to_json(false)).ok_or_else(|| Refusal::no_such("webhook endpoint", id))
    }

    pub(crate) fn update_endpoint(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let missing = || Refusal::no_such("webhook endpoint", sent.id);
        let endpoint = self.endpoints.get_mut(sent.id).ok_or_else(missing)?;
        if let Some(url) = params.text("url") {
            check_url(url)?;
            url.clone_into(&mut endpoint.url);
        }
        let enabled_events = params.list("enabled_events");
        check_types(&enabled_events)?;
        if !enabled_events.is_empty() {
            endpoint.enabled_events = enabled_events;
        }
        endpoint.disabled = params.bool("disabled").unwrap_or(endpoint.disabled);
        params.replace("description", &mut endpoint.description);
        params.merge_metadata(&mut endpoint.metadata);
        Ok(endpoint.to_json(false))
    }

    pub(crate) fn delete_endpoint(&mut self, id: &str) -> Result<Value, Refusal> {
        let gone = self.endpoints.remove(id).ok_or_else(|| Refusal::no_such("webhook endpoint", id))?;
        Ok(json!({ "id": gone.id, "object": "webhook_endpoint", "deleted": true }))
    }
}

/// Whether an event has a type, or one of a group of types, like `charge.*` ("List all events").
fn is_of_type(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(group) => kind.starts_with(group),
        None => kind == wanted,
    }
}

/// Objects of Stripe's event types, which begin with one of them ("Types of events").
const TYPE_GROUPS: &str = "account application_fee balance balance_settings billing billing_portal capability \
    cash_balance charge checkout climate coupon credit_note customer customer_cash_balance_transaction \
    entitlements file financial_connections identity invoice invoice_payment invoiceitem issuing_authorization \
    issuing_card issuing_cardholder issuing_dispute issuing_personalization_design issuing_token \
    issuing_transaction mandate payment_intent payment_link payment_method payout person plan price product \
    promotion_code quote radar refund reporting review setup_intent sigma source subscription_schedule tax \
    tax_rate terminal test_helpers topup transfer treasury";

/// Refuses types of events that Stripe does not have. Of types of objects that the twin does not model, only the object
/// is checked.
fn check_types(types: &[String]) -> Result<(), Refusal> {
    let is_known = |it: &String| {
        it == "*"
            || it.split_once('.').is_some_and(|(object, _)| TYPE_GROUPS.split_whitespace().any(|known| known == object))
    };
    match types.iter().position(|it| !is_known(it)) {
        Some(at) => {
            let unknown = types.get(at).map_or("", String::as_str);
            let message = format!("Invalid enabled_events[{at}]: {unknown} is no type of event");
            Err(Refusal::invalid(&format!("enabled_events[{at}]"), &message))
        }
        None => Ok(()),
    }
}

fn check_url(url: &str) -> Result<(), Refusal> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    Err(Refusal {
        code: Some("url_invalid".to_owned()),
        ..Refusal::invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn an_endpoint_is_read_updated_and_its_secret_shown_once() {
        let mut twin = Twin::default();
        let path = "/v1/webhook_endpoints";
        let made = post(&mut twin, path, "url=http://shop.example&enabled_events[]=*&metadata[a]=1").body;
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        let one = format!("{path}/{}", made["id"].as_str().unwrap());
        let updated = post(&mut twin, &one, "disabled=true&enabled_events[]=charge.updated&metadata[b]=2").body;
        assert_eq!((&updated["status"], &updated["enabled_events"]), (&json!("disabled"), &json!(["charge.updated"])));
        let read = twin.handle(&request(Method::Get, &one, ""), NOW).0.body;
        assert_eq!((&read["metadata"], read.get("secret")), (&json!({ "a": "1", "b": "2" }), None));
        assert_eq!(read["api_version"], json!(null), "the version of the account");
        let versioned =
            post(&mut twin, path, &format!("url=http://a.example&enabled_events[]=*&api_version={API_VERSION}"));
        assert_eq!(versioned.body["api_version"], API_VERSION);
        assert_eq!(post(&mut twin, path, "url=shop.example&enabled_events[]=*").body["error"]["code"], "url_invalid");
        for _ in 2..ENDPOINTS_MAX {
            assert_eq!(post(&mut twin, path, "url=http://a.example&enabled_events[]=*").status, 200);
        }
        let refused = post(&mut twin, path, "url=http://a.example&enabled_events[]=*");
        assert!(refused.status == 400 && refused.body["error"]["message"].as_str().unwrap().contains("maximum of 16"));
    }

    #[test]
    fn an_update_without_a_change_has_no_event() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "name=Ada&metadata[a]=1").body["id"].clone();
        let customer = customer.as_str().unwrap();
        let attached = format!("customer={customer}");
        let method = post(&mut twin, "/v1/payment_methods/pm_card_visa/attach", &attached).body["id"].clone();
        let paid = "amount=500&currency=usd&confirm=true&payment_method=pm_card_createDispute";
        let charge = post(&mut twin, "/v1/payment_intents", paid).body["latest_charge"].clone();
        let dispute = twin.disputes.iter().last().unwrap().id.clone();
        let paid = post(&mut twin, "/v1/payment_intents", &paid.replace("createDispute", "visa")).body;
        let refund = format!("payment_intent={}&metadata[a]=1", paid["id"].as_str().unwrap());
        let refund = post(&mut twin, "/v1/refunds", &refund).body["id"].clone();
        let before = twin.next_event();
        for (path, form) in [
            (format!("/v1/customers/{customer}"), "name=Ada&metadata[a]=1"),
            (format!("/v1/payment_methods/{}", method.as_str().unwrap()), "metadata[a]="),
            (format!("/v1/charges/{}", charge.as_str().unwrap()), "description="),
            (format!("/v1/disputes/{dispute}"), "metadata="),
            (format!("/v1/refunds/{}", refund.as_str().unwrap()), "metadata[a]=1"),
        ] {
            assert_eq!(post(&mut twin, &path, form).status, 200, "{path}");
            assert_eq!(twin.next_event(), before, "{path}");
        }
    }

    #[test]
    fn an_event_of_an_update_has_the_values_before_it() {
        let mut twin = Twin::default();
        let made = post(&mut twin, "/v1/customers", "name=Ada&metadata[a]=1&metadata[b]=2").body;
        post(&mut twin, &format!("/v1/customers/{}", made["id"].as_str().unwrap()), "name=Eve&metadata[a]=3");
        let event = twin.events().last().unwrap().to_json();
        assert_eq!(event["data"]["previous_attributes"], json!({ "metadata": { "a": "1" }, "name": "Ada" }));
    }

    #[test]
    fn headers_that_the_twin_does_not_model_are_refused() {
        for (account, version, status, code) in [
            (Some("acct_1"), None, 403, "account_invalid"),
            (None, Some("yesterday"), 400, "api_version_invalid"),
            (None, Some("2019-02-19"), 400, "api_version_not_modelled"),
        ] {
            let sent = crate::request::Request {
                account: account.map(str::to_owned),
                version: version.map(str::to_owned),
                ..request(Method::Get, "/v1/events", "")
            };
            let refused = Twin::default().handle(&sent, NOW).0;
            assert_eq!((refused.status, &refused.body["error"]["code"]), (status, &json!(code)));
        }
        for version in ["2022-11-15", "2024-09-30.acacia", API_VERSION, "2026-10-28.endive"] {
            let sent = request(Method::Get, "/v1/events", "");
            let sent = crate::request::Request { version: Some(version.to_owned()), ..sent };
            assert_eq!(Twin::default().handle(&sent, NOW).0.status, 200);
        }
    }
}
