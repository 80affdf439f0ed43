//! Choice of the traces that are exported.

use std::hash::{BuildHasher, RandomState};

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use crate::settings::traces::SampleRatio;

/// Sampler that decides about a trace as a whole, by its id. The id is hashed with a random key of this process: a caller
/// who chooses ids cannot choose one that is exported.
#[derive(Debug, Clone)]
pub(super) struct ByTrace {
    ratio: SampleRatio,
    key: RandomState,
}

impl ByTrace {
    pub(super) fn new(ratio: SampleRatio) -> Self {
        Self { ratio, key: RandomState::new() }
    }

    fn takes(&self, parent: Option<&Context>, trace: TraceId) -> bool {
        let parent = parent.map(|it| it.span().span_context().clone()).filter(SpanContext::is_valid);
        match parent {
            // Decided before: by this process, or by the one that stored the parent.
            Some(parent) if parent.is_sampled() => true,
            Some(parent) if !parent.is_remote() => false,
            Some(_) | None => self.ratio.takes(self.key.hash_one(trace.to_bytes())),
        }
    }
}

impl ShouldSample for ByTrace {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let decision =
            if self.takes(parent, trace) { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        let trace_state = parent.map(|it| it.span().span_context().trace_state().clone()).unwrap_or_default();
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceState};

    use super::*;

    fn parent(trace: TraceId, is_remote: bool, is_sampled: bool) -> Context {
        let flags = TraceFlags::default().with_sampled(is_sampled);
        let span = SpanContext::new(trace, SpanId::from(7), flags, is_remote, TraceState::default());
        Context::new().with_remote_span_context(span)
    }

    #[test]
    fn a_trace_is_decided_once_and_by_nobody_elses_wish() {
        let (none, all) = (ByTrace::new("0".parse().unwrap()), ByTrace::new("1".parse().unwrap()));
        let trace = TraceId::from(1);
        for (is_remote, is_sampled, expected) in [
            // Stored by a process of ours, which exported it; a caller's flag is cleared before.
            (true, true, [true, true]),
            (false, true, [true, true]),
            (false, false, [false, false]),
            (true, false, [false, true]),
        ] {
            let parent = parent(trace, is_remote, is_sampled);
            assert_eq!([&none, &all].map(|it| it.takes(Some(&parent), trace)), expected, "{is_remote} {is_sampled}");
        }
        assert_eq!([&none, &all].map(|it| it.takes(None, trace)), [false, true]);
    }

    #[test]
    fn no_choice_of_ids_gets_more_than_its_share_exported() {
        let half = ByTrace::new("0.5".parse().unwrap());
        // Ids that every sampler by the number itself takes.
        let taken = (1..=10_000_u128).filter(|it| {
            let trace = TraceId::from(*it);
            let first = half.takes(Some(&parent(trace, true, false)), trace);
            assert_eq!(half.takes(None, trace), first, "one trace is decided in one way");
            first
        });
        let taken = taken.count();
        assert!((4_000..6_000).contains(&taken), "{taken}");
    }
}
