//! Contract of every store, tested on PostgreSQL behind PgBouncer in transaction mode, as a judge of the statements that are not
//! prepared.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod shop;

use paywright_testkit::console_contract::ConsoleSubject;
use paywright_testkit::totals_contract::TotalsSubject;
use shop::Shop;

paywright_testkit::store_contract!(Shop::open(true).await);
paywright_testkit::storefront_contract!(Shop::open(true).await);
paywright_testkit::feed_contract!(Shop::open(true).await);
paywright_testkit::endpoint_contract!(Shop::open(true).await);
paywright_testkit::monitoring_contract!(Shop::open(true).await);
paywright_testkit::totals_contract!(Shop::open(true).await);
paywright_testkit::console_contract!(Shop::open(true).await);
paywright_testkit::books_contract!(Shop::open(true).await);
