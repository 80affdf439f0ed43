//! Tests of the built program, started on free ports and called over plain HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot set itself up fails"
)]

mod actors;
mod all_faults;
mod attacks;
mod background_work;
mod balancer;
mod books;
mod command_line;
mod console;
mod crash;
mod customer;
mod customer_tokens;
mod database;
mod doctor;
mod edges;
mod faults;
mod first_day;
mod forged;
mod guide;
mod keys;
mod logs;
mod metrics;
mod openapi;
mod packaging;
mod program;
mod publish;
mod receiver;
mod recovery;
mod replicas;
mod reverse_proxy;
mod rolling_restart;
mod sale;
mod secrets;
mod served;
mod settings;
mod split_brain;
mod spree;
mod standby;
mod stopping;
mod stripe_boundary;
mod stripe_clients;
mod stripe_endpoints;
mod subscriber;
mod traces;
mod two_installations;
mod unreachable_stripe;
