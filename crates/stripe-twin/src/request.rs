//! Requests and answers, without a network.

use std::sync::Arc;

use crate::body::Body;

use crate::params::Params;

/// HTTP method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`: reads an object or a list.
    Get,
    /// `POST`: creates or changes an object.
    Post,
    /// `DELETE`: deletes an object.
    Delete,
}

impl Method {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, with the parts that Stripe uses.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path, beginning with `/v1` or `/_twin`.
    pub path: String,
    /// Parameters of the form or the query.
    pub params: Params,
    /// API key (`sk_test_…`).
    pub key: Option<String>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// API version of the header `Stripe-Version`.
    pub version: Option<String>,
    /// Account of the header `Stripe-Account`.
    pub account: Option<String>,
    /// Host and port under which the client reached the twin, for URLs in answers.
    pub host: Option<String>,
}

impl Request {
    /// Whether the key is a publishable one, which pages and apps have.
    pub(crate) fn has_publishable_key(&self) -> bool {
        self.key.as_ref().is_some_and(|it| it.starts_with("pk_test_"))
    }

    /// Idempotency key of a `POST` request; other methods ignore it.
    pub(crate) fn effective_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref().filter(|_| self.method == Method::Post)
    }
}

/// Answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers that Stripe adds to its answers, like `Request-Id`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: Arc<Body>,
}
