//! HTTP answers: JSON, pages, and bodies that a fault cuts off.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderValue,
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::error::Refusal;

/// Error that drops the connection without an answer.
#[derive(Debug, Error)]
#[error("the connection is dropped on demand")]
pub(crate) struct Dropped;

/// Answer to a CORS preflight. As at Stripe, pages of every origin may send requests; the API key limits what they can
/// do.
pub(crate) fn preflight() -> hyper::Response<Text> {
    let mut response = respond(200, Vec::new(), &json!({}), false);
    let fields = response.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, DELETE"));
    fields
        .insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type, stripe-version"));
    response
}

pub(crate) fn refuse(refusal: &Refusal) -> hyper::Response<Text> {
    respond(refusal.status, Vec::new(), &json!({ "error": refusal.to_json() }), false)
}

pub(crate) fn page(status: u16, html: &str) -> hyper::Response<Text> {
    let mut response = respond(status, Vec::new(), &Value::Null, false);
    *response.body_mut() = Text::whole(html.as_bytes().to_vec());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

pub(crate) fn respond(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &Value,
    truncated: bool,
) -> hyper::Response<Text> {
    let text = Bytes::from(format!("{body:#}\n"));
    let mut response = hyper::Response::new(Text { rest: Some(text), truncated, failed: false });
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert("stripe-version", HeaderValue::from_static(crate::objects::API_VERSION));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<hyper::header::HeaderName>(), HeaderValue::from_str(&value)) {
            fields.insert(name, value);
        }
    }
    response
}

/// Response body that can be cut off in the middle.
pub(crate) struct Text {
    rest: Option<Bytes>,
    truncated: bool,
    failed: bool,
}

impl Text {
    fn whole(text: Vec<u8>) -> Self {
        Self { rest: Some(Bytes::from(text)), truncated: false, failed: false }
    }
}

impl Body for Text {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.rest.take() {
            Some(text) if self.truncated => {
                self.failed = true;
                Poll::Ready(Some(Ok(Frame::data(text.slice(..text.len() / 2)))))
            }
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text)))),
            None if self.failed => Poll::Ready(Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.rest
            .as_ref()
            .map_or_else(SizeHint::default, |it| SizeHint::with_exact(u64::try_from(it.len()).unwrap_or(u64::MAX)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.failed
    }
}
