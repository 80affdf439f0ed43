//! Reads of the books, each one statement.

use diesel::data_types::PgTimestamp;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::stored::{
    StoredBalanceTransaction, StoredBookedPayout, StoredBreak, StoredCategorySum, StoredClearingAccount,
    StoredClosedDay, StoredEntry, StoredPayout, StoredPayoutSum, StoredRowKey, stored_break_place,
};
use paywright_app::{BreakPage, OpenItemQuery, RowQuery};
use uuid::Uuid;

use crate::columns::{Values, row};
use crate::rows::to_pg_micros;
use crate::statement::{parameters, statement};

/// Query for the state.
#[derive(Clone)]
pub(crate) struct ReadBooks;

statement!(ReadBooks => (BigInt, SqlText), "SELECT version, state::text FROM books WHERE only_one", self {});

/// Query for the ids of stored balance transactions among these.
pub(crate) struct KnownTransactions(pub(crate) Vec<String>);

statement!(KnownTransactions => SqlText,
    "SELECT id FROM balance_transactions WHERE id = ANY (:ids::text[]) ORDER BY id",
    self {
        ids: Array<SqlText> = self.0,
    }
);

/// Query for the orders of PaymentIntents.
pub(crate) struct OrdersOfIntents(pub(crate) Vec<String>);

statement!(OrdersOfIntents => (SqlText, SqlUuid),
    concat!(
        "SELECT stored.provider_id, stored.order_id ",
        "FROM (SELECT DISTINCT unnest(:intents::text[]) AS id) AS intent, LATERAL (",
        "    SELECT provider_id, order_id FROM payment_intents WHERE provider_id = intent.id LIMIT 1",
        ") AS stored ",
        "ORDER BY stored.provider_id COLLATE \"C\"",
    ),
    self {
        intents: Array<SqlText> = self.0,
    }
);

/// Query for the numbers of orders.
pub(crate) struct OrderNumbers(pub(crate) Vec<Uuid>);

statement!(OrderNumbers => (SqlUuid, SqlText),
    "SELECT id, number FROM orders WHERE id = ANY (:orders::uuid[]) ORDER BY id",
    self {
        orders: Array<SqlUuid> = self.0,
    }
);

row! {
    /// Row of a balance transaction.
    TransactionRow of StoredBalanceTransaction {
        id as SqlText,
        created as Timestamptz,
        day as Nullable<SqlText>,
        category as SqlText,
        balance as SqlText,
        currency as SqlText,
        amount as BigInt,
        fee as BigInt,
        net as BigInt,
        fees as SqlText,
        description as SqlText,
        source_kind as SqlText,
        source_id as SqlText,
        intent_id as Nullable<SqlText>,
        order_id as Nullable<SqlUuid>,
        presented_currency as Nullable<SqlText>,
        presented_amount as Nullable<BigInt>,
        recorded_at as Timestamptz,
    }
}

row! {
    /// Row of an entry of an order.
    EntryRow of StoredEntry {
        id as SqlText,
        order_id as SqlUuid,
        at as Timestamptz,
        day as Nullable<SqlText>,
        source_kind as SqlText,
        source_id as SqlText,
        postings as SqlText,
    }
}

/// Page of rows: the key of the row after which it begins, and its length.
pub(crate) struct Page {
    day: Option<String>,
    time: PgTimestamp,
    id: String,
    limit: i64,
}

impl Page {
    pub(crate) fn of(query: &RowQuery) -> Self {
        let StoredRowKey { day, time, id } = StoredRowKey::of(query);
        Self { day, time: PgTimestamp(to_pg_micros(time)), id, limit: i64::from(query.limit) }
    }
}

parameters!(self: Page {
    after_day: Nullable<SqlText> = self.day,
    after_time: Timestamptz = self.time,
    after_id: SqlText = self.id,
    limit: BigInt = self.limit,
});

/// Start of a query for balance transactions.
macro_rules! transactions {
    () => {
        transactions!("balance_transactions ")
    };
    ($from:literal) => {
        concat!(
            "SELECT id, created, to_char(day, 'YYYY-MM-DD'), category, balance, currency, amount, fee, net, fees::text, \
             description, source_kind, source_id, intent_id, order_id, presented_currency, presented_amount, \
             recorded_at FROM ",
            $from,
        )
    };
}

/// Start of a query for entries.
macro_rules! entries {
    () => {
        "SELECT id, order_id, at, to_char(day, 'YYYY-MM-DD'), source_kind, source_id, postings::text FROM book_entries "
    };
}

/// End of a query for a page of rows of days, by the column of their time.
macro_rules! of_days {
    ($time:literal) => {
        concat!(
            "WHERE day >= :after_day::text::date AND day <= :to::text::date AND (day, ",
            $time,
            ", id) > (:after_day::text::date, :after_time::timestamptz, :after_id::text) ORDER BY day, ",
            $time,
            ", id LIMIT :limit::bigint",
        )
    };
}

/// End of a query for a page of rows that other columns find, by the column of their time. A row without a day comes
/// before those with one.
macro_rules! in_order {
    ($time:literal) => {
        concat!(
            "AND (coalesce(day, '-infinity'), ",
            $time,
            ", id) > (coalesce(:after_day::text::date, '-infinity'), :after_time::timestamptz, :after_id::text) ",
            "ORDER BY day NULLS FIRST, ",
            $time,
            ", id LIMIT :limit::bigint",
        )
    };
}

/// Query for balance transactions of days; the first day is that of the page.
pub(crate) struct TransactionsOfDays {
    pub(crate) page: Page,
    pub(crate) to: String,
}

statement!(TransactionsOfDays => Untyped, concat!(transactions!(), of_days!("created")), self {
    to: SqlText = self.to,
    ..Page = self.page,
});

/// Query for balance transactions of an order.
pub(crate) struct TransactionsOfOrder {
    pub(crate) page: Page,
    pub(crate) order: Uuid,
}

statement!(TransactionsOfOrder => Untyped,
    concat!(transactions!(), "WHERE order_id = :order::uuid ", in_order!("created")),
    self {
        order: SqlUuid = self.order,
        ..Page = self.page,
    }
);

/// Query for balance transactions of an object.
pub(crate) struct TransactionsOfSource {
    pub(crate) page: Page,
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

statement!(TransactionsOfSource => Untyped,
    concat!(
        transactions!(),
        "WHERE source_id = :source_id::text AND source_kind = :source_kind::text ",
        in_order!("created"),
    ),
    self {
        source_kind: SqlText = self.kind,
        source_id: SqlText = self.id,
        ..Page = self.page,
    }
);

/// Query for balance transactions that a payout contains. Each is a lookup of its own: a join could go through all balance
/// transactions instead.
pub(crate) struct TransactionsOfPayout {
    pub(crate) page: Page,
    pub(crate) payout: String,
}

statement!(TransactionsOfPayout => Untyped,
    concat!(
        transactions!(
            "payout_members, LATERAL (SELECT * FROM balance_transactions WHERE id = transaction_id LIMIT 1) AS stored "
        ),
        "WHERE payout_id = :payout::text ",
        in_order!("created"),
    ),
    self {
        payout: SqlText = self.payout,
        ..Page = self.page,
    }
);

/// Query for entries of days; the first day is that of the page.
pub(crate) struct EntriesOfDays {
    pub(crate) page: Page,
    pub(crate) to: String,
}

statement!(EntriesOfDays => Untyped, concat!(entries!(), of_days!("at")), self {
    to: SqlText = self.to,
    ..Page = self.page,
});

/// Query for entries of an order.
pub(crate) struct EntriesOfOrder {
    pub(crate) page: Page,
    pub(crate) order: Uuid,
}

statement!(EntriesOfOrder => Untyped, concat!(entries!(), "WHERE order_id = :order::uuid ", in_order!("at")), self {
    order: SqlUuid = self.order,
    ..Page = self.page,
});

/// Query for entries of an object.
pub(crate) struct EntriesOfSource {
    pub(crate) page: Page,
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

statement!(EntriesOfSource => Untyped,
    concat!(
        entries!(),
        "WHERE source_id = :source_id::text AND source_kind = :source_kind::text ",
        in_order!("at"),
    ),
    self {
        source_kind: SqlText = self.kind,
        source_id: SqlText = self.id,
        ..Page = self.page,
    }
);

/// Range of days.
pub(crate) struct Days {
    pub(crate) from: String,
    pub(crate) to: String,
}

parameters!(self: Days {
    from: SqlText = self.from,
    to: SqlText = self.to,
});

row! {
    /// Sum of a category.
    SumRow of StoredCategorySum {
        balance as SqlText,
        currency as SqlText,
        category as SqlText,
        count as BigInt,
        gross as BigInt,
        fee as BigInt,
        net as BigInt,
    }
}

/// Query for the sums of the categories (`category_sums.sql`).
pub(crate) struct CategorySums(pub(crate) Days);

statement!(CategorySums => Untyped, crate::sql::CATEGORY_SUMS, self {
    ..Days = self.0,
});

row! {
    /// Row of a closed day.
    ClosedDayRow of StoredClosedDay {
        day as SqlText,
        hash as SqlText,
        previous as Nullable<SqlText>,
        timezone as SqlText,
        closed_at as Timestamptz,
        summary as SqlText,
    }
}

/// Query for closed days.
pub(crate) struct ClosedDays(pub(crate) Days);

statement!(ClosedDays => Untyped,
    concat!(
        "SELECT to_char(day, 'YYYY-MM-DD'), hash, previous, timezone, closed_at, summary::text FROM closed_days ",
        "WHERE day >= :from::text::date AND day <= :to::text::date ORDER BY day",
    ),
    self {
        ..Days = self.0,
    }
);

/// Row of a payout with the sum of its members.
pub(crate) struct PayoutRow(pub(crate) StoredBookedPayout<'static>);

impl QueryableByName<Pg> for PayoutRow {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let mut values = Values::of(row);
        let payout = StoredPayout {
            id: values.next::<SqlText>()?,
            currency: values.next::<SqlText>()?,
            amount: values.next::<BigInt>()?,
            created: values.next::<Timestamptz>()?,
            arrival: values.next::<Timestamptz>()?,
            status: values.next::<SqlText>()?,
            automatic: values.next::<Bool>()?,
            reconciliation: values.next::<SqlText>()?,
            balance_transaction: values.next::<Nullable<SqlText>>()?,
            failure_balance_transaction: values.next::<Nullable<SqlText>>()?,
            failure_code: values.next::<Nullable<SqlText>>()?,
            trace_id: values.next::<Nullable<SqlText>>()?,
        };
        let mut sum = || values.next::<Nullable<BigInt>>();
        let sum = match (sum()?, sum()?, sum()?) {
            (Some(members), Some(known), Some(net)) => Some(StoredPayoutSum { members, known, net }),
            (_, _, _) => None,
        };
        Ok(Self(StoredBookedPayout { payout, sum }))
    }
}

/// Start of a query for payouts. The sum of each is a lookup of its own: a join could go through all sums for each payout.
macro_rules! payouts {
    () => {
        payouts!(
            "payouts LEFT JOIN LATERAL \
             (SELECT * FROM payout_sums WHERE payout_id = id LIMIT 1) AS payout_sums ON true "
        )
    };
    ($from:literal) => {
        concat!(
            "SELECT id, payouts.currency, payouts.amount, created, arrival, status, automatic, reconciliation, \
             balance_transaction, failure_balance_transaction, failure_code, trace_id, members, known, net FROM ",
            $from,
        )
    };
}

/// Query for a payout.
pub(crate) struct PayoutById(pub(crate) String);

statement!(PayoutById => Untyped, concat!(payouts!(), "WHERE id = :payout::text"), self {
    payout: SqlText = self.0,
});

/// Query for the payouts of a range of creation times.
pub(crate) struct PayoutsCreated {
    pub(crate) from: PgTimestamp,
    pub(crate) until: PgTimestamp,
}

statement!(PayoutsCreated => Untyped,
    concat!(
        payouts!(),
        "WHERE created >= :from::timestamptz AND created < :until::timestamptz ORDER BY created, id",
    ),
    self {
        from: Timestamptz = self.from,
        until: Timestamptz = self.until,
    }
);

/// Query for payouts that may change, or whose members are to be read.
pub(crate) struct UnsettledPayouts {
    pub(crate) since: PgTimestamp,
    /// Time after which a payout was created that may still change.
    pub(crate) changes_since: PgTimestamp,
}

statement!(UnsettledPayouts => Untyped,
    concat!(
        payouts!(),
        "WHERE created >= :since::timestamptz AND status NOT IN ('failed', 'canceled') ",
        "AND (created > :changes_since::timestamptz ",
        "OR (payout_id IS NULL AND reconciliation IN ('completed', 'in_progress'))) ORDER BY created, id",
    ),
    self {
        since: Timestamptz = self.since,
        changes_since: Timestamptz = self.changes_since,
    }
);

/// Query for payouts whose members add up to another amount. An index has these alone: their number is not that of all
/// payouts.
pub(crate) struct UnequalPayouts;

statement!(UnequalPayouts => Untyped,
    concat!(
        payouts!("payout_sums, LATERAL (SELECT * FROM payouts WHERE id = payout_id LIMIT 1) AS payouts "),
        "WHERE net <> payout_sums.amount ORDER BY created, id",
    ),
    self {}
);

row! {
    /// Row of a clearing account.
    ClearingRow of StoredClearingAccount {
        object as SqlText,
        currency as SqlText,
        source_kind as SqlText,
        order_id as Nullable<SqlUuid>,
        expected as BigInt,
        moved as BigInt,
        entries as BigInt,
        transactions as BigInt,
        latest as Timestamptz,
        has_day as Bool,
    }
}

/// Page of clearing accounts: the key of the one after which it begins, and its length.
pub(crate) struct ItemPage {
    object: String,
    currency: &'static str,
    limit: i64,
}

impl ItemPage {
    pub(crate) fn of(query: &OpenItemQuery) -> Self {
        let after = query.after.as_ref();
        let (object, currency) = after.map(|it| (it.object.clone(), it.currency.code())).unwrap_or_default();
        Self { object, currency, limit: i64::from(query.limit) }
    }
}

parameters!(self: ItemPage {
    object: SqlText = self.object,
    currency: SqlText = self.currency,
    limit: BigInt = self.limit,
});

/// Defines queries for clearing accounts whose sides differ, each by an index of its own.
macro_rules! open_items {
    ($($(#[$meta:meta])* $name:ident: $condition:literal,)*) => {$(
        $(#[$meta])*
        pub(crate) struct $name(pub(crate) ItemPage);

        statement!($name => Untyped,
            concat!(
                "SELECT object, currency, source_kind, order_id, expected, moved, entries, transactions, latest, has_day ",
                "FROM clearing_accounts WHERE expected <> moved ",
                $condition,
                "AND (object, currency) > (:object::text, :currency::text) ",
                "ORDER BY object, currency LIMIT :limit::bigint",
            ),
            self {
                ..ItemPage = self.0,
            }
        );
    )*};
}

open_items! {
    /// Query for clearing accounts whose sides differ.
    OpenItems: "",
    /// Query for clearing accounts of orders whose sides differ.
    OpenItemsOfOrders: "AND order_id IS NOT NULL ",
}

row! {
    /// Row of a break.
    BreakRow of StoredBreak {
        id as SqlText,
        class as SqlText,
        object as SqlText,
        order_id as Nullable<SqlUuid>,
        ours_currency as Nullable<SqlText>,
        ours_amount as Nullable<BigInt>,
        theirs_currency as Nullable<SqlText>,
        theirs_amount as Nullable<BigInt>,
        since as Timestamptz,
        first_seen as Timestamptz,
        gone_at as Nullable<Timestamptz>,
        resolution as Nullable<SqlText>,
    }
}

/// Break after which a page begins, and the largest number of breaks of the page.
pub(crate) struct BreakPlaceAndLimit {
    first_seen: PgTimestamp,
    id: String,
    limit: i64,
}

impl BreakPlaceAndLimit {
    /// Page of a list in ascending order.
    pub(crate) fn ascending(page: &BreakPage) -> Self {
        Self::of(page, i64::MIN)
    }

    /// Page of a list in descending order.
    pub(crate) fn descending(page: &BreakPage) -> Self {
        Self::of(page, i64::MAX)
    }

    fn of(page: &BreakPage, before_all: i64) -> Self {
        let (time, id) = stored_break_place(page, before_all);
        Self { first_seen: PgTimestamp(to_pg_micros(time)), id, limit: i64::from(page.limit) }
    }
}

parameters!(self: BreakPlaceAndLimit {
    after_time: Timestamptz = self.first_seen,
    after_id: SqlText = self.id,
    limit: BigInt = self.limit,
});

/// Defines queries for breaks by an index of their states.
macro_rules! breaks {
    ($($(#[$meta:meta])* $name:ident: $rest:literal,)*) => {$(
        $(#[$meta])*
        pub(crate) struct $name(pub(crate) BreakPlaceAndLimit);

        statement!($name => Untyped, concat!(break_columns!(), $rest, " LIMIT :limit::bigint"), self {
            ..BreakPlaceAndLimit = self.0,
        });
    )*};
}

/// Start of a query for breaks.
macro_rules! break_columns {
    () => {
        "SELECT id, class, object, order_id, ours_currency, ours_amount, theirs_currency, theirs_amount, since, \
         first_seen, gone_at, resolution::text FROM book_breaks "
    };
}

breaks! {
    /// Query for breaks that are neither resolved nor gone.
    OpenBreaks: "WHERE gone_at IS NULL AND resolution IS NULL AND (first_seen, id) > (:after_time::timestamptz, :after_id::text) \
                 ORDER BY first_seen, id",
    /// Query for breaks that are not gone.
    PresentBreaks: "WHERE gone_at IS NULL AND (first_seen, id) > (:after_time::timestamptz, :after_id::text) ORDER BY first_seen, id",
    /// Query for all breaks, the last seen first.
    LatestBreaks: "WHERE (first_seen, id) < (:after_time::timestamptz, :after_id::text) ORDER BY first_seen DESC, id DESC",
}

/// Query for breaks by their names.
pub(crate) struct NamedBreaks(pub(crate) Vec<String>);

statement!(NamedBreaks => Untyped,
    concat!(break_columns!(), "WHERE id = ANY (:names::text[]) ORDER BY first_seen, id"),
    self {
        names: Array<SqlText> = self.0,
    }
);
