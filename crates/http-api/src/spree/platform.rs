//! Of the Platform API, the price list and the terms of sale. For applications of the shop, by their API keys.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Scope, Storefront};
use paywright_domain::{Currency, Prices, Terms, Text, Variant, VariantId};
use serde_json::{Value, json};

use super::document::{Resource, Show, answer};
use super::params::Params;
use super::refusal::Refusal;
use crate::Api;
use crate::auth::{bearer, key_of};
use crate::body::Check;

/// How many variants a page has if nothing is said.
const PAGE_DEFAULT: u32 = 100;

/// Lets an application in whose key may do what `scope` says: the key is in `X-API-Key`, or a bearer token.
async fn admit(api: &Api, request: &HttpRequest, scope: Scope) -> Result<(), Refusal> {
    let named = request.headers().get("x-api-key").and_then(|it| it.to_str().ok());
    let text =
        named.or_else(|| request.headers().get(AUTHORIZATION).and_then(bearer)).ok_or_else(Refusal::token_invalid)?;
    let key = key_of(api, text).await?.ok_or_else(Refusal::token_invalid)?;
    if key.scopes.contains(&scope) { Ok(()) } else { Err(Refusal::not_allowed()) }
}

fn resource(variant: &Variant) -> Resource {
    let prices: BTreeMap<String, String> =
        variant.prices.all().map(|it| (it.currency().code().to_uppercase(), it.to_decimal())).collect();
    let attributes = json!({
        "sku": variant.sku.as_ref().map(Text::as_str), "name": variant.name.as_str(),
        "description": variant.description.as_str(), "active": variant.active, "prices": prices,
    });
    Resource { kind: "variant", id: variant.id.to_string(), attributes, relations: Vec::new() }
}

/// `GET /variants?after=&per_page=`: by id.
pub(super) async fn variants(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesRead).await?;
    let params = Params::of_query(&request)?;
    let after = params.text("after")?.map(VariantId::new).transpose();
    let after = after.map_err(|problem| Refusal::invalid("after", problem.to_string()))?;
    let limit = params.count("per_page")?.unwrap_or(PAGE_DEFAULT);
    let limit = u16::try_from(limit).ok().filter(|it| (1..=Storefront::VARIANTS_MAX).contains(it));
    let too_many = || Refusal::invalid("per_page", format!("must be 1 to {}", Storefront::VARIANTS_MAX));
    let found = api.storefront.variants(after.as_ref(), limit.ok_or_else(too_many)?).await?;
    let shown: Vec<_> = found.iter().map(resource).collect();
    Ok(answer(StatusCode::OK, &Show::of(&params, "variant")?.many(&shown)?))
}

fn id_of(text: &str) -> Result<VariantId, Refusal> {
    VariantId::new(text).map_err(|problem| Refusal::invalid("id", problem.to_string()))
}

/// `GET /variants/{variant}`.
pub(super) async fn variant(api: Data<Api>, request: HttpRequest, id: Path<String>) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesRead).await?;
    let found = api.storefront.variant(&id_of(&id).map_err(|_| Refusal::not_found())?).await?;
    Ok(answer(StatusCode::OK, &Show::default().one(&resource(&found))?))
}

/// Reads a variant's prices; what is wrong with them is noted under `at`.
fn prices(check: &mut Check, at: &str, params: &Params) -> Prices {
    let Some(Some(given)) = check.take(format!("{at}prices"), params.under("prices")) else {
        check.note(format!("{at}prices"), &"must be amounts by currency, like {\"USD\": \"56.00\"}");
        return Prices::default();
    };
    let mut prices = Vec::new();
    for (code, amount) in given.entries() {
        let field = format!("{at}prices.{code}");
        let Some(currency) = check.take(field.as_str(), code.parse::<Currency>()) else { continue };
        match amount.as_str() {
            Some(text) => prices.extend(check.take(field, Variant::parse_price(text, currency))),
            None => check.note(field, &"must be a text, like \"56.00\""),
        }
    }
    prices.into_iter().collect()
}

/// Reads a variant; what is wrong with it is noted under `at`.
fn read_variant(check: &mut Check, at: &str, params: &Params, id: VariantId) -> Option<Variant> {
    let named = |field: &str| format!("{at}{field}");
    for (name, _) in params.entries() {
        if !["id", "sku", "name", "description", "active", "prices"].contains(&name) {
            check.note(named(name), &"is not a field of a variant");
        }
    }
    let mut text = |field: &str| check.take(named(field), params.text(field)).flatten();
    let (sku, name, description) = (text("sku"), text("name"), text("description"));
    let sku = check.take(named("sku"), sku.filter(|it| !it.is_empty()).map(Text::new).transpose());
    let name = check.take(named("name"), Text::new(name.unwrap_or_default()));
    let description = check.take(named("description"), Text::new(description.unwrap_or_default()));
    let active = match params.get("active") {
        None => Some(true),
        Some(Value::Bool(active)) => Some(*active),
        Some(_) => {
            check.note(named("active"), &"must be true or false");
            None
        }
    };
    let prices = prices(check, at, params);
    Some(Variant { id, sku: sku?, name: name?, description: description?, prices, active: active? })
}

/// `PUT /variants/{variant}`: puts it on the list, or writes it over.
pub(super) async fn put_variant(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesWrite).await?;
    let params = Params::read(&request, payload).await?.root("variant")?;
    let mut check = Check::default();
    let id = id_of(&id)?;
    match read_variant(&mut check, "", &params, id) {
        Some(variant) if check.0.is_empty() => {
            api.storefront.put_variants(std::slice::from_ref(&variant)).await?;
            Ok(answer(StatusCode::OK, &Show::default().one(&resource(&variant))?))
        }
        Some(_) | None => Err(Refusal::all_invalid(check.0)),
    }
}

/// `PUT /variants`: puts many on the list, all or none.
pub(super) async fn put_variants(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesWrite).await?;
    let given = Params::read(&request, payload).await?.each("variants")?;
    if given.is_empty() {
        return Err(Refusal::missing("variants"));
    }
    if given.len() > usize::from(Storefront::VARIANTS_MAX) {
        return Err(Refusal::invalid("variants", format!("must be at most {}", Storefront::VARIANTS_MAX)));
    }
    let (mut variants, mut check) = (Vec::new(), Check::default());
    for (place, params) in given.iter().enumerate() {
        let at = format!("variants[{place}].");
        let id = check.take(format!("{at}id"), params.text("id")).flatten().unwrap_or_default();
        if let Some(id) = check.take(format!("{at}id"), VariantId::new(id)) {
            variants.extend(read_variant(&mut check, &at, params, id));
        }
    }
    if !check.0.is_empty() {
        return Err(Refusal::all_invalid(check.0));
    }
    api.storefront.put_variants(&variants).await?;
    let shown: Vec<_> = variants.iter().map(resource).collect();
    Ok(answer(StatusCode::OK, &Show::default().many(&shown)?))
}

/// `DELETE /variants/{variant}`.
pub(super) async fn remove_variant(
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesWrite).await?;
    api.storefront.remove_variant(&id_of(&id).map_err(|_| Refusal::not_found())?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The terms are told as they are written: what is read can be put back.
fn terms_answer(terms: &Terms) -> HttpResponse {
    answer(StatusCode::OK, &json!({ "terms": terms }))
}

/// `GET /terms`.
pub(super) async fn terms(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesRead).await?;
    Ok(terms_answer(&api.storefront.terms().await?))
}

/// `PUT /terms`: replaces shipping, taxes and coupons.
pub(super) async fn put_terms(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    admit(&api, &request, Scope::PricesWrite).await?;
    let params = Params::read(&request, payload).await?;
    let given = params.get("terms").cloned().ok_or_else(|| Refusal::missing("terms"))?;
    let terms: Terms = serde_path_to_error::deserialize(given).map_err(|error| {
        let field = error.path().to_string();
        Refusal::invalid(&format!("terms.{field}"), error.into_inner().to_string())
    })?;
    api.storefront.put_terms(&terms).await?;
    Ok(terms_answer(&terms))
}
