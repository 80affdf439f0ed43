//! `/demo`: demo shop front. It uses the Spree dialect only, and shows the explanation of its order beside it. For
//! trying out, not for selling.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::Data;
use base64::prelude::{BASE64_STANDARD, Engine};
use paywright_app::{Access, OrderRef};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Api;
use crate::problem::Problem;
use crate::shop::ExplanationView;
use crate::spree::{self, Call, Refusal};

const PAGE: &str = include_str!("page.html");
/// Placeholder in the page for its settings.
const SETUP: &str = "<!--setup-->";
/// Maximum of variants that the page shows.
const VARIANTS_MAX: u16 = 24;

/// Settings of the demo page.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Base URL at which the browser reaches the stand-in for Stripe; unused with a publishable key.
    pub stripe_url: String,
}

/// Source expression of the page's one script for its content security policy: the browser runs no other.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>")).map_or("", |it| it.0);
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(script.as_bytes())))
});

/// `GET /demo`: the page, with its settings.
pub(crate) async fn page(api: Data<Api>) -> Result<HttpResponse, Problem> {
    let Some(demo) = &api.demo else { return Err(Problem::no_such_path()) };
    let setup = json!({
        "catalog": catalog(&api).await?,
        "publishable_key": api.publishable_key,
        "stripe_url": demo.stripe_url,
    });
    // Within a script element, only a `<` could end it early.
    let setup = setup.to_string().replace('<', "\\u003c");
    let block = format!("<script type=\"application/json\" id=\"setup\">{setup}</script>");
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy(&api, demo)))
        .body(PAGE.replace(SETUP, &block)))
}

/// Content security policy: the page may load from and connect to this service, and Stripe or its stand-in.
fn policy(api: &Api, demo: &Demo) -> String {
    let script = SCRIPT.as_str();
    let (scripts, connects, frames) = match api.publishable_key {
        Some(_) => (
            "https://js.stripe.com",
            "https://api.stripe.com https://*.stripe.com",
            "https://js.stripe.com https://hooks.stripe.com",
        ),
        None => ("", demo.stripe_url.as_str(), "'none'"),
    };
    format!(
        "default-src 'none'; script-src {script} {scripts}; style-src 'unsafe-inline'; img-src data: https://*.stripe.com; \
         connect-src 'self' {connects}; frame-src {frames}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

async fn catalog(api: &Api) -> Result<Vec<Value>, Problem> {
    let currency = api.storefront.currency();
    let variants = api.storefront.variants(None, VARIANTS_MAX).await?;
    let shown = variants.iter().filter_map(|it| {
        let price = it.prices.price_in(currency)?;
        Some(json!({
            "id": it.id.as_str(), "name": it.name.as_str(), "description": it.description.as_str(),
            "price": spree::display(price), "available": it.active,
        }))
    });
    Ok(shown.collect())
}

/// `GET /demo/explain`: explanation of a cart's order, for the holder of the cart's token.
pub(crate) async fn explain(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let order = match api.demo {
        Some(_) => spree::opened_order(&api, &call).await?,
        None => return Err(Problem::no_such_path().into()),
    };
    let explanation = api.app.explain(&OrderRef::Id(order), &Access::Order(order)).await.map_err(Problem::from)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ExplanationView::without_actors(&explanation)))
}
