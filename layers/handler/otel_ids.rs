//! The ids of spans made by `tracing-opentelemetry`.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry::{Context, trace::TraceContextExt as _};
use tracing_core::{Dispatch, span};
use tracing_opentelemetry::{OpenTelemetrySpanExt as _, SetParentError, get_otel_context};
use tracing_subscriber::{Registry, registry::LookupSpan as _};

use crate::record::{SpanData, TraceParent};

thread_local! {
    /// A lookup may start a span, which runs the SDK's samplers and processors: what those log must not look up again.
    static IN_LOOKUP: Cell<bool> = const { Cell::new(false) };
}

struct LookupGuard;

impl LookupGuard {
    fn begin() -> Option<Self> {
        // No lookup at the end of a thread.
        let was = IN_LOOKUP.try_with(|in_lookup| in_lookup.replace(true)).unwrap_or(true);
        (!was).then_some(Self)
    }
}

impl Drop for LookupGuard {
    fn drop(&mut self) {
        IN_LOOKUP.try_with(|in_lookup| in_lookup.set(false)).unwrap_or_default();
    }
}

/// Whether the layer of `tracing-opentelemetry` may be in the stack. Once it is known not to be, there are no more
/// lookups.
#[derive(Default)]
pub(super) struct Sdk {
    is_missing: AtomicBool,
}

impl Sdk {
    #[inline]
    pub(super) fn is_expected(&self) -> bool {
        !self.is_missing.load(Ordering::Relaxed)
    }

    /// Takes over the ids that the SDK's layer has for a span and those around it, once for each span, wherever in the
    /// stack that layer is. That starts the span there, so its parent can no longer be changed.
    ///
    /// Not for spans that an `OtlpLayer` exports: their ids are those they are exported with.
    #[inline]
    pub(super) fn adopt(&self, leaf: &Arc<SpanData>, dispatch: impl FnOnce() -> Option<Dispatch>) {
        #[cfg(feature = "otlp")]
        if leaf.export().has_begun() {
            return;
        }
        if !leaf.ids().is_otel_resolved() {
            self.ask(leaf, dispatch);
        }
    }

    #[cold]
    fn ask(&self, leaf: &Arc<SpanData>, dispatch: impl FnOnce() -> Option<Dispatch>) {
        let Some(_asking) = LookupGuard::begin() else { return };
        let Some(dispatch) = dispatch() else { return };
        let mut next = Some(leaf);
        while let Some(span) = next.filter(|span| !span.ids().is_otel_resolved()) {
            let trace = ids_of(span, &dispatch);
            span.ids().set_otel(trace);
            if trace.is_some() {
                return;
            }
            next = span.parent();
        }
        if is_missing(leaf, &dispatch) {
            self.is_missing.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether the SDK's layer is known not to be in the stack. A filter may have hidden `leaf` from it, and it can be
/// found only with a span handle: so this is known only where `leaf` is the current span of the default subscriber. (No
/// layer can be added to a subscriber later, and a `reload` hides the SDK's layer from everybody.)
fn is_missing(leaf: &Arc<SpanData>, dispatch: &Dispatch) -> bool {
    let registry_of = |dispatch: &Dispatch| dispatch.downcast_ref::<Registry>().map(std::ptr::from_ref);
    let current = tracing::Span::current();
    let is_leaf = current.with_subscriber(|(id, theirs)| {
        id.into_u64() == leaf.id()
            && registry_of(theirs).is_some()
            && registry_of(theirs) == registry_of(dispatch)
            && get_otel_context(id, theirs).is_none()
    });
    // The SDK does not know the span, so this changes nothing, with or without its layer.
    is_leaf == Some(true) && matches!(current.set_parent(Context::new()), Err(SetParentError::LayerNotFound))
}

fn ids_of(data: &Arc<SpanData>, dispatch: &Dispatch) -> Option<TraceParent> {
    let id = (data.id() != 0).then(|| span::Id::from_u64(data.id()))?;
    // It panics where the span is unknown, and an id alone may be that of a span in another registry.
    let theirs = super::span_store::span_data(&dispatch.downcast_ref::<Registry>()?.span(&id)?)?;
    let context = get_otel_context(&id, dispatch).filter(|_| Arc::ptr_eq(&theirs, data))?;
    let span = context.span();
    let ids = span.span_context();
    let trace_id = u128::from_be_bytes(ids.trace_id().to_bytes());
    TraceParent::new(trace_id, u64::from_be_bytes(ids.span_id().to_bytes()), ids.trace_flags().to_u8())
}
