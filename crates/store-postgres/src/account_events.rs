//! Account events, which the statement that the books commit with stores.

use std::collections::BTreeSet;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, Bool, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::AccountEvent;
use uuid::Uuid;

use crate::rows::pg_time;
use crate::statement::parameters;

/// Parts of a statement that store account events if a part of it, or an expression of `FROM`, has a row
/// (`add_account_events.sql`). They come after `WITH` or a comma; their parameters are [`AccountEvents`].
macro_rules! store_account_events {
    ($gate:literal) => {
        $crate::statement::filled!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/add_account_events.sql")), "{gate}" => $gate)
    };
}

pub(crate) use store_account_events;

/// Account events, as one array for each column.
pub(crate) struct AccountEvents {
    subjects: Vec<Uuid>,
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    times: Vec<PgTimestamp>,
    livemode: Vec<bool>,
    data: Vec<String>,
}

impl AccountEvents {
    /// Events of these, each id once: parts of one statement do not see each other's rows.
    pub(crate) fn of(events: &[AccountEvent]) -> Self {
        let mut ids = BTreeSet::new();
        let events: Vec<_> = events.iter().filter(|it| ids.insert(it.id)).collect();
        Self {
            subjects: events.iter().map(|it| it.subject.0).collect(),
            ids: events.iter().map(|it| it.id).collect(),
            kinds: events.iter().map(|it| it.kind.name()).collect(),
            times: events.iter().map(|it| pg_time(it.at)).collect(),
            livemode: events.iter().map(|it| it.livemode).collect(),
            data: events.iter().map(|it| it.data.clone()).collect(),
        }
    }
}

parameters!(self: AccountEvents {
    account_subjects: Array<SqlUuid> = self.subjects,
    account_ids: Array<SqlUuid> = self.ids,
    account_kinds: Array<SqlText> = self.kinds,
    account_times: Array<Timestamptz> = self.times,
    account_livemode: Array<Bool> = self.livemode,
    account_data: Array<SqlText> = self.data,
});
