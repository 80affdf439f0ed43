//! Tables whose rows belong to an order.

use diesel::sql_types::{BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::stored::{
    ColumnError, StoredAdjustment, StoredAnomaly, StoredDispute, StoredIntent, StoredLine, StoredRefund,
};

use crate::columns::tables;

tables! {
    /// Lines, as one array for each column.
    Lines of StoredLine {
        line_names: name as SqlText,
        line_descriptions: description as SqlText,
        line_skus: sku as Nullable<SqlText>,
        line_unit_amounts: unit_amount as BigInt,
        line_quantities: quantity as BigInt,
    }

    /// Adjustments, as one array for each column.
    Adjustments of StoredAdjustment {
        adjustment_kinds: kind as SqlText,
        adjustment_labels: label as SqlText,
        adjustment_amounts: amount as BigInt,
        adjustment_tax_percents: tax_percent as Nullable<SqlText>,
        adjustment_tax_countries: tax_country as Nullable<SqlText>,
        adjustment_tax_revisions: tax_revision as Nullable<BigInt>,
    }

    /// PaymentIntents, as one array for each column.
    Intents of StoredIntent {
        intent_ids: provider_id as SqlText,
        intent_revisions: revision as BigInt,
        intent_currencies: currency as SqlText,
        intent_amounts: amount as BigInt,
        intent_statuses: status as SqlText,
        intent_received: received as BigInt,
        intent_capturable: capturable as BigInt,
        intent_refunded: refunded as BigInt,
        intent_capture_asked: capture_asked as Nullable<BigInt>,
        intent_balance_currencies: balance_currency as Nullable<SqlText>,
        intent_balance_gross: balance_gross as Nullable<BigInt>,
        intent_balance_fees: balance_fee as Nullable<BigInt>,
        intent_last_errors: last_error as Nullable<SqlText>,
        intent_as_of: as_of as Timestamptz,
        intent_created_at: created_at as Timestamptz,
        intent_confirmed_at: confirmed_at as Nullable<Timestamptz>,
    }

    /// Refunds, as one array for each column.
    Refunds of StoredRefund {
        refund_numbers: number as BigInt,
        refund_intents: intent_id as SqlText,
        refund_provider_ids: provider_id as Nullable<SqlText>,
        refund_currencies: currency as SqlText,
        refund_amounts: amount as BigInt,
        refund_reasons: reason as Nullable<SqlText>,
        refund_origins: origin as SqlText,
        refund_statuses: status as SqlText,
        refund_attempts: attempt as BigInt,
        refund_failures: failure as Nullable<SqlText>,
        refund_requested_at: requested_at as Timestamptz,
        refund_epochs: epoch as Nullable<BigInt>,
        refund_requests: request as Nullable<SqlUuid>,
        refund_closed_at: closed_at as Nullable<Timestamptz>,
        refund_closed_amounts: closed_amount as Nullable<BigInt>,
    }

    /// Disputes, as one array for each column.
    Disputes of StoredDispute {
        dispute_ids: provider_id as SqlText,
        dispute_intents: intent_id as SqlText,
        dispute_currencies: currency as SqlText,
        dispute_amounts: amount as BigInt,
        dispute_statuses: status as SqlText,
        dispute_reasons: reason as SqlText,
        dispute_due_by: due_by as Nullable<Timestamptz>,
        dispute_withdrawn: withdrawn as Bool,
        dispute_reinstated: reinstated as Bool,
    }

    /// Anomalies, as one array for each column.
    Anomalies of StoredAnomaly {
        anomaly_intents: provider_id as SqlText,
        anomaly_names: name as SqlText,
        anomaly_payloads: payload as SqlText,
        anomaly_policies: policy as SqlText,
        anomaly_reasons: reason as Nullable<SqlText>,
        anomaly_found_at: found_at as Timestamptz,
        anomaly_accepted_at: accepted_at as Nullable<Timestamptz>,
    }
}
