//! Query plans, for tests.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Plan of a statement with any values.
pub(crate) fn plan(db: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let mut plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).into_boxed();
    for number in 1..=6 {
        if sql.contains(&format!("?{number}")) {
            plan = plan.bind::<BigInt, _>(5000);
        }
    }
    let steps: Vec<Step> = plan.load(db).unwrap();
    steps.into_iter().map(|it| it.detail).collect()
}
