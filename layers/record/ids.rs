//! The trace ids of one span: made here, or those of a tracing SDK.

use std::{borrow::Cow, sync::OnceLock};

use super::TraceParent;

/// The ids of a span; each is set at most once, while records may already read them.
#[derive(Default)]
pub(crate) struct SpanIds {
    pub(super) generated: OnceLock<GeneratedIds>,
    /// An inner `None`: resolved, but the SDK does not know the span.
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

impl SpanIds {
    /// Of a span of another process.
    pub(super) fn restored(generated: Option<GeneratedIds>, otel: Option<TraceParent>) -> Self {
        let ids = Self::default();
        if let Some(generated) = generated {
            ids.generated.set(generated).unwrap_or_default();
        }
        #[cfg(feature = "opentelemetry")]
        ids.set_otel(otel);
        #[cfg(not(feature = "opentelemetry"))]
        let _ = otel;
        ids
    }

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
