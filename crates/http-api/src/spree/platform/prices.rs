//! The price list and the terms of sale in the Platform API, for applications of the shop by API key.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Scope, Storefront};
use paywright_domain::storefront::{Terms, Variant, VariantId};
use paywright_domain::text::Text;
use serde_json::json;

use super::admission::admit;
use crate::Api;
use crate::reader::{FieldProblems, Reader, boolean};
use crate::spree::amount;
use crate::spree::document::{Resource, Show, answer};
use crate::spree::params::{Params, text};
use crate::spree::refusal::Refusal;
use crate::spree::terms::{TERMS, read_terms};

/// Variants of a page by default.
const PAGE_DEFAULT: u16 = 100;

fn resource(variant: &Variant) -> Resource {
    let prices: BTreeMap<String, String> =
        variant.prices.all().map(|it| (it.currency().code().to_uppercase(), it.to_decimal())).collect();
    let attributes = json!({
        "sku": variant.sku.as_ref().map(Text::as_str), "name": variant.name.as_str(),
        "description": variant.description.as_str(), "active": variant.active, "prices": prices,
    });
    Resource { kind: "variant", id: variant.id.to_string(), attributes, relations: Vec::new() }
}

/// Request of an application. Everything that shapes its answer is checked before the use case runs.
struct PriceCall {
    params: Params,
    show: Show,
}

impl PriceCall {
    /// Admits the application, then reads its request.
    async fn read(api: &Api, request: &HttpRequest, payload: Payload, scope: Scope) -> Result<Self, Refusal> {
        admit(api, request, scope).await?;
        let params = Params::read(request, payload).await?;
        let show = Show::of(&params, "variant")?;
        Ok(Self { params, show })
    }
}

/// `GET /variants?after=&per_page=`: a page of the price list, by id.
pub(in crate::spree) async fn variants(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = PriceCall::read(&api, &request, payload, Scope::PricesRead).await?;
    let mut problems = FieldProblems::default();
    let mut it = call.params.reader(&mut problems);
    let after = it.optional("after", |it| Ok(VariantId::new(text(it)?)?));
    let limit = it.optional("per_page", |it| {
        let limit = text(it)?.trim().parse().ok().filter(|it| (1..=Storefront::VARIANTS_MAX).contains(it));
        Ok(limit.ok_or_else(|| format!("must be 1 to {}", Storefront::VARIANTS_MAX))?)
    });
    let limit = problems.done(Some(limit.unwrap_or(PAGE_DEFAULT)))?;
    let found = api.storefront.variants(after.as_ref(), limit).await?;
    let shown: Vec<_> = found.iter().map(resource).collect();
    Ok(answer(StatusCode::OK, &call.show.many(&shown)))
}

/// `GET /variants/{variant}`: a variant of the price list.
pub(in crate::spree) async fn variant(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let call = PriceCall::read(&api, &request, payload, Scope::PricesRead).await?;
    let found = api.storefront.variant(&VariantId::new(id.as_str()).map_err(|_| Refusal::not_found())?).await?;
    Ok(answer(StatusCode::OK, &call.show.one(&resource(&found))))
}

/// Fields of a variant.
const VARIANT: [&str; 6] = ["id", "sku", "name", "description", "active", "prices"];

/// Reads a variant. Its `id` comes from the path of the request, or else from its fields.
fn read_variant(it: &mut Reader<'_>, id: Option<VariantId>) -> Option<Variant> {
    let id = id.or_else(|| it.required("id", |it| Ok(VariantId::new(text(it)?)?)));
    let sku = it.optional("sku", |it| match text(it)? {
        sku if sku.is_empty() => Ok(None),
        sku => Ok(Some(Text::of_one_line(sku)?)),
    });
    let name = it.required("name", |it| Ok(Text::of_one_line(text(it)?)?));
    let description = it.optional("description", |it| Ok(Text::new(text(it)?)?));
    let active = it.optional("active", boolean);
    let prices = amount::prices(it, "prices", |amount, currency| {
        let amount = amount.as_str().ok_or("must be a string, like \"56.00\"")?;
        Ok(Variant::parse_price(amount, currency)?)
    });
    Some(Variant {
        id: id?,
        sku: sku.flatten(),
        name: name?,
        description: description.unwrap_or_default(),
        prices: prices?,
        active: active.unwrap_or(true),
    })
}

/// `PUT /variants/{variant}`: adds or replaces a variant.
pub(in crate::spree) async fn put_variant(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let call = PriceCall::read(&api, &request, payload, Scope::PricesWrite).await?;
    let given = call.params.root("variant")?;
    let mut problems = FieldProblems::default();
    let id = problems.take("id", VariantId::new(id.as_str()));
    let read = read_variant(&mut given.reader_of(&VARIANT, &mut problems), id);
    let variant = problems.done(read)?;
    api.storefront.put_variants(std::slice::from_ref(&variant)).await?;
    Ok(answer(StatusCode::OK, &call.show.one(&resource(&variant))))
}

/// `PUT /variants`: adds or replaces many variants, all or none.
pub(in crate::spree) async fn put_variants(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = PriceCall::read(&api, &request, payload, Scope::PricesWrite).await?;
    let mut problems = FieldProblems::default();
    let read = call.params.reader(&mut problems).list("variants", &VARIANT, |it| read_variant(it, None));
    let variants = problems.done(Some(read.unwrap_or_default()))?;
    if variants.is_empty() {
        return Err(Refusal::missing("variants"));
    }
    let mut ids = BTreeSet::new();
    if let Some(twice) = variants.iter().find(|it| !ids.insert(&it.id)) {
        return Err(Refusal::invalid(
            "variants",
            format!("must have each variant once: {} occurs twice", twice.id.as_str()),
        ));
    }
    if variants.len() > usize::from(Storefront::VARIANTS_MAX) {
        return Err(Refusal::invalid("variants", format!("must be at most {}", Storefront::VARIANTS_MAX)));
    }
    api.storefront.put_variants(&variants).await?;
    let shown: Vec<_> = variants.iter().map(resource).collect();
    Ok(answer(StatusCode::OK, &call.show.many(&shown)))
}

/// `DELETE /variants/{variant}`: removes a variant from the price list.
pub(in crate::spree) async fn remove_variant(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    PriceCall::read(&api, &request, payload, Scope::PricesWrite).await?;
    api.storefront.remove_variant(&VariantId::new(id.as_str()).map_err(|_| Refusal::not_found())?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Answers with terms in the form in which they are written, so that an answer can be sent back.
fn terms_answer(terms: &Terms) -> HttpResponse {
    answer(StatusCode::OK, &json!({ "terms": terms }))
}

/// `GET /terms`: the terms of sale.
pub(in crate::spree) async fn terms(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    PriceCall::read(&api, &request, payload, Scope::PricesRead).await?;
    Ok(terms_answer(&api.storefront.terms().await?))
}

/// `PUT /terms`: replaces shipping, taxes and coupons.
pub(in crate::spree) async fn put_terms(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = PriceCall::read(&api, &request, payload, Scope::PricesWrite).await?;
    if call.params.get("terms").is_none() {
        return Err(Refusal::missing("terms"));
    }
    let mut problems = FieldProblems::default();
    let read = call.params.reader(&mut problems).object("terms", &TERMS, |it| Some(read_terms(it)));
    let terms = problems.done(read)?;
    api.storefront.put_terms(&terms).await?;
    Ok(terms_answer(&terms))
}
