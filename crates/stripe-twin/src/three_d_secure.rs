//! Page on which a customer authenticates, like the test page of Stripe: it completes or fails the authentication, and
//! returns to the shop.

use crate::intents::written;
use crate::state::Twin;

/// Schemes of URLs that a page must not link to, since a browser runs or shows their content in the page's name.
const UNSAFE_SCHEMES: &[&str] = &["javascript", "data", "vbscript"];

/// Authentication of a customer for an intent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Collection of the intent: `payment_intents` or `setup_intents`.
    pub(crate) collection: &'static str,
    /// Whether the intent waits for the authentication.
    pub(crate) is_waiting: bool,
    id: String,
    /// Description for the customer of what is authenticated, like `a payment of $20.00`.
    what: String,
    return_url: Option<String>,
}

impl Twin {
    /// Authentication for the intent with this id and client secret.
    pub(crate) fn authentication(&self, id: &str, secret: &str) -> Option<Task> {
        let task = |collection, status: &str, what: String, return_url: &Option<String>| Task {
            collection,
            is_waiting: status == "requires_action",
            id: id.to_owned(),
            what,
            return_url: return_url.clone(),
        };
        if let Some(intent) = self.intents.get(id).filter(|it| it.client_secret == secret) {
            let what = format!("a payment of {}", written(intent.amount, &intent.currency));
            return Some(task("payment_intents", &intent.status, what, &intent.return_url));
        }
        let setup = self.setup_intents.get(id).filter(|it| it.client_secret == secret)?;
        Some(task("setup_intents", &setup.status, "the setup of a card".to_owned(), &setup.return_url))
    }
}

fn html(body: &str) -> String {
    let title = "3-D Secure test page";
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>body{{font:1rem/1.5 system-ui,sans-serif;\
         max-width:30rem;margin:4rem auto;padding:0 1rem}}button{{font:inherit;padding:.5rem 1rem;margin:0 .5rem .5rem 0}}\
         </style></head><body><h1>{title}</h1>{body}</body></html>\n"
    )
}

/// Page with the two buttons, and a link to the shop for a customer who does not authenticate.
pub(crate) fn page(task: &Task, secret: &str) -> String {
    html(&format!(
        "<p>This page of the Stripe twin stands in for the card's bank, which asks you to authenticate {}.</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"client_secret\" value=\"{}\">\
         <button name=\"outcome\" value=\"succeeded\" id=\"complete\">Complete authentication</button>\
         <button name=\"outcome\" value=\"failed\" id=\"fail\">Fail authentication</button></form>{}",
        escape(&task.what),
        escape(secret),
        link(task, secret, "Return to the shop without authenticating"),
    ))
}

/// Page of an authentication that has ended, or of an intent that does not exist.
pub(crate) fn ended(task: Option<&Task>, secret: &str) -> String {
    let link = task.map(|it| link(it, secret, "Return to the shop")).unwrap_or_default();
    html(&format!("<p>No payment waits for this authentication.</p>{link}"))
}

/// Page after an authentication whose intent has no `return_url`.
pub(crate) fn done(outcome: &str) -> String {
    html(&format!("<p>The authentication has {outcome}. You can close this page.</p>"))
}

/// Link to the shop; nothing without a `return_url` that a page may link to.
fn link(task: &Task, secret: &str, text: &str) -> String {
    let is_safe = |url: &String| {
        let scheme = url.trim_start().split(':').next().unwrap_or_default();
        !UNSAFE_SCHEMES.iter().any(|it| scheme.eq_ignore_ascii_case(it))
    };
    let url = back(task, secret, None).filter(is_safe);
    url.map(|it| format!("<p><a href=\"{}\" id=\"return\">{text}</a></p>", escape(&it))).unwrap_or_default()
}

/// URL to which the customer returns, with the parameters that Stripe adds; without an outcome, no `redirect_status`.
pub(crate) fn back(task: &Task, secret: &str, outcome: Option<&str>) -> Option<String> {
    let url = task.return_url.as_deref()?;
    let name = if task.collection == "setup_intents" { "setup_intent" } else { "payment_intent" };
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let joint = if url.contains('?') { '&' } else { '?' };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(name, &task.id).append_pair(&format!("{name}_client_secret"), secret);
    let query = query.extend_pairs(outcome.map(|it| ("redirect_status", it))).finish();
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
        assert_eq!(back(&task, secret, Some("succeeded")), Some(expected));
        let shown = page(&task, secret);
        assert!(
            shown.contains("authenticate a payment of $5.00.") && shown.contains("without authenticating"),
            "{shown}"
        );
        post(&mut twin, &format!("/_twin/payment_intents/{id}/finish"), "outcome=succeeded");
        let task = twin.authentication(id, secret).unwrap();
        assert!(!task.is_waiting && ended(Some(&task), secret).contains("Return to the shop"));
    }

    #[test]
    fn a_page_links_to_no_url_that_a_browser_would_run() {
        for (url, is_linked) in
            [("https://shop.example/?a=\"", true), ("shop://done", true), (" JavaScript:x()", false)]
        {
            let task = Task {
                collection: "payment_intents",
                is_waiting: true,
                id: "pi_1".into(),
                what: "<b>".into(),
                return_url: Some(url.into()),
            };
            let shown = page(&task, "secret");
            assert_eq!(shown.contains("<a href"), is_linked, "{shown}");
            assert!(!shown.contains("<b>") && !shown.contains("a=\"?"), "{shown}");
        }
    }
}
