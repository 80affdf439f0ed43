//! Tables as `migrations/sqlite` creates them.

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
        operations -> BigInt,
        operation -> Nullable<Text>,
        payer -> Nullable<Text>,
        requested_epoch -> Nullable<BigInt>,
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
        provider_id -> Text,
        revision -> BigInt,
        currency -> Text,
        amount -> BigInt,
        status -> Text,
        received -> BigInt,
        capturable -> BigInt,
        last_error -> Nullable<Text>,
        as_of -> BigInt,
        created_at -> BigInt,
        capture_asked -> Nullable<BigInt>,
        balance_currency -> Nullable<Text>,
        balance_gross -> Nullable<BigInt>,
        balance_fee -> Nullable<BigInt>,
        refunded -> BigInt,
        confirmed_at -> Nullable<BigInt>,
    }
}

table! {
    refunds (order_id, number) {
        order_id -> Binary,
        number -> BigInt,
        intent_id -> Text,
        provider_id -> Nullable<Text>,
        currency -> Text,
        amount -> BigInt,
        reason -> Nullable<Text>,
        origin -> Text,
        status -> Text,
        attempt -> BigInt,
        failure -> Nullable<Text>,
        requested_at -> BigInt,
        epoch -> Nullable<BigInt>,
        request -> Nullable<Binary>,
    }
}

table! {
    disputes (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        provider_id -> Text,
        intent_id -> Text,
        currency -> Text,
        amount -> BigInt,
        status -> Text,
        reason -> Text,
        due_by -> Nullable<BigInt>,
        withdrawn -> Bool,
        reinstated -> Bool,
    }
}

table! {
    anomalies (order_id, position) {
        order_id -> Binary,
        position -> BigInt,
        provider_id -> Text,
        name -> Text,
        payload -> Text,
        policy -> Text,
        reason -> Nullable<Text>,
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
        cause -> Nullable<Text>,
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
    variants (id) {
        id -> Text,
        sku -> Nullable<Text>,
        name -> Text,
        description -> Text,
        prices -> Text,
        active -> Bool,
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

joinable!(order_lines -> orders (order_id));
joinable!(payment_intents -> orders (order_id));
allow_tables_to_appear_in_same_query!(orders, order_lines, payment_intents);
allow_tables_to_appear_in_same_query!(feed, feed_head);
