//! The Platform API, for applications of the shop by API key: orders with their payments, and the price list.

mod amounts;
#[expect(dead_code, reason = "the routes of orders follow")]
mod documents;
#[expect(dead_code, reason = "the routes of orders follow")]
mod order;
mod prices;

pub(super) use prices::{put_terms, put_variant, put_variants, remove_variant, terms, variant, variants};
