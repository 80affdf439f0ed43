//! Tables as `migrations/sqlite` creates them; those of the stored form are beside their rows.

use diesel::{allow_tables_to_appear_in_same_query, table};

pub(crate) use crate::orders::orders;
pub(crate) use crate::parts::{anomalies, disputes, facts, order_adjustments, order_lines, payment_intents, refunds};

table! {
    tasks (order_id, key) {
        order_id -> Binary,
        key -> Text,
        payload -> Text,
        due_at -> BigInt,
        taken -> BigInt,
        leased_by -> Nullable<Binary>,
        leased_until -> Nullable<BigInt>,
        error -> Nullable<Text>,
    }
}

table! {
    webhook_inbox (event_id) {
        event_id -> Text,
        kind -> Text,
        created_at -> BigInt,
        received_at -> BigInt,
        via -> Text,
        headers -> Text,
        news -> Text,
        verdict -> Text,
        error -> Nullable<Text>,
        order_id -> Nullable<Binary>,
        due_at -> Nullable<BigInt>,
        taken -> BigInt,
        leased_by -> Nullable<Binary>,
        leased_until -> Nullable<BigInt>,
    }
}

table! {
    marks (name) {
        name -> Text,
        value -> Nullable<Text>,
        due_at -> BigInt,
        leased_by -> Nullable<Binary>,
        leased_until -> Nullable<BigInt>,
    }
}

table! {
    idempotency_records (scope, key) {
        scope -> Binary,
        key -> Text,
        fingerprint -> Binary,
        order_id -> Binary,
        answer -> Text,
        at -> BigInt,
    }
}

table! {
    api_keys (id) {
        id -> Binary,
        name -> Text,
        digest -> Binary,
        scopes -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        application -> Nullable<Binary>,
        replaced_by -> Nullable<Binary>,
        networks -> Text,
        calls_per_minute -> Nullable<BigInt>,
    }
}

table! {
    api_key_uses (key_id, scope) {
        key_id -> Binary,
        scope -> Text,
        last_used -> BigInt,
    }
}

table! {
    console_links (id) {
        id -> Binary,
        digest -> Binary,
        operator -> Text,
        role -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    console_sessions (id) {
        id -> Binary,
        digest -> Binary,
        operator -> Text,
        role -> Text,
        begun_at -> BigInt,
        seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    daily_totals (day, livemode, currency) {
        day -> Text,
        livemode -> Bool,
        currency -> Text,
        placed -> BigInt,
        placed_amount -> BigInt,
        paid -> BigInt,
        paid_amount -> BigInt,
        refunded -> BigInt,
        refunded_amount -> BigInt,
    }
}

table! {
    daily_totals_head (only_one) {
        only_one -> BigInt,
        position -> BigInt,
    }
}

table! {
    installation (only_one) {
        only_one -> Bool,
        id -> Binary,
        epoch -> BigInt,
    }
}

table! {
    lost_orders (tail) {
        tail -> Binary,
        order_id -> Binary,
        found_at -> BigInt,
        decision -> Nullable<Text>,
    }
}

table! {
    sales_terms (only_one) {
        only_one -> Bool,
        payload -> Text,
    }
}

table! {
    carts (id) {
        id -> Binary,
        version -> BigInt,
        customer -> Nullable<Text>,
        currency -> Text,
        order_id -> Binary,
        is_open -> Bool,
        payload -> Text,
        updated_at -> BigInt,
    }
}

table! {
    provider_customers (livemode, customer) {
        livemode -> Bool,
        customer -> Text,
        provider_id -> Text,
    }
}

table! {
    feed (position) {
        position -> BigInt,
        order_id -> Binary,
        version -> BigInt,
        fact_position -> BigInt,
        kind -> Text,
        at -> BigInt,
        snapshot_after -> BigInt,
        livemode -> Nullable<Bool>,
        view -> Nullable<Text>,
        personal -> Nullable<Text>,
    }
}

table! {
    feed_head (only_one) {
        only_one -> Bool,
        position -> BigInt,
        deleted -> BigInt,
        taken -> BigInt,
        leased_by -> Nullable<Binary>,
        leased_until -> Nullable<BigInt>,
    }
}

table! {
    webhook_endpoints (id) {
        id -> Binary,
        version -> BigInt,
        url -> Text,
        description -> Text,
        kinds -> Text,
        secret_generation -> BigInt,
        previous_secret_until -> Nullable<BigInt>,
        secret_key_id -> Text,
        created_at -> BigInt,
        disabled_reason -> Nullable<Text>,
        disabled_at -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        failing_told -> Nullable<BigInt>,
        position -> BigInt,
        format -> Text,
        subscriptions -> Text,
        updated_at -> Nullable<BigInt>,
    }
}

table! {
    webhook_queues (endpoint_id, order_id) {
        endpoint_id -> Binary,
        order_id -> Binary,
        done -> BigInt,
        last -> BigInt,
        resends -> Text,
        tries -> BigInt,
        next_due_at -> Nullable<BigInt>,
        resend_tries -> BigInt,
        resend_due_at -> Nullable<BigInt>,
        taken -> BigInt,
        leased_by -> Nullable<Binary>,
        leased_until -> Nullable<BigInt>,
        part -> BigInt,
        resend_part -> BigInt,
    }
}

table! {
    webhook_attempts (endpoint_id, at, event_id) {
        endpoint_id -> Binary,
        at -> BigInt,
        event_id -> Binary,
        kind -> Text,
        position -> Nullable<BigInt>,
        order_id -> Nullable<Binary>,
        number -> BigInt,
        duration_ms -> BigInt,
        status -> Nullable<BigInt>,
        error -> Nullable<Text>,
        answer -> Text,
        outcome -> Text,
    }
}

table! {
    account_events (subject, number) {
        subject -> Binary,
        number -> BigInt,
        id -> Binary,
    }
}

allow_tables_to_appear_in_same_query!(feed, feed_head);
