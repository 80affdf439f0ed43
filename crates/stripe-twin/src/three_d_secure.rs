//! Page on which a customer authenticates, like the test page of Stripe: it completes or fails the authentication, and
//! returns to the shop.

use crate::state::Twin;

/// Authentication that an intent waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Collection of the intent: `payment_intents` or `setup_intents`.
    pub(crate) collection: &'static str,
    id: String,
    /// Description of the payment or card for the customer.
    what: String,
    return_url: Option<String>,
}

impl Twin {
    /// Authentication that the intent with this id and client secret waits for.
    pub(crate) fn authentication(&self, id: &str, secret: &str) -> Option<Task> {
        if let Some(intent) = self.intents.get(id) {
            let waits = intent.client_secret == secret && intent.status == "requires_action";
            let what = format!("a payment of {} {}", intent.amount, intent.currency);
            let return_url = intent.return_url.clone();
            return waits.then(|| Task { collection: "payment_intents", id: id.to_owned(), what, return_url });
        }
        let setup = self.setup_intents.get(id)?;
        let waits = setup.client_secret == secret && setup.status == "requires_action";
        let what = "a card to be saved".to_owned();
        let return_url = setup.return_url.clone();
        waits.then(|| Task { collection: "setup_intents", id: id.to_owned(), what, return_url })
    }
}

fn html(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>body{{font:1rem/1.5 system-ui,sans-serif;\
         max-width:30rem;margin:4rem auto;padding:0 1rem}}button{{font:inherit;padding:.5rem 1rem;margin-right:.5rem}}\
         </style></head><body><h1>{title}</h1>{body}</body></html>\n"
    )
}

/// Page with the two buttons.
pub(crate) fn page(task: &Task, secret: &str) -> String {
    let body = format!(
        "<p>The twin of Stripe stands in for the card's bank: the customer authenticates {}.</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"client_secret\" value=\"{}\">\
         <button name=\"outcome\" value=\"succeeded\" id=\"complete\">Complete authentication</button>\
         <button name=\"outcome\" value=\"failed\" id=\"fail\">Fail authentication</button></form>",
        escape(&task.what),
        escape(secret),
    );
    html("3-D Secure test page", &body)
}

/// Page of an authentication that is done, or never was.
pub(crate) fn gone() -> String {
    html("3-D Secure test page", "<p>No payment waits for this authentication.</p>")
}

/// Page after an authentication whose intent has no `return_url`.
pub(crate) fn done(outcome: &str) -> String {
    html("3-D Secure test page", &format!("<p>The authentication has {outcome}. You can close this page.</p>"))
}

/// URL to which the customer returns, with the parameters that Stripe adds.
pub(crate) fn back(task: &Task, secret: &str, outcome: &str) -> Option<String> {
    let url = task.return_url.as_deref()?;
    let name = if task.collection == "setup_intents" { "setup_intent" } else { "payment_intent" };
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let joint = if url.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, &task.id)
        .append_pair(&format!("{name}_client_secret"), secret)
        .append_pair("redirect_status", outcome)
        .finish();
    let fragment = fragment.map(|it| format!("#{it}")).unwrap_or_default();
    Some(format!("{url}{joint}{query}{fragment}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::tests::post;

    #[test]
    fn the_customer_returns_with_the_parameters_that_stripe_adds() {
        let mut twin = Twin::default();
        let form = "amount=500&currency=usd&confirm=true&payment_method=pm_card_threeDSecure2Required\
                    &return_url=https://shop.example/done?a=1%23end";
        let intent = post(&mut twin, "/v1/payment_intents", form).body;
        let (id, secret) = (intent["id"].as_str().unwrap(), intent["client_secret"].as_str().unwrap());
        let url = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        assert_eq!(url, format!("http://localhost/_twin/3ds/{id}?client_secret={secret}"));
        assert_eq!(twin.authentication(id, "wrong"), None);
        let task = twin.authentication(id, secret).unwrap();
        let query = format!("payment_intent={id}&payment_intent_client_secret={secret}&redirect_status=succeeded");
        let expected = format!("https://shop.example/done?a=1&{query}#end");
        assert_eq!(back(&task, secret, "succeeded"), Some(expected));
        post(&mut twin, &format!("/_twin/payment_intents/{id}/finish"), "outcome=succeeded");
        assert_eq!(twin.authentication(id, secret), None);
    }
}
