//! Stores the fields of spans for our layers, and finds the span of an event.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tracing_core::{
    Dispatch, Event, Metadata, Subscriber,
    dispatcher::{self, WeakDispatch},
    span,
};
use tracing_subscriber::{
    Registry,
    layer::Context as LayerContext,
    registry::{LookupSpan, SpanRef},
};

use crate::{
    Fields,
    clock::{Clock, SystemClock},
    record::{self, CaptureGuard, RegistryId, Sampler, SpanData, SpanSlot},
};

/// Stores the fields of spans where all layers and records find them. Each of our layers has one; the first that sees a
/// span stores it.
#[derive(Default)]
pub(crate) struct SpanStore {
    /// The id of the registry it belongs to; 0 until that is known.
    home: AtomicUsize,
    dispatch: OnceLock<WeakDispatch>,
    /// Whether a tracing SDK may be in the stack.
    #[cfg(feature = "opentelemetry")]
    sdk: super::otel_ids::Sdk,
    /// Makes trace ids for new spans.
    sampler: Option<Box<Sampler>>,
    /// Notes when spans begin and end, for exports.
    #[cfg(feature = "otlp")]
    traces: bool,
}

impl SpanStore {
    /// Makes trace ids for new spans from now on.
    pub(crate) fn generate_ids(&mut self, sampler: Box<Sampler>) {
        self.sampler = Some(sampler);
    }

    /// Like [`generate_ids`](Self::generate_ids); also notes when the spans begin and end.
    #[cfg(feature = "otlp")]
    pub(crate) fn trace_and_time_spans(&mut self, sampler: Box<Sampler>) {
        self.generate_ids(sampler);
        self.traces = true;
    }

    /// Notes the subscriber it belongs to.
    pub(crate) fn bind(&self, dispatch: &Dispatch) {
        if let Some(registry) = dispatch.downcast_ref::<Registry>() {
            self.home.store(std::ptr::from_ref(registry).addr(), Ordering::Relaxed);
            // If it is set: the same subscriber registered again, or a clone of its dispatch. The first one will do.
            self.dispatch.set(dispatch.downgrade()).unwrap_or_default();
        }
    }

    fn known_registry_id(&self) -> RegistryId {
        self.home.load(Ordering::Relaxed)
    }

    /// The registry it belongs to. `on_register_dispatch` is not called for a layer inside an `Option` or a `Vec`, or
    /// one that came by `reload`: then the default dispatcher is asked, through which events and new spans come
    /// (`tracing` refuses that under a scoped default).
    #[inline]
    fn home(&self) -> RegistryId {
        match self.known_registry_id() {
            0 => self.ask(),
            home => home,
        }
    }

    #[cold]
    fn ask(&self) -> RegistryId {
        dispatcher::get_default(|dispatch| self.bind(dispatch));
        self.known_registry_id()
    }

    /// Spans are entered through the dispatcher that made them, which need not be the default one: this binds the
    /// default only if it knows the very same span.
    #[cold]
    fn bind_if_owner(&self, id: &span::Id, data: &Arc<SpanData>) -> RegistryId {
        dispatcher::get_default(|dispatch| {
            let registry = dispatch.downcast_ref::<Registry>();
            let theirs = registry.and_then(|registry| registry.span(id)).as_ref().and_then(span_data);
            if theirs.is_some_and(|theirs| Arc::ptr_eq(&theirs, data)) {
                self.bind(dispatch);
            }
        });
        self.known_registry_id()
    }

    pub(crate) fn new_span<S>(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: &LayerContext<'_, S>,
        clock: Option<&dyn Clock>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = context.span(id) else { return };
        // Another layer may have stored it: mostly not, so the lock is taken only where it may have.
        if record::is_last_created(id.into_u64()) {
            if let Some(data) = span_data(&span) {
                return self.assign_ids(&data);
            }
        }
        let Some(_capture) = CaptureGuard::enter() else { return };
        let parent = if attributes.is_contextual() {
            self.current(context)
        } else {
            attributes.parent().and_then(|parent| self.find(parent, context))
        };
        let fill = |fields: &mut Fields| record::capture_fields(fields, |visit| attributes.record(visit));
        let is_timed = parent.is_none() && record::are_roots_timed();
        let begun = is_timed.then(|| clock.unwrap_or(&SystemClock).monotonic());
        let data = SpanData::create(id.into_u64(), attributes.metadata(), parent, begun, fill);
        let mut extensions = span.extensions_mut();
        if let Some(stored) = extensions.get_mut::<SpanSlot>() {
            let stored = stored.data();
            drop(extensions);
            return stored.iter().for_each(|stored| self.assign_ids(stored));
        }
        extensions.insert(SpanSlot::new(Arc::clone(&data)));
        drop(extensions);
        self.assign_ids(&data);
        record::set_last_created(self.home(), id.into_u64(), data);
    }

    #[inline]
    fn assign_ids(&self, data: &SpanData) {
        if let Some(sampler) = &self.sampler {
            data.generate_ids(sampler);
        }
        #[cfg(feature = "otlp")]
        if self.traces {
            data.export().begin();
        }
    }

    pub(crate) fn record<S>(&self, id: &span::Id, values: &span::Record<'_>, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(data) = context.span(id).as_ref().and_then(span_data) else { return };
        let Some(_capture) = CaptureGuard::enter() else { return };
        let mut fields = Fields::new();
        record::capture_fields(&mut fields, |visit| values.record(visit));
        data.record(&fields);
    }

    #[inline]
    pub(crate) fn enter<S>(&self, id: &span::Id, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let home = self.known_registry_id();
        if home != 0 {
            record::enter(home, id.into_u64(), || context.span(id).as_ref().and_then(span_data));
        } else if let Some(data) = context.span(id).as_ref().and_then(span_data) {
            record::enter(self.bind_if_owner(id, &data), id.into_u64(), || Some(data));
        }
        // Now, before the SDK's layer starts the span and its processors log: what they log inside it would wait for
        // ever for the lock under which it is started.
        #[cfg(feature = "opentelemetry")]
        if self.sdk.is_expected() {
            self.adopt(record::entered(id.into_u64()).as_ref());
        }
    }

    #[cfg(feature = "opentelemetry")]
    #[inline(never)]
    fn adopt(&self, span: Option<&Arc<SpanData>>) {
        if let Some(span) = span {
            self.sdk.adopt(span, || self.dispatch.get()?.upgrade());
        }
    }

    #[inline]
    pub(crate) fn exit(&self, id: &span::Id) {
        record::exit(self.known_registry_id(), id.into_u64());
    }

    /// A span closes: the observers of its tree are notified, once, by the first of our layers.
    #[inline]
    pub(crate) fn close<S>(&self, id: &span::Id, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if record::are_observers_expected() {
            close_observers(id, context);
        }
    }

    /// The innermost span of an event.
    #[inline]
    pub(crate) fn leaf<S>(&self, event: &Event<'_>, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let leaf = if event.is_contextual() {
            self.current(context)
        } else {
            event.parent().and_then(|parent| self.find(parent, context))
        };
        #[cfg(feature = "opentelemetry")]
        if self.sdk.is_expected() {
            self.adopt(leaf.as_ref());
        }
        leaf
    }

    #[inline]
    fn current<S>(&self, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let is_current = |id: u64, metadata: Option<&'static Metadata<'static>>| {
            let current = context.current_span();
            current.id().is_some_and(|current| current.into_u64() == id)
                && current.metadata().zip(metadata).is_some_and(|(a, b)| std::ptr::eq(a, b))
        };
        record::current(self.home(), is_current)
    }

    /// A span by id, also where this layer's filter hides it: from the registry, not the layer's context.
    fn find<S>(&self, id: &span::Id, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(data) = context.span(id).as_ref().and_then(span_data) {
            return Some(data);
        }
        if self.home() == 0 {
            return record::entered(id.into_u64());
        }
        let dispatch = self.dispatch.get()?.upgrade()?;
        let registry = dispatch.downcast_ref::<Registry>()?;
        registry.span(id).as_ref().and_then(span_data)
    }
}

#[inline(never)]
fn close_observers<S>(id: &span::Id, context: &LayerContext<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if let Some(data) = context.span(id).as_ref().and_then(span_data) {
        data.observers().iter().for_each(|observer| observer.close());
    }
}

pub(crate) fn span_data<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<SpanData>> {
    span.extensions().get::<SpanSlot>().and_then(SpanSlot::data)
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use tracing::{info, info_span, level_filters::LevelFilter};
    use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, registry};

    use super::*;
    use crate::SpanContextLayer;

    #[test]
    fn an_sdk_that_is_not_there_is_not_asked_for_again() {
        let stack = Dispatch::new(registry().with(SpanContextLayer::new()));
        let is_expected = || stack.downcast_ref::<SpanContextLayer>().unwrap().spans.sdk.is_expected();
        assert!(is_expected());
        dispatcher::with_default(&stack, || info_span!("first").in_scope(|| info!("in it")));
        assert!(!is_expected());
    }

    #[test]
    fn an_sdk_that_sees_no_span_at_first_is_asked_for_further_ones() {
        let hides = tracing_opentelemetry::layer().with_filter(LevelFilter::OFF);
        let stack = Dispatch::new(registry().with(SpanContextLayer::new()).with(hides));
        dispatcher::with_default(&stack, || info_span!("hidden").in_scope(|| info!("in it")));
        assert!(stack.downcast_ref::<SpanContextLayer>().unwrap().spans.sdk.is_expected());
    }
}
