//! Classes and messages of errors. No message contains the URL: its path and query may hold secrets.

use std::error::Error;
use std::io;

use paywright_app::{ANSWER_BYTES_MAX, SendError, SendErrorClass};

use crate::resolver::ResolveError;

/// Error of an attempt to reach `host`, from an error of the HTTP client.
pub(crate) fn send_error(error: &reqwest::Error, host: &str) -> SendError {
    let (class, message) = if let Some(error) = find::<ResolveError>(error) {
        match error {
            ResolveError::NotAllowed(address) => (
                SendErrorClass::AddressNotAllowed,
                format!("{host} was not connected to: it resolves to {address}, which is neither public nor allowed"),
            ),
            ResolveError::Lookup(_) | ResolveError::NoAddress => {
                (SendErrorClass::Dns, format!("the name of {host} could not be resolved: {error}"))
            }
        }
    } else if error.is_timeout() {
        let missing = if error.is_connect() { "connection to" } else { "complete answer of" };
        (SendErrorClass::Timeout, format!("there was no {missing} {host} within the time limit"))
    } else if let Some(error) = find::<rustls::Error>(error) {
        (SendErrorClass::Tls, format!("TLS with {host} failed: {error}"))
    } else if error.is_connect() {
        (SendErrorClass::Connect, format!("no connection to {host} could be made: {}", root(error)))
    } else {
        let cause = root(error);
        (SendErrorClass::Interrupted, format!("the connection to {host} broke before the answer was complete: {cause}"))
    };
    // A certificate, for one, can bring any number of names into the message.
    SendError { class, message: storable(message) }
}

/// Text that every store accepts: at most [`ANSWER_BYTES_MAX`] bytes, and without NUL.
pub(crate) fn storable(text: String) -> String {
    let mut text = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    let end = (0..=ANSWER_BYTES_MAX.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
    text.truncate(end.unwrap_or(0));
    text
}

/// Error of type `E` among the causes of `error`.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|it| it.downcast_ref())
}

/// Message of the innermost cause of `error`.
pub(crate) fn root(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// `error` and its causes, from the outside to the inside.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |it| {
        let error: &'a (dyn Error + 'static) = *it;
        // The source of an I/O error is the source of the error inside it, not that error.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_store_is_cut_between_characters_and_has_no_nul() {
        assert_eq!(storable("a\0b".into()), "a\u{fffd}b");
        assert_eq!(storable("é".repeat(600)), "é".repeat(512));
        assert_eq!(storable(format!("a{}", "é".repeat(600))).len(), 1023);
        assert_eq!(storable("\0".repeat(1024)).len(), 1023, "a replaced NUL takes three bytes");
        assert_eq!(storable(String::new()), "");
    }

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let inside = io::Error::other(io::Error::other(rustls::Error::DecryptError));
        assert_eq!(find::<rustls::Error>(&inside), Some(&rustls::Error::DecryptError));
        assert_eq!(root(&inside), rustls::Error::DecryptError.to_string());
        assert!(find::<ResolveError>(&inside).is_none());
    }
}
