//! What can be made to go wrong, and when.

use serde::Deserialize;

/// Something that goes wrong on demand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Only where the path contains this.
    #[serde(default)]
    pub path: Option<String>,
    /// Only `GET`, `POST` or `DELETE`.
    #[serde(default)]
    pub method: Option<String>,
    /// How often, then no more; once by default, or without end where `percent` is given.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many of a hundred.
    #[serde(default)]
    pub percent: Option<u8>,
    /// The HTTP status of `status_before` and `status_after`.
    #[serde(default = "server_error")]
    pub status: u16,
    /// How long `delay` takes, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

const fn server_error() -> u16 {
    500
}

/// The things that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// An error instead of the work. A 500 is what the idempotency key stands for from then on.
    StatusBefore,
    /// The work, and then an error.
    StatusAfter,
    /// The work, late. The idempotency key is in use meanwhile.
    Delay,
    /// No answer and no work.
    DropBefore,
    /// The work and no answer.
    DropAfter,
    /// The work and half of the answer.
    Truncate,
    /// The events of the request come twice.
    WebhookDuplicate,
    /// The events of the request come after later ones, in reverse.
    WebhookReorder,
    /// The events of the request never come.
    WebhookDrop,
}

impl Fault {
    /// A fault that happens once.
    pub const fn once(kind: FaultKind) -> Self {
        Self { kind, path: None, method: None, times: None, percent: None, status: 500, delay_ms: 0 }
    }

    /// Reads the header `Twin-Fault`: `status_after=502`, `delay=200`, `drop_before`.
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

/// The faults in force. Chance is a sequence that begins the same way every time.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<(Fault, u32)>,
    dice: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        let endless = if fault.percent.is_some() { u32::MAX } else { 1 };
        let times = fault.times.unwrap_or(endless);
        self.active.push((fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// The faults that meet this request, each counted.
    pub(crate) fn meeting(&mut self, method: &str, path: &str) -> Vec<Fault> {
        let mut met = Vec::new();
        for (fault, left) in &mut self.active {
            let fits = fault.path.as_ref().is_none_or(|it| path.contains(it.as_str()))
                && fault.method.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(method));
            if !fits || *left == 0 {
                continue;
            }
            if let Some(percent) = fault.percent {
                // The numbers of Knuth's MMIX generator; the high bits are the good ones.
                self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (self.dice >> 33) % 100 >= u64::from(percent) {
                    continue;
                }
            }
            *left -= 1;
            met.push(fault.clone());
        }
        self.active.retain(|(_, left)| *left > 0);
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_requests_it_names_as_often_as_it_says() {
        let mut faults = Faults::default();
        let path = Some("/confirm".into());
        faults.add(Fault { path, times: Some(2), ..Fault::once(FaultKind::DropAfter) });
        assert_eq!(faults.meeting("POST", "/v1/refunds").len(), 0);
        let met: Vec<_> = (0..3).map(|_| faults.meeting("POST", "/v1/payment_intents/pi_1/confirm").len()).collect();
        assert_eq!(met, [1, 1, 0]);
    }

    #[test]
    fn chance_is_about_as_often_as_it_says_and_the_same_every_time() {
        let run = || {
            let mut faults = Faults::default();
            faults.add(Fault { percent: Some(20), ..Fault::once(FaultKind::StatusBefore) });
            (0..1000).map(|_| faults.meeting("POST", "/").len()).collect::<Vec<_>>()
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
