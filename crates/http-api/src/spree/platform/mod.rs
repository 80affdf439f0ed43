//! The Platform API, for applications of the shop: orders with their payments, webhook subscribers and their events, and the
//! price list.

mod admission;
mod amounts;
mod call;
mod documents;
mod lists;
pub(super) mod oauth;
mod order;
pub(super) mod orders;
mod parts;
pub(super) mod payments;
pub(super) mod prices;
mod snapshot;
pub(super) mod subscribers;
pub(super) mod webhook_events;
mod webhook_format;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::Scope;

pub use webhook_format::SpreeFormat;

use super::refusal::Refusal;
use crate::Api;

/// Refuses calls of Spree that write what is read-only here, or that move a cart through its checkout.
pub(super) async fn not_offered(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    admission::admit(&api, &request, Scope::OrdersRead).await?;
    Err(Refusal::failed(format!(
        "{} is not offered for this resource: carts and checkouts are the Storefront API's, captures and refunds are \
         those of /api/v1/shop/orders, and an order that was placed is not deleted",
        request.method()
    )))
}
