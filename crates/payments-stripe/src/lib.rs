//! Stripe over its REST API, by hand
