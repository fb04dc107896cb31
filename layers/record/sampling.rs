//! Generates trace ids for spans.

use std::time::SystemTime;

use super::{SpanData, TraceParent, ids::GeneratedIds};

/// Decides whether a new span is sampled, from its trace id and the ids of its parent.
pub(crate) type Sampler = dyn Fn(u128, Option<TraceParent>) -> bool + Send + Sync;

/// Sampled like the parent; roots are sampled.
pub(crate) fn parent_based(_: u128, parent: Option<TraceParent>) -> bool {
    parent.is_none_or(TraceParent::is_sampled)
}

impl SpanData {
    /// Generates ids for the span, unless it has some: in the trace of its `traceparent`, else in that of the spans
    /// around it, else in a new one.
    pub(crate) fn generate_ids(&self, sampler: &Sampler) {
        if self.ids().generated.get().is_some() {
            return;
        }
        let parent = self.remote().or_else(|| self.parent()?.nearest_trace());
        let new_trace = || {
            // A child of a fork draws others than its parent.
            crate::fork::ensure_watched();
            crate::fork::poll(Some(SystemTime::now()));
            fastrand::u128(1..)
        };
        let trace_id = parent.map_or_else(new_trace, TraceParent::trace_id);
        let others = parent.map_or(0, |parent| parent.flags() & !1);
        let flags = others | u8::from(sampler(trace_id, parent));
        if let Some(own) = TraceParent::new(trace_id, fastrand::u64(1..), flags) {
            let parent = parent.map_or(0, TraceParent::span_id);
            let generated = GeneratedIds { own, parent };
            // If another layer was faster, its ids stay.
            self.ids().generated.set(generated).unwrap_or_default();
        }
    }

    /// The ids of this span, or of the nearest one around it that has some.
    pub(crate) fn nearest_trace(&self) -> Option<TraceParent> {
        let mut next = Some(self);
        while let Some(span) = next {
            let ids = span.ids().otel().or_else(|| span.ids().generated_or(span.remote()));
            if ids.is_some() {
                return ids;
            }
            next = span.parent().map(|parent| &**parent);
        }
        None
    }
}
