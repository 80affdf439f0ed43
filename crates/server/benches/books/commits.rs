//! Commits of the books with ever more rows.

use std::sync::Arc;
use std::time::Instant;

use paywright_app::{BookedEntry, Books, BooksChanges, Break, BreakClass, Version};
use paywright_domain::Currency;
use paywright_domain::books::{Account, Entry, Posting, SalesPart, SignedMoney};
use paywright_store_postgres::PostgresStore;
use paywright_store_sqlite::SqliteStore;
use paywright_testkit::books_contract::{a_charge, a_payout, a_state};
use paywright_testkit::{at, order_id};

/// Numbers of rows of a commit.
const SIZES: [u32; 4] = [100, 1000, 3000, 10_000];
const ROUNDS: u32 = 3;

pub(crate) async fn measure(database: &str) {
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("orders.db").display().to_string();
    let sqlite = Arc::new(SqliteStore::open(&file, paywright_store_sqlite::Options::default()).unwrap());
    let options = paywright_store_postgres::Options::default();
    let postgres = Arc::new(PostgresStore::open(database, options).await.unwrap());
    println!("\ncommits of the books, in microseconds a row");
    print!("{:<40}", "rows of one commit");
    println!("{}", SIZES.map(|it| format!(" {it:>9}")).concat());
    of_store("SQLite", &*sqlite).await;
    of_store("PostgreSQL", &*postgres).await;
}

async fn of_store(name: &str, store: &dyn Books) {
    store.commit_books(&BooksChanges::new(Version::NEW, a_state())).await.unwrap();
    let mut next = 1;
    for (kind, fill) in KINDS {
        let mut line = format!("{:<40}", format!("{name}: {kind}"));
        for size in SIZES {
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let version = store.books().await.unwrap().unwrap().version;
                let mut changes = BooksChanges::new(version, a_state());
                fill(&mut changes, next, size);
                next += size;
                let begun = Instant::now();
                let done = store.commit_books(&changes).await;
                let micros = begun.elapsed().as_secs_f64() * 1e6 / f64::from(size);
                times.push(if done.is_ok() { micros } else { f64::INFINITY });
            }
            line = format!("{line} {:>9.1}", crate::statements::median(&mut times));
        }
        println!("{line}");
    }
}

type Fill = fn(&mut BooksChanges, u32, u32);

const KINDS: [(&str, Fill); 4] = [
    ("balance transactions", |changes, from, size| {
        changes.transactions = (from..from + size).map(a_charge).collect();
    }),
    ("entries", |changes, from, size| changes.entries = (from..from + size).map(entry).collect()),
    ("members of a payout", |changes, from, size| {
        let payout = a_payout(from);
        let ids = (from..from + size).map(|it| a_charge(it).transaction.id).collect();
        changes.members = vec![(payout.id.clone(), ids)];
        changes.payouts = vec![payout];
    }),
    ("breaks", |changes, from, size| {
        let found = |n| Break {
            id: format!("amount:pi_{n}"),
            class: BreakClass::Amount,
            object: format!("pi_{n}"),
            order: None,
            ours: None,
            theirs: None,
            since: at(1),
            first_seen: at(2),
            gone_at: None,
            resolution: None,
        };
        changes.breaks = (from..from + size).map(found).collect();
    }),
];

fn entry(n: u32) -> BookedEntry {
    let charge = a_charge(n);
    let posting = |account, minor| Posting { account, amount: SignedMoney::new(minor, Currency::Usd) };
    let source = charge.transaction.source;
    let postings =
        vec![posting(Account::Clearing(source.clone()), 100), posting(Account::Sales(SalesPart::Goods), -100)];
    let entry = Entry::new(postings).unwrap();
    BookedEntry { id: format!("e{n}"), order: order_id(n), at: at(1), day: charge.day, source, entry }
}
