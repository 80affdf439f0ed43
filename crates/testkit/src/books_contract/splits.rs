//! Books that are committed in parts, as a walk does that is stopped and repeated at any point.

use paywright_app::{BookedEntry, BookedTransaction, BooksChanges};
use paywright_domain::books::{Payout, PayoutStatus};
use paywright_domain::id::BalanceTransactionId;

use super::{BooksSubject, EUR, USD, charge, commit, everything, expectation, payment, payout, po, txn};
use crate::order_id;

/// Pseudo-random numbers, the same ones in each run (`xorshift64*`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        u32::try_from(number % u64::from(end)).unwrap()
    }
}

/// One row of any kind.
#[derive(Clone)]
enum Row {
    Transaction(Box<BookedTransaction>),
    Entry(Box<BookedEntry>),
    Payout(Payout),
    Members(u32, Vec<BalanceTransactionId>),
}

/// Rows of objects, days and currencies that meet often. The members of a payout come after it.
fn rows(numbers: &mut Numbers) -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 0..60 {
        let (of_day, minor) = (1 + u8::try_from(numbers.below(5)).unwrap(), i64::from(numbers.below(400)) - 150);
        let currency = if numbers.below(4) == 0 { EUR } else { USD };
        let object = numbers.below(12);
        match numbers.below(8) {
            0 => {
                let number = numbers.below(4);
                let status = if numbers.below(2) == 0 { PayoutStatus::Paid } else { PayoutStatus::Pending };
                rows.push(Row::Payout(Payout { status, ..payout(number, 6, 100) }));
                rows.push(Row::Members(number, (0..numbers.below(9)).map(|_| txn(numbers.below(60))).collect()));
            }
            1..=3 => {
                let entry = expectation(&format!("e{n}"), of_day, minor, currency, &payment(object));
                let order = order_id(object);
                rows.push(Row::Entry(Box::new(BookedEntry { order, ..entry })));
            }
            _ => {
                let mut row = charge(n, of_day, minor, currency);
                row.transaction.source = payment(object);
                row.order = (!object.is_multiple_of(3)).then(|| order_id(object));
                row.day = row.day.filter(|_| numbers.below(5) > 0);
                rows.push(Row::Transaction(Box::new(row)));
            }
        }
    }
    rows
}

fn put(changes: &mut BooksChanges, rows: &[Row]) {
    for row in rows.iter().cloned() {
        match row {
            Row::Transaction(row) => changes.transactions.push(*row),
            Row::Entry(row) => changes.entries.push(*row),
            Row::Payout(row) => changes.payouts.push(row),
            Row::Members(n, members) => changes.members.push((po(n), members)),
        }
    }
}

/// Rows that are committed at once, or in parts of which some are repeated, give the same books.
pub async fn commits_in_any_parts_give_the_same_books(subjects: &[impl BooksSubject]) {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let rows = rows(&mut numbers);
    let mut books = Vec::new();
    for (n, subject) in subjects.iter().enumerate() {
        let store = &*subject.books_store();
        let mut done = 0;
        while done < rows.len() {
            let (begin, end) = if n == 0 {
                (0, rows.len())
            } else {
                let before = usize::try_from(numbers.below(5)).unwrap();
                let after = usize::try_from(1 + numbers.below(9)).unwrap();
                (done.saturating_sub(before), rows.len().min(done + after))
            };
            commit(store, |it| put(it, &rows[begin..end])).await;
            done = end;
        }
        books.push(everything(store).await);
    }
    assert!(books.len() > 2 && books[0].has_all_kinds(), "{:?}", books[0]);
    for other in &books[1..] {
        assert_eq!(*other, books[0]);
    }
}
