//! The HTTP adapter: the shop dialect, the Stripe webhook and health
