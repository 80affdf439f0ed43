//! Tables whose rows belong to an order.

use paywright_app::stored::{
    StoredAdjustment, StoredAnomaly, StoredDispute, StoredFact, StoredIntent, StoredLine, StoredRefund,
};

use crate::columns::stored_table;

stored_table! {
    /// Row of a line.
    LineRow of StoredLine in order_lines (order_id, position)
    fixed (order_id, position)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        name: Text,
        description: Text,
        sku: Nullable<Text>,
        unit_amount: BigInt,
        quantity: BigInt,
    }
}

stored_table! {
    /// Row of an adjustment.
    AdjustmentRow of StoredAdjustment in order_adjustments (order_id, position)
    fixed (order_id, position)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        kind: Text,
        label: Text,
        amount: BigInt,
        tax_percent: Nullable<Text>,
        tax_country: Nullable<Text>,
        tax_revision: Nullable<BigInt>,
    }
}

stored_table! {
    /// Row of a PaymentIntent.
    IntentRow of StoredIntent in payment_intents (order_id, position)
    fixed (order_id, position, provider_id, created_at)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        provider_id: Text,
        revision: BigInt,
        currency: Text,
        amount: BigInt,
        status: Text,
        received: BigInt,
        capturable: BigInt,
        refunded: BigInt,
        capture_asked: Nullable<BigInt>,
        balance_currency: Nullable<Text>,
        balance_gross: Nullable<BigInt>,
        balance_fee: Nullable<BigInt>,
        last_error: Nullable<Text>,
        as_of: BigInt,
        created_at: BigInt,
        confirmed_at: Nullable<BigInt>,
    }
}

stored_table! {
    /// Row of a refund.
    RefundRow of StoredRefund in refunds (order_id, number)
    fixed (order_id, number)
    own {
        order_id: Binary,
    }
    columns {
        number: BigInt,
        intent_id: Text,
        provider_id: Nullable<Text>,
        currency: Text,
        amount: BigInt,
        reason: Nullable<Text>,
        origin: Text,
        status: Text,
        attempt: BigInt,
        failure: Nullable<Text>,
        requested_at: BigInt,
        epoch: Nullable<BigInt>,
        request: Nullable<Binary>,
        closed_at: Nullable<BigInt>,
        closed_amount: Nullable<BigInt>,
    }
}

stored_table! {
    /// Row of a dispute.
    DisputeRow of StoredDispute in disputes (order_id, position)
    fixed (order_id, position)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        provider_id: Text,
        intent_id: Text,
        currency: Text,
        amount: BigInt,
        status: Text,
        reason: Text,
        due_by: Nullable<BigInt>,
        withdrawn: Bool,
        reinstated: Bool,
    }
}

stored_table! {
    /// Row of an anomaly.
    AnomalyRow of StoredAnomaly in anomalies (order_id, position)
    fixed (order_id, position)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        provider_id: Text,
        name: Text,
        payload: Text,
        policy: Text,
        reason: Nullable<Text>,
        found_at: BigInt,
        accepted_at: Nullable<BigInt>,
    }
}

stored_table! {
    /// Row of a fact.
    FactRow of StoredFact in facts (order_id, version, position)
    fixed (order_id, version, position)
    own {
        order_id: Binary,
        position: BigInt,
    }
    columns {
        version: BigInt,
        kind: Text,
        payload: Text,
        at: BigInt,
        cause: Nullable<Text>,
    }
}
