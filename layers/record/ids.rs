//! The trace ids of one span: made here, or those of a tracing SDK.

use std::{borrow::Cow, sync::OnceLock};

use super::{SpanData, TraceParent};

/// The ids of a span; each is set at most once, while records may already read them.
#[derive(Default)]
pub(crate) struct SpanIds {
    generated: OnceLock<GeneratedIds>,
    /// `None` inside: resolved, but the SDK does not know the span.
    #[cfg(feature = "opentelemetry")]
    otel: OnceLock<Option<TraceParent>>,
    /// The ids as a format rendered them.
    text: OnceLock<(TraceParent, IdsText)>,
}

/// The ids as a format writes them.
pub(crate) type IdsText = [u8; 94];

/// Ids that this crate generated for a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeneratedIds {
    pub(crate) own: TraceParent,
    /// The parent span, local or remote; 0 for the root of a trace.
    pub(crate) parent: u64,
}

/// Decides whether a new span is sampled, from its trace id and the ids of its parent.
pub(crate) type Sampler = dyn Fn(u128, Option<TraceParent>) -> bool + Send + Sync;

/// Sampled like the parent; roots are sampled.
pub(crate) fn parent_based(_: u128, parent: Option<TraceParent>) -> bool {
    parent.is_none_or(TraceParent::is_sampled)
}

impl SpanIds {
    pub(super) fn clear(&mut self) {
        self.generated.take();
        self.text.take();
        #[cfg(feature = "opentelemetry")]
        self.otel.take();
    }

    /// Whether it has any.
    #[inline]
    pub(super) fn is_any_known(&self) -> bool {
        self.generated.get().is_some() || self.otel().is_some()
    }

    #[inline]
    pub(super) fn text(&self, trace: TraceParent, render: impl Fn() -> IdsText) -> Cow<'_, IdsText> {
        let (of, text) = self.text.get_or_init(|| (trace, render()));
        // A field that was recorded late may have changed them.
        if *of == trace { Cow::Borrowed(text) } else { Cow::Owned(render()) }
    }

    /// The ids generated for the span, else those of its field.
    #[inline]
    pub(super) fn generated_or(&self, from_field: Option<TraceParent>) -> Option<TraceParent> {
        self.generated.get().map(|generated| generated.own).or(from_field)
    }

    pub(crate) fn generated(&self) -> Option<GeneratedIds> {
        self.generated.get().copied()
    }

    #[inline]
    pub(super) fn otel(&self) -> Option<TraceParent> {
        #[cfg(feature = "opentelemetry")]
        return self.otel.get().copied().flatten();
        #[cfg(not(feature = "opentelemetry"))]
        None
    }

    #[cfg(feature = "opentelemetry")]
    #[inline]
    pub(crate) fn is_otel_resolved(&self) -> bool {
        self.otel.get().is_some()
    }

    #[cfg(feature = "opentelemetry")]
    pub(crate) fn set_otel(&self, trace: Option<TraceParent>) {
        // The first answer stays: a record may use it already.
        self.otel.set(trace).unwrap_or_default();
    }
}

impl SpanData {
    /// Generates ids for the span, unless it has some: in the trace of its `traceparent`, else of the spans around it, else
    /// in a new one.
    pub(crate) fn generate_ids(&self, sampler: &Sampler) {
        if self.ids().generated.get().is_some() {
            return;
        }
        let parent = self.remote().or_else(|| self.parent()?.nearest_trace());
        let trace_id = parent.map_or_else(|| fastrand::u128(1..), TraceParent::trace_id);
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
