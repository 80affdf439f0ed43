pub(crate) mod gateway;
pub(crate) mod ids_and_clock;
pub(crate) mod inbox;
pub(crate) mod records;
pub(crate) mod store;
pub(crate) mod storefront;
pub(crate) mod wallet;
pub(crate) mod webhooks;
