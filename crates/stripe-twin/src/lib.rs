//! A stateful Stripe for development and tests, with faults on demand
