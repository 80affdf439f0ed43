//! Faults that can be injected into the twin's answers and webhooks.

use serde::Deserialize;

/// A fault to inject, and the requests to which it applies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Kind of fault.
    pub kind: FaultKind,
    /// Text that the path of a request must contain; any path without it.
    #[serde(default)]
    pub path: Option<String>,
    /// Method that a request must have (`GET`, `POST` or `DELETE`); any without it.
    #[serde(default)]
    pub method: Option<String>,
    /// Number of requests to which the fault applies; 1 by default, unlimited by default if `percent` is given.
    #[serde(default)]
    pub times: Option<u32>,
    /// Percentage of matching requests to which the fault applies; all by default.
    #[serde(default)]
    pub percent: Option<u8>,
    /// HTTP status of `status_before` and `status_after`.
    #[serde(default = "server_error")]
    pub status: u16,
    /// Duration of `delay`, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

const fn server_error() -> u16 {
    500
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers an error status without performing the request. A 500 is saved under the idempotency key.
    StatusBefore,
    /// Performs the request, then answers an error status.
    StatusAfter,
    /// Performs the request after a delay, during which the idempotency key is in flight.
    Delay,
    /// Drops the connection without performing the request.
    DropBefore,
    /// Performs the request, then drops the connection without an answer.
    DropAfter,
    /// Performs the request, then sends only half of the answer.
    Truncate,
    /// Delivers the webhooks of the request twice.
    WebhookDuplicate,
    /// Delivers the webhooks of the request after later ones, in reverse order.
    WebhookReorder,
    /// Delivers no webhooks of the request.
    WebhookDrop,
}

impl Fault {
    /// Makes a fault that applies to the next request only.
    pub const fn once(kind: FaultKind) -> Self {
        Self { kind, path: None, method: None, times: None, percent: None, status: 500, delay_ms: 0 }
    }

    /// Parses the header `Twin-Fault`: `status_after=502`, `delay=200`, `drop_before`.
    pub(crate) fn from_header(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let kind = serde_json::from_value(serde_json::Value::String(name.trim().to_owned())).ok()?;
        let mut fault = Self::once(kind);
        if kind == FaultKind::Delay {
            fault.delay_ms = value.trim().parse().ok()?;
        } else if !value.is_empty() {
            fault.status = value.trim().parse().ok()?;
        }
        Some(fault)
    }
}

/// Active faults. Percentages are drawn from a pseudo-random sequence that is the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Each fault with the number of requests that remain for it.
    active: Vec<(Fault, u32)>,
    /// State of the pseudo-random generator.
    random: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        let default = if fault.percent.is_some() { u32::MAX } else { 1 };
        let times = fault.times.unwrap_or(default);
        self.active.push((fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// Takes the faults that apply to a request, and counts each as used once.
    pub(crate) fn matching(&mut self, method: &str, path: &str) -> Vec<Fault> {
        let mut matching = Vec::new();
        for (fault, left) in &mut self.active {
            let fits = fault.path.as_ref().is_none_or(|it| path.contains(it.as_str()))
                && fault.method.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(method));
            if !fits || *left == 0 {
                continue;
            }
            if let Some(percent) = fault.percent {
                // Linear congruential generator with the constants of Knuth's MMIX; its high bits are the most random.
                self.random =
                    self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (self.random >> 33) % 100 >= u64::from(percent) {
                    continue;
                }
            }
            *left -= 1;
            matching.push(fault.clone());
        }
        self.active.retain(|(_, left)| *left > 0);
        matching
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_applies_to_matching_requests_the_given_number_of_times() {
        let mut faults = Faults::default();
        let path = Some("/confirm".into());
        faults.add(Fault { path, times: Some(2), ..Fault::once(FaultKind::DropAfter) });
        assert_eq!(faults.matching("POST", "/v1/refunds").len(), 0);
        let met: Vec<_> = (0..3).map(|_| faults.matching("POST", "/v1/payment_intents/pi_1/confirm").len()).collect();
        assert_eq!(met, [1, 1, 0]);
    }

    #[test]
    fn a_percentage_is_met_approximately_and_reproducibly() {
        let run = || {
            let mut faults = Faults::default();
            faults.add(Fault { percent: Some(20), ..Fault::once(FaultKind::StatusBefore) });
            (0..1000).map(|_| faults.matching("POST", "/").len()).collect::<Vec<_>>()
        };
        let hits: usize = run().iter().sum();
        assert!((150..250).contains(&hits), "{hits}");
        assert_eq!(run(), run());
    }

    #[test]
    fn a_header_names_one_fault() {
        let status = Fault::from_header("status_after=502").unwrap();
        assert_eq!((status.kind, status.status), (FaultKind::StatusAfter, 502));
        assert_eq!(Fault::from_header("delay=200").map(|it| it.delay_ms), Some(200));
        assert_eq!(Fault::from_header("drop_before").map(|it| it.kind), Some(FaultKind::DropBefore));
        assert_eq!(Fault::from_header("explode"), None);
        assert_eq!(Fault::from_header("delay"), None);
    }
}
