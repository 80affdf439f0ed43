//! Traces, which an exporter sends to a collector, and the context by which a trace continues in another process.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::Span;

/// Port to the exporter of traces, which sees the spans of the target [`TRACES`](crate::TRACES).
pub trait Traces: Send + Sync {
    /// Context of `span`, with which its trace continues later or in another process. `None` if the span is not exported.
    fn context_of(&self, span: &Span) -> Option<TraceParent>;

    /// Lets `span`, which must have no part yet, continue the trace of `parent`. If `parent` is sampled, so is the span.
    fn continue_from(&self, span: &Span, parent: &TraceParent);
}

/// Traces of a program without an exporter: nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTraces;

impl Traces for NoTraces {
    fn context_of(&self, _: &Span) -> Option<TraceParent> {
        None
    }

    fn continue_from(&self, _: &Span, _: &TraceParent) {}
}

/// Context of a span: the value of a `traceparent` header (W3C Trace Context, section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace: u128,
    span: u64,
    is_sampled: bool,
}

impl TraceParent {
    /// Context of a span. `None` if an id is zero, which means that there is none.
    pub const fn new(trace: u128, span: u64, is_sampled: bool) -> Option<Self> {
        if trace == 0 || span == 0 { None } else { Some(Self { trace, span, is_sampled }) }
    }

    /// Id of the trace; not zero.
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// Id of the span; not zero.
    pub const fn span(&self) -> u64 {
        self.span
    }

    /// Whether the span is exported.
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The same context, whose trace may or may not be exported here: what a caller has decided does not count.
    #[must_use]
    pub const fn undecided(self) -> Self {
        Self { is_sampled: false, ..self }
    }
}

/// Text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a traceparent of the W3C Trace Context, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct MalformedTraceParent;

/// Version of the format that is written.
const VERSION: &str = "00";
/// Version that is not valid.
const NO_VERSION: &str = "ff";
/// Bit of the flags that says that the caller exports the trace. The others are ignored, as section 3.2.2.5 demands.
const SAMPLED: u8 = 1;

impl FromStr for TraceParent {
    type Err = MalformedTraceParent;

    /// Parses a header. A later version may have more parts, of which the first four are read (section 3.2.4).
    fn from_str(text: &str) -> Result<Self, MalformedTraceParent> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let is_hex = |it: &&str| it.len() == digits && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
            parts.next().filter(is_hex).ok_or(MalformedTraceParent)
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == NO_VERSION || (version == VERSION && parts.next().is_some()) {
            return Err(MalformedTraceParent);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| MalformedTraceParent)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| MalformedTraceParent)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| MalformedTraceParent)?;
        Self::new(trace, span, flags & SAMPLED != 0).ok_or(MalformedTraceParent)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

impl TryFrom<String> for TraceParent {
    type Error = MalformedTraceParent;

    fn try_from(text: String) -> Result<Self, MalformedTraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_as_the_w3c_says() {
        let parent = TraceParent::new(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331, true).unwrap();
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for (text, sampled) in [
            (GOOD.to_owned(), true),
            (format!("00-{ids}-00"), false),
            // Flags that this version does not know are ignored.
            (format!("00-{ids}-ff"), true),
            (format!("00-{ids}-02"), false),
            // Later versions, with and without more parts.
            (format!("01-{ids}-01"), true),
            (format!("cc-{ids}-01-what-the-future-will-be-like"), true),
            (format!("cc-{ids}-00-"), false),
        ] {
            assert_eq!(text.parse(), Ok(TraceParent { is_sampled: sampled, ..parent }), "{text}");
        }
        assert_eq!(parent.to_string(), GOOD);
        assert_eq!(parent.undecided().to_string(), format!("00-{ids}-00"));
    }

    #[test]
    fn a_malformed_traceparent_is_refused() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        for text in [
            String::new(),
            "00".into(),
            format!(" {GOOD}"),
            format!("{GOOD} "),
            format!("{GOOD}-"),
            format!("{GOOD}-00"),
            GOOD.to_uppercase(),
            format!("ff-{trace}-{span}-01"),
            format!("0-{trace}-{span}-01"),
            format!("000-{trace}-{span}-01"),
            format!("00-{trace}0-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-1"),
            format!("00-{trace}-{span}-0g"),
            format!("00-{trace}-{span}-+1"),
            format!("00-{trace}-{}-01", "é".repeat(8)),
            format!("00_{trace}_{span}_01"),
            format!("cc-{trace}-{span}-01.what"),
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(MalformedTraceParent), "{text:?}");
        }
    }
}
