//! Readiness check for `GET /readyz`: whether an order could be stored.

use diesel::sql_types::{Array, Bool, Text as SqlText};

use crate::migrate;
use crate::statement::statement;

/// Tables of this version.
const TABLES: &[&str] = &[
    "account_events",
    "anomalies",
    "api_keys",
    "balance_transactions",
    "book_breaks",
    "book_entries",
    "books",
    "carts",
    "clearing_accounts",
    "closed_days",
    "disputes",
    "facts",
    "feed",
    "feed_head",
    "idempotency_records",
    "installation",
    "lost_orders",
    "marks",
    "order_adjustments",
    "order_lines",
    "order_snapshots",
    "orders",
    "payment_intents",
    "payout_members",
    "payout_sums",
    "payouts",
    "provider_customers",
    "refunds",
    "sales_terms",
    "tasks",
    "unpositioned_facts",
    "variants",
    "webhook_attempts",
    "webhook_endpoints",
    "webhook_inbox",
    "webhook_queues",
];

/// Statement that writes a test row, and checks that this version can work with the schema (`probe.sql`).
pub(crate) struct Probe {
    migration: String,
    tables: &'static [&'static str],
}

impl Probe {
    /// Probe for the schema of this version.
    pub(crate) fn of_this_version() -> Self {
        Self { migration: migrate::newest(), tables: TABLES }
    }
}

statement!(Probe => Bool, include_str!("sql/probe.sql"), self {
    migration: SqlText = self.migration,
    tables: Array<SqlText> = self.tables,
});
