//! Query plans of the statements of the books.

use std::sync::{Arc, Mutex};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use paywright_app::{
    BookedEntry, BooksChanges, BreakPage, BreakPlace, BreakQuery, ClearingKey, OpenItemQuery, PayoutQuery, RowFilter,
    RowQuery, Version,
};
use paywright_domain::Currency;
use paywright_domain::books::{Day, Entry, Source};
use paywright_testkit::books_contract::{a_charge, a_payout, a_state};
use paywright_testkit::{at, order_id};

use super::{commit, read};
use crate::plans::plan;
use crate::{IN_MEMORY, Options, setup};

/// Texts of the statements that were run.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl Instrumentation for Statements {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let text = text.split(" -- binds").next().unwrap_or_default().to_owned();
            self.0.lock().unwrap().push(text);
        }
    }
}

/// Books with 10,000 rows of each kind.
fn books() -> SqliteConnection {
    let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
    db.batch_execute(
        "CREATE TEMP TABLE numbers AS
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n;
         INSERT INTO balance_transactions
             SELECT 't' || i, i, format('2025-03-%02d', i % 28 + 1), 'charge', 'payments', 'usd', 1, 0, 1, '[]', '',
                 'other', 's' || i, NULL, unhex(format('%032x', i)), NULL, NULL, i
             FROM numbers;
         INSERT INTO book_entries
             SELECT 'e' || i, unhex(format('%032x', i)), i, format('2025-03-%02d', i % 28 + 1), 'other', 's' || i, '[]'
             FROM numbers;
         INSERT INTO clearing_accounts SELECT 's' || i, 'usd', 'other', NULL, 1, 1, 1, 1, i, 1 FROM numbers;
         INSERT INTO payouts
             SELECT 'p' || i, 'usd', 1, i, i, 'paid', 1, 'completed', NULL, NULL, NULL, NULL FROM numbers;
         INSERT INTO payout_members SELECT 'p' || i, 't' || i FROM numbers;
         INSERT INTO payout_sums SELECT 'p' || i, 'usd', 1, 1, 1, 1 FROM numbers;
         INSERT INTO book_breaks
             SELECT 'b' || i, 'amount', 'o', NULL, NULL, NULL, NULL, NULL, i, i, i, NULL FROM numbers;
         INSERT INTO closed_days SELECT format('%04d-01-01', i), 'h', NULL, 'UTC', i, '{}' FROM numbers WHERE i < 9999;",
    )
    .unwrap();
    db
}

fn a_commit() -> BooksChanges {
    let mut changes = BooksChanges::new(Version::NEW, a_state());
    changes.transactions = vec![a_charge(1)];
    let (order, source, at) = (order_id(1), Source::None, at(1));
    let entry = Entry::new(Vec::new()).unwrap();
    changes.entries = vec![BookedEntry { id: "e".into(), order, at, day: None, source, entry }];
    changes.payouts = vec![a_payout(1)];
    changes.members = vec![(a_payout(1).id, vec![a_charge(1).transaction.id])];
    changes
}

/// Runs each read and a commit.
fn run_all(db: &mut SqliteConnection) {
    let day = Day::new(2025, 3, 2).unwrap();
    let filters = [
        RowFilter::Days { from: day, to: day },
        RowFilter::Order(order_id(1)),
        RowFilter::Source(Source::Other { id: "s".into() }),
        RowFilter::Payout(a_payout(1).id),
    ];
    for filter in filters {
        for after in [None, Some((Some(day), at(1), "a".to_owned()))] {
            let query = RowQuery { filter: filter.clone(), after, limit: 10 };
            // Rows of the test are plain columns; only the statements matter.
            drop((read::transactions(db, &query), read::entries(db, &query)));
        }
    }
    let id = a_payout(1).id;
    let (since, now, until) = (at(1), at(9), at(9));
    for query in [
        PayoutQuery::Id(id),
        PayoutQuery::Created { from: since, until },
        PayoutQuery::Unsettled { since, now },
        PayoutQuery::Unequal,
    ] {
        drop(read::payouts(db, &query));
    }
    for after in [None, Some(BreakPlace { first_seen: at(1), id: "b".into() })] {
        let page = BreakPage { after, limit: 10 };
        for query in [
            BreakQuery::Open(page.clone()),
            BreakQuery::Present(page.clone()),
            BreakQuery::Latest(page),
            BreakQuery::Named(vec!["b".into()]),
        ] {
            drop(read::breaks(db, &query));
        }
    }
    for of_orders in [false, true] {
        let after = Some(ClearingKey { object: "o".into(), currency: Currency::Usd });
        drop(read::open_items(db, &OpenItemQuery { after, of_orders, limit: 10 }));
    }
    drop((read::category_sums(db, day, day), read::closed_days(db, day, day)));
    read::known_transactions(db, &[a_charge(1).transaction.id]).unwrap();
    read::orders_of_intents(db, &["pi_1".parse().unwrap()]).unwrap();
    read::books(db).unwrap();
    commit::changes(db, &a_commit()).unwrap();
}

/// Tables of which a statement may walk an index, with a limit or because the index has nothing else: the last breaks, and
/// the payouts that are unequal.
const WALKED: [&str; 5] = [
    "SCAN book_breaks USING INDEX breaks_by_time",
    "SCAN book_breaks USING INDEX present_breaks",
    "SCAN book_breaks USING INDEX open_breaks",
    "SCAN payout_sums USING INDEX unequal_payouts",
    "SCAN books",
];

#[test]
fn each_statement_of_the_books_finds_its_rows_by_an_index() {
    for analyzed in [false, true] {
        let mut db = books();
        if analyzed {
            db.batch_execute("ANALYZE").unwrap();
        }
        let statements = Statements::default();
        db.set_instrumentation(statements.clone());
        run_all(&mut db);
        let texts = std::mem::take(&mut *statements.0.lock().unwrap());
        assert!(texts.len() > 30, "{texts:#?}");
        for text in texts {
            let plan = plan(&mut db, &text);
            let is_walked =
                |it: &&String| it.starts_with("SCAN") && !WALKED.iter().any(|walked| it.starts_with(walked));
            assert_eq!(plan.iter().find(is_walked), None, "{text}: {plan:#?}");
        }
    }
}
