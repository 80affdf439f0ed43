//! Refusals of the console, as pages.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use paywright_app::{BooksError, ConsoleRole, EndpointError, GetOrderError, OrderOfChargeError, Scope, StoreError};

use super::page;
use crate::problem::Problem;

/// Reason for which a page is not shown, or an act not done. Nothing was changed, unless the problem says otherwise.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No session is valid.
    NotSignedIn,
    /// The link is not valid, or was used.
    LinkUsed,
    /// The operator's role lacks a scope.
    NotAllowed {
        /// Role of the operator.
        role: ConsoleRole,
        /// Scope that is missing.
        scope: Scope,
    },
    /// The form is not of a page of this session.
    OtherSession,
    /// Nothing has this name.
    NoSuch(&'static str),
    /// Refusal as the API has it.
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<GetOrderError> for Refusal {
    fn from(error: GetOrderError) -> Self {
        match error {
            GetOrderError::NotFound => Self::NoSuch("order"),
            error @ GetOrderError::Store(_) => Self::Problem(error.into()),
        }
    }
}

impl From<BooksError> for Refusal {
    fn from(error: BooksError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<OrderOfChargeError> for Refusal {
    fn from(error: OrderOfChargeError) -> Self {
        Self::Problem(match error {
            OrderOfChargeError::Gateway(error) => error.into(),
            OrderOfChargeError::Store(error) => error.into(),
        })
    }
}

impl From<EndpointError> for Refusal {
    fn from(error: EndpointError) -> Self {
        Self::Problem(error.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text().1)
    }
}

/// Page of a refusal.
#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    title: &'a str,
    text: &'a str,
    code: Option<&'a str>,
}

/// Page that says how to sign in.
#[derive(Template)]
#[template(path = "no_session.html")]
pub(super) struct NoSession<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Page of a problem.
pub(super) fn of(problem: &Problem) -> HttpResponse {
    let title = match problem.status() {
        status if status.is_server_error() => "This did not work",
        StatusCode::NOT_FOUND => "There is nothing here",
        _ => "This was refused",
    };
    page(problem.status(), &RefusalPage { title, text: problem.detail(), code: Some(problem.code()) })
}

impl Refusal {
    /// Title and text of the page.
    fn text(&self) -> (&'static str, String) {
        match self {
            Self::NotSignedIn => {
                ("You are not signed in", "There is no session in this browser, or it has ended.".into())
            }
            Self::LinkUsed => (
                "This link cannot be used",
                "It was used before, it is older than ten minutes, or it was not copied whole.".into(),
            ),
            Self::NotAllowed { role, scope } => {
                let wanted =
                    if ConsoleRole::Refund.has(*scope) { ConsoleRole::Refund } else { ConsoleRole::Administer };
                let text = format!("This needs the role {wanted}; yours is {role}. Nothing was changed.");
                ("Your role does not allow this", text)
            }
            Self::OtherSession => {
                let text = "The page is of another session, such as one before you signed in again. Nothing was changed: load \
                            the page again.";
                ("This page is out of date", text.into())
            }
            Self::NoSuch(what) => ("There is nothing here", format!("There is no {what} with this name.")),
            Self::Problem(problem) => ("This was refused", problem.detail().to_owned()),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotSignedIn | Self::LinkUsed => StatusCode::UNAUTHORIZED,
            Self::NotAllowed { .. } | Self::OtherSession => StatusCode::FORBIDDEN,
            Self::NoSuch(_) => StatusCode::NOT_FOUND,
            Self::Problem(problem) => problem.status(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (title, text) = self.text();
        let status = self.status_code();
        match self {
            Self::NotSignedIn | Self::LinkUsed => page(status, &NoSession { title, text: &text }),
            Self::NotAllowed { .. } | Self::OtherSession | Self::NoSuch(_) => {
                page(status, &RefusalPage { title, text: &text, code: None })
            }
            Self::Problem(problem) => of(problem),
        }
    }
}
