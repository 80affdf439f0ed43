//! Orders after their payment, and what a customer has saved.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, GetOrderError, OrderQuery, OrderRef};
use paywright_domain::{CustomerId, Order, PaymentMethodId};
use serde_json::json;

use super::cart;
use super::document::{Resource, answer};
use super::params::Params;
use super::refusal::Refusal;
use super::resources;
use super::run;
use super::shopper::Call;
use crate::Api;
use crate::problem::Problem;

/// How many orders are on a page if nothing is said, and at most.
const PAGE_DEFAULT: u32 = 25;
const PAGE_MAX: u32 = 500;
/// How many orders of a customer are looked through, the newest first.
const ORDERS_MAX: usize = 1000;

/// `GET /order_status/{number}`: a placed order, for the holder of its cart's token, and for its customer.
pub(super) async fn order_status(api: Data<Api>, call: Call, number: Path<String>) -> Result<HttpResponse, Refusal> {
    let session = match (call.shopper.subject, &call.shopper.customer) {
        (None, Some(customer)) => {
            let which = OrderRef::parse(&number).map_err(|_| Refusal::not_found())?;
            api.storefront.of_customer(&which, customer).await?
        }
        (Some(_), _) | (None, None) => cart::opened(&api, &call.shopper).await?,
    };
    let was_completed = match &session.order {
        Some(order) => api.storefront.was_completed(order).await?,
        None => false,
    };
    if !was_completed || !session.number().as_str().eq_ignore_ascii_case(&number) {
        return Err(Refusal::not_found());
    }
    cart::cart(&api, StatusCode::OK, &session, &call.show).await
}

/// The orders that a customer has completed, the newest first; also those whose bank debit failed afterwards.
async fn complete_orders(api: &Api, customer: &CustomerId) -> Result<Vec<Order>, Refusal> {
    let mut complete = Vec::new();
    let (mut older_than, mut seen) = (None, 0);
    loop {
        let query = OrderQuery { customer: Some(customer.clone()), older_than, limit: paywright_app::App::PAGE_MAX };
        let page = api.app.list_orders(query).await?;
        seen += page.orders.len();
        for order in page.orders {
            if api.storefront.was_completed(&order).await? {
                complete.push(order);
            }
        }
        older_than = page.next;
        if older_than.is_none() || seen >= ORDERS_MAX {
            return Ok(complete);
        }
    }
}

async fn order_resource(api: &Api, order: &Order) -> Result<Resource, Refusal> {
    let cart = api.storefront.cart_of(order.id).await?;
    let token = cart.as_ref().map_or_else(|| api.tokens.order_token(order.id), |it| api.tokens.cart_token(it.id));
    Ok(resources::order(order, cart.as_ref(), &token, api.publishable_key.as_deref())?)
}

/// Which of a customer's orders are asked for, and in which order.
struct PageQuery {
    page: u32,
    per_page: u32,
    oldest_first: bool,
}

impl PageQuery {
    fn of(params: &Params) -> Result<Self, Refusal> {
        let page = params.count("page")?.unwrap_or(1).max(1);
        let per_page = params.count("per_page")?.filter(|it| (1..=PAGE_MAX).contains(it)).unwrap_or(PAGE_DEFAULT);
        let oldest_first = match params.text("sort")?.as_deref() {
            None | Some("-completed_at" | "-created_at") => false,
            Some("completed_at" | "created_at") => true,
            Some(_) => return Err(Refusal::bad_request("sort must be completed_at or -completed_at")),
        };
        Ok(Self { page, per_page, oldest_first })
    }
}

/// `GET /account/orders?page=&per_page=&sort=`.
pub(super) async fn orders(api: Data<Api>, request: HttpRequest, call: Call) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let PageQuery { page, per_page, oldest_first } = PageQuery::of(&call.params)?;
    let mut orders = complete_orders(&api, &customer).await?;
    if oldest_first {
        orders.reverse();
    }
    let total = orders.len();
    let per = usize::try_from(per_page).unwrap_or(usize::MAX);
    let pages = total.div_ceil(per).max(1);
    let place = usize::try_from(page).unwrap_or(usize::MAX);
    let mut shown = Vec::new();
    for order in orders.iter().skip((place - 1).saturating_mul(per)).take(per) {
        shown.push(order_resource(&api, order).await?);
    }
    let mut document = call.show.many(&shown);
    let (origin, path) = (api.trusted_proxies.origin(&request), request.path());
    let link = |page: usize| format!("{origin}{path}?page={page}&per_page={per_page}");
    if let Some(document) = document.as_object_mut() {
        let meta = json!({ "count": shown.len(), "total_count": total, "total_pages": pages });
        document.insert("meta".to_owned(), meta);
        let links = json!({
            "self": link(place), "next": link((place + 1).min(pages)), "prev": link(place.saturating_sub(1).max(1)),
            "last": link(pages), "first": link(1),
        });
        document.insert("links".to_owned(), links);
    }
    Ok(answer(StatusCode::OK, &document))
}

/// `GET /account/orders/{number}`.
pub(super) async fn order(api: Data<Api>, call: Call, number: Path<String>) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let which = OrderRef::parse(&number).map_err(|_| Refusal::not_found())?;
    let order = match api.app.get_order(&which, &Access::Customer(customer)).await {
        Ok(order) if api.storefront.was_completed(&order).await? => order,
        Ok(_) | Err(GetOrderError::NotFound) => return Err(Refusal::not_found()),
        Err(error @ GetOrderError::Store(_)) => return Err(Problem::from(error).into()),
    };
    Ok(answer(StatusCode::OK, &call.show.one(&order_resource(&api, &order).await?)))
}

/// The saved cards of whoever calls, the default one first: it is the newest.
async fn cards(api: &Api, call: &Call) -> Result<Vec<Resource>, Refusal> {
    let cards = api.storefront.saved_cards(&call.customer()?).await?;
    Ok(cards.iter().enumerate().map(|(place, it)| resources::credit_card(it, place == 0)).collect())
}

/// `GET /account/credit_cards`.
pub(super) async fn credit_cards(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let cards = cards(&api, &call).await?;
    Ok(answer(StatusCode::OK, &call.show.many(&cards)))
}

/// `GET /account/credit_cards/default`.
pub(super) async fn default_credit_card(api: Data<Api>, call: Call) -> Result<HttpResponse, Refusal> {
    let cards = cards(&api, &call).await?;
    Ok(answer(StatusCode::OK, &call.show.one(cards.first().ok_or_else(Refusal::not_found)?)))
}

/// `GET /account/credit_cards/{card}`.
pub(super) async fn credit_card(api: Data<Api>, call: Call, card: Path<String>) -> Result<HttpResponse, Refusal> {
    let cards = cards(&api, &call).await?;
    let found = cards.iter().find(|it| it.id == *card).ok_or_else(Refusal::not_found)?;
    Ok(answer(StatusCode::OK, &call.show.one(found)))
}

/// `DELETE /account/credit_cards/{card}`.
pub(super) async fn remove_credit_card(
    api: Data<Api>,
    call: Call,
    card: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let customer = call.customer()?;
    let card = PaymentMethodId::new(card.into_inner()).map_err(|_| Refusal::not_found())?;
    let storefront = api.storefront.for_request();
    run(async move { storefront.forget_card(&customer, &card).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
