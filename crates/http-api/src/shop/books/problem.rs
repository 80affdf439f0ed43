//! Refusals of calls about the books.

use std::fmt::Display;

use actix_web::http::StatusCode;
use paywright_app::{BooksError, NoStatement, StoreError};

use super::query::{INVALID_PERIOD, PERIOD};
use crate::problem::Problem;

impl From<NoStatement> for Problem {
    fn from(error: NoStatement) -> Self {
        let period = |code, problem| Self::field(StatusCode::UNPROCESSABLE_ENTITY, code, PERIOD, problem);
        match error {
            error @ NoStatement::NotBegun => Self::conflict("books_not_begun", error.to_string()),
            NoStatement::BeforeStart { first } => {
                period("period_before_books", format!("is before the books, which begin on {first}"))
            }
            // A period of a call is a day or a month.
            error @ NoStatement::Reversed { .. } => period(INVALID_PERIOD, error.to_string()),
            NoStatement::NotBegunYet { today } => {
                period("period_not_begun", format!("has not begun: today is {today} in the time zone of the books"))
            }
            NoStatement::Books(error) => error.into(),
        }
    }
}

impl From<BooksError> for Problem {
    fn from(error: BooksError) -> Self {
        match error {
            BooksError::Store(error) => of_store(error),
            // Reads of the books do not call Stripe.
            BooksError::Gateway(error) => error.into(),
            error @ (BooksError::Summary(_)
            | BooksError::Money(_)
            | BooksError::Order { .. }
            | BooksError::Zone(_)
            | BooksError::Since { .. }
            | BooksError::OtherZone { .. }
            | BooksError::OtherStart { .. }) => unreadable(error),
        }
    }
}

/// Refusal because what is stored cannot be made into an answer.
pub(super) fn unreadable(error: impl Display) -> Problem {
    tracing::error!(%error, "the books cannot be read");
    let detail = "the books have figures that cannot be read or added up; nothing was changed: the service's log has the \
                  details";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "books_unreadable", detail)
}

/// Refusal by the store, in terms of the books where the general one speaks of an order.
fn of_store(error: StoreError) -> Problem {
    let detail = match &error {
        StoreError::Conflict => "other processes are writing the books at the same time: try again",
        StoreError::Unknown(_) => {
            "the database did not confirm whether the break was resolved: repeat the request, which is safe"
        }
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => return error.into(),
    };
    Problem::from(error).with_detail(detail)
}

/// Refusal of a text that is neither a day nor a month.
pub(super) fn invalid_period(problem: impl Display) -> Problem {
    Problem::field(StatusCode::UNPROCESSABLE_ENTITY, INVALID_PERIOD, PERIOD, problem)
}

pub(super) fn payout_not_found() -> Problem {
    let detail = "the books have no such payout: one that Stripe has just made is read within minutes";
    Problem::new(StatusCode::NOT_FOUND, "payout_not_found", detail)
}

pub(super) fn break_not_found() -> Problem {
    Problem::field(StatusCode::NOT_FOUND, "break_not_found", "id", "is not the name of a break")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_store_speaks_of_the_books() {
        for (error, code, says) in [
            (StoreError::Conflict, "busy", "writing the books"),
            (StoreError::Unknown("reset by peer".into()), "store_outcome_unknown", "whether the break was resolved"),
            (StoreError::Unavailable("reset by peer".into()), "store_unavailable", "nothing was changed"),
        ] {
            let problem = Problem::from(BooksError::from(error));
            assert_eq!(problem.code(), code);
            assert!(problem.detail().contains(says) && !problem.detail().contains("order"), "{}", problem.detail());
            assert!(problem.retry_after().is_some(), "{code}");
        }
    }
}
