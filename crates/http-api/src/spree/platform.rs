//! Of the Platform API, the price list and the terms of sale. For applications of the shop, by their API keys.

use std::collections::BTreeMap;
use std::fmt::Display;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Scope, Storefront};
use paywright_domain::{Currency, Money, Prices, Terms, Text, Variant, VariantId};
use serde_json::{Value, json};

use super::document::{Resource, Show, answer};
use super::params::Params;
use super::refusal::Refusal;
use crate::Api;
use crate::auth::key_of;

/// How many variants a page has if nothing is said.
const PAGE_DEFAULT: u32 = 100;

/// Lets an application in whose key may do what `scope` says: the key is in `X-API-Key`, or a bearer token.
async fn admit(api: &Api, request: &HttpRequest, scope: Scope) -> Result<(), Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok());
    let bearer = header(AUTHORIZATION.as_str()).and_then(|it| it.strip_prefix("Bearer "));
    let text = header("x-api-key").or(bearer).ok_or_else(Refusal::token_invalid)?;
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
    Ok(answer(StatusCode::OK, &Show::of(&params)?.many(&shown)?))
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

/// What is wrong with a variant, gathered while it is read; `at` is where it is.
struct Check {
    at: String,
    problems: Vec<(String, String)>,
}

impl Check {
    fn note(&mut self, field: &str, problem: &dyn Display) {
        self.problems.push((format!("{}{field}", self.at), problem.to_string()));
    }

    fn take<T, E: Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|problem| self.note(field, &problem)).ok()
    }

    fn text(&mut self, params: &Params, field: &str) -> Option<String> {
        self.take(field, params.text(field)).flatten()
    }

    fn prices(&mut self, params: &Params) -> Prices {
        let Some(Some(given)) = self.take("prices", params.under("prices")) else {
            self.note("prices", &"must be amounts by currency, like {\"USD\": \"56.00\"}");
            return Prices::default();
        };
        let mut prices = Vec::new();
        for (code, amount) in given.entries() {
            let field = format!("prices.{code}");
            let Some(currency) = self.take(&field, code.parse::<Currency>()) else { continue };
            let price = match amount {
                Value::String(text) => Money::parse_decimal(text, currency).map_err(|problem| problem.to_string()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    Err("must be a text, like \"56.00\"".to_owned())
                }
            };
            match self.take(&field, price) {
                Some(price) if price.is_zero() => self.note(&field, &"must be more than 0"),
                Some(price) => prices.push(price),
                None => {}
            }
        }
        prices.into_iter().collect()
    }

    fn variant(&mut self, params: &Params, id: VariantId) -> Option<Variant> {
        for (name, _) in params.entries() {
            if !["id", "sku", "name", "description", "active", "prices"].contains(&name) {
                self.note(name, &"is not a field of a variant");
            }
        }
        let sku = self.text(params, "sku").filter(|it| !it.is_empty()).map(Text::new).transpose();
        let sku = self.take("sku", sku);
        let name = self.text(params, "name").unwrap_or_default();
        let name = self.take("name", Text::new(name));
        let description = self.text(params, "description").unwrap_or_default();
        let description = self.take("description", Text::new(description));
        let active = match params.get("active") {
            None => Some(true),
            Some(Value::Bool(active)) => Some(*active),
            Some(_) => {
                self.note("active", &"must be true or false");
                None
            }
        };
        let prices = self.prices(params);
        Some(Variant { id, sku: sku?, name: name?, description: description?, prices, active: active? })
    }
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
    let mut check = Check { at: String::new(), problems: Vec::new() };
    let id = id_of(&id)?;
    match check.variant(&params, id) {
        Some(variant) if check.problems.is_empty() => {
            api.storefront.put_variants(std::slice::from_ref(&variant)).await?;
            Ok(answer(StatusCode::OK, &Show::default().one(&resource(&variant))?))
        }
        Some(_) | None => Err(Refusal::all_invalid(check.problems)),
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
    let (mut variants, mut problems) = (Vec::new(), Vec::new());
    for (place, params) in given.iter().enumerate() {
        let mut check = Check { at: format!("variants[{place}]."), problems: Vec::new() };
        let id = check.text(params, "id").unwrap_or_default();
        if let Some(id) = check.take("id", VariantId::new(id)) {
            variants.extend(check.variant(params, id));
        }
        problems.extend(check.problems);
    }
    if !problems.is_empty() {
        return Err(Refusal::all_invalid(problems));
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
