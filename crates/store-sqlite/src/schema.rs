//! The tables as `migrations/sqlite` makes them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    orders (id) {
        id -> Binary,
        number -> Text,
        version -> BigInt,
        customer -> Nullable<Text>,
        email -> Nullable<Text>,
        currency -> Text,
        total -> BigInt,
        capture -> Text,
        metadata -> Text,
        livemode -> Bool,
        revision -> BigInt,
        attempt -> BigInt,
        state -> Text,
        paid_by -> Nullable<Text>,
        cancel_reason -> Nullable<Text>,
        state_at -> Nullable<BigInt>,
        requested_revision -> Nullable<BigInt>,
        requested_attempt -> Nullable<BigInt>,
        placed_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    order_lines (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        name -> Text,
        description -> Text,
        sku -> Nullable<Text>,
        unit_amount -> BigInt,
        quantity -> BigInt,
    }
}

table! {
    order_adjustments (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        kind -> Text,
        label -> Text,
        amount -> BigInt,
    }
}

table! {
    payment_intents (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        id -> Text,
        revision -> BigInt,
        currency -> Text,
        amount -> BigInt,
        status -> Text,
        received -> BigInt,
        capturable -> BigInt,
        last_error -> Nullable<Text>,
        as_of -> BigInt,
        created_at -> BigInt,
    }
}

table! {
    anomalies (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        intent_id -> Text,
        name -> Text,
        payload -> Text,
        found_at -> BigInt,
    }
}

table! {
    facts (order_id, version, position) {
        order_id -> Binary,
        version -> BigInt,
        position -> BigInt,
        kind -> Text,
        payload -> Text,
        at -> BigInt,
    }
}

table! {
    tasks (order_id, key) {
        order_id -> Binary,
        key -> Text,
        payload -> Text,
        due_at -> BigInt,
        taken -> BigInt,
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
    }
}

joinable!(order_lines -> orders (order_id));
joinable!(payment_intents -> orders (order_id));
allow_tables_to_appear_in_same_query!(orders, order_lines, payment_intents);
