//! The only bridge from `tracing` to handlers.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tracing_core::{
    Dispatch, Event, Metadata, Subscriber,
    dispatcher::{self, WeakDispatch},
    span,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context as LayerContext,
    registry::{LookupSpan, SpanRef},
};

use super::{
    Handler,
    place::{self, Place},
};
use crate::{
    Error, Fields,
    clock::Clock,
    record::{self, Held, Home, Nested, Pooled, SpanData, VALUE_LIMIT},
    trap::{Ledger, Stats, Trap},
};

/// A handler as a `tracing_subscriber` layer. Made by [`Handler::into_layer`].
///
/// It takes all events and spans; put levels in front of it with
/// [`with_filter`](tracing_subscriber::Layer::with_filter) and [`Loggers`](crate::Loggers), which a disabled call site
/// costs nothing for.
pub struct HandlerLayer<H: Handler> {
    place: Arc<Place<H>>,
    is_listed: AtomicBool,
    clock: Option<Box<dyn Clock>>,
    globals: Option<Arc<Fields>>,
    value_limit: usize,
    spans: SpanKeeper,
}

impl<H: Handler> HandlerLayer<H> {
    pub(super) fn new(handler: H) -> Self {
        let place = Arc::new(Place::new(handler.default_name(), handler));
        Self {
            place,
            is_listed: AtomicBool::new(false),
            clock: None,
            globals: None,
            value_limit: VALUE_LIMIT,
            spans: SpanKeeper::default(),
        }
    }

    /// The name under which failures and statistics are told.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(place) = self.unshared() {
            place.rename(name.into());
        }
        self
    }

    /// Where failures go (default: [`Trap::stderr`]).
    pub fn trap(mut self, trap: Trap) -> Self {
        if let Some(place) = self.unshared() {
            place.set_trap(trap);
        }
        self
    }

    /// Always there: the place is shared only when the layer is in a subscriber, and then nobody has it by value.
    fn unshared(&mut self) -> Option<&mut Place<H>> {
        Arc::get_mut(&mut self.place)
    }

    /// Puts the handler within reach of [`flush_all`](super::flush_all), once it is in a subscriber.
    #[cold]
    fn list(&self) {
        self.is_listed.store(true, Ordering::Relaxed);
        place::register(&self.place);
    }

    /// Which clock records get their time from (default: the system's).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Fields that every record carries: service, version, host … ([`Globals`](crate::Globals) has setters for those).
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(Arc::new(fields.into()));
        self
    }

    /// The most that one value of an event, or its message, may take, in bytes (default: 64 KiB). What is longer is cut
    /// and marked. Values of spans always have the default limit, as they are shared by all layers.
    ///
    /// A `Debug` or `Display` that goes on for ever although its writes are refused is unwound after a million of them;
    /// with `panic = "abort"` it cannot be stopped.
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = bytes;
        self
    }

    /// The account of this handler's records; keep it to watch the handler from outside.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.place.post().ledger())
    }

    /// A reading of the account.
    pub fn stats(&self) -> Stats {
        self.place.post().ledger().stats()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        self.place.handler()
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.place.flush()
    }
}

impl<H, S> Layer<S> for HandlerLayer<H>
where
    H: Handler,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.list();
    }

    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.spans.settle(dispatch);
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: LayerContext<'_, S>) {
        self.spans.new_span(attributes, id, &context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: LayerContext<'_, S>) {
        self.spans.record(id, values, &context);
    }

    fn on_enter(&self, id: &span::Id, context: LayerContext<'_, S>) {
        self.spans.enter(id, &context);
    }

    fn on_exit(&self, id: &span::Id, _: LayerContext<'_, S>) {
        self.spans.exit(id);
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        // One that came by `reload` was not told.
        if !self.is_listed.load(Ordering::Relaxed) {
            self.list();
        }
        let Some(_nested) = Nested::enter() else { return self.place.post().ledger().count_dropped() };
        let leaf = self.spans.leaf(event, &context);
        let mut record = Pooled::create(self.place.handler().keeps());
        record.capture(event, leaf, self.clock.as_deref(), self.value_limit);
        if let Some(globals) = &self.globals {
            record.share_globals(Arc::clone(globals));
        }
        record.show(|record| self.place.deliver(record));
    }
}

impl<H: Handler> fmt::Debug for HandlerLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerLayer").field("name", &self.place.post().name()).finish_non_exhaustive()
    }
}

/// Keeps the fields of spans where all layers and records find them. Each of our layers has one; whichever sees a span
/// first stores it.
#[derive(Default)]
pub(super) struct SpanKeeper {
    home: AtomicUsize,
    dispatch: OnceLock<WeakDispatch>,
}

impl SpanKeeper {
    /// Learns which subscriber it belongs to.
    pub(super) fn settle(&self, dispatch: &Dispatch) {
        if let Some(registry) = dispatch.downcast_ref::<Registry>() {
            self.home.store(std::ptr::from_ref(registry).addr(), Ordering::Relaxed);
            // Set already: the same subscriber registered again, or a clone of its dispatch; the first serves.
            self.dispatch.set(dispatch.downgrade()).unwrap_or_default();
        }
    }

    fn known_home(&self) -> Home {
        self.home.load(Ordering::Relaxed)
    }

    /// A layer inside an `Option` or a `Vec`, or one that came by `reload`, is not told. Events and new spans come
    /// through the default dispatcher, so it can ask for that one (which `tracing` refuses under a scoped default).
    #[inline]
    fn home(&self) -> Home {
        match self.known_home() {
            0 => self.ask(),
            home => home,
        }
    }

    #[cold]
    fn ask(&self) -> Home {
        dispatcher::get_default(|dispatch| self.settle(dispatch));
        self.known_home()
    }

    /// Spans are entered through the dispatcher that made them, which need not be the default: that one is believed
    /// only if it knows the very same span.
    #[cold]
    fn ask_about(&self, id: &span::Id, data: &Arc<SpanData>) -> Home {
        dispatcher::get_default(|dispatch| {
            let registry = dispatch.downcast_ref::<Registry>();
            let theirs = registry.and_then(|registry| registry.span(id)).as_ref().and_then(held);
            if theirs.is_some_and(|theirs| Arc::ptr_eq(&theirs, data)) {
                self.settle(dispatch);
            }
        });
        self.known_home()
    }

    pub(super) fn new_span<S>(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = context.span(id) else { return };
        // Stored by the layer before this one? Mostly not: the lock is taken only where it may be.
        if record::was_created(id.into_u64()) && span.extensions().get::<Held>().is_some() {
            return;
        }
        let Some(_nested) = Nested::enter() else { return };
        let parent = if attributes.is_contextual() {
            self.current(context)
        } else {
            attributes.parent().and_then(|parent| self.find(parent, context))
        };
        let fill = |fields: &mut Fields| record::capture_fields(fields, |visit| attributes.record(visit));
        let data = SpanData::create(attributes.metadata(), parent, fill);
        let mut extensions = span.extensions_mut();
        if extensions.get_mut::<Held>().is_none() {
            extensions.insert(Held::new(Arc::clone(&data)));
            drop(extensions);
            record::created(self.home(), id.into_u64(), data);
        }
    }

    pub(super) fn record<S>(&self, id: &span::Id, values: &span::Record<'_>, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(data) = context.span(id).as_ref().and_then(held) else { return };
        let Some(_nested) = Nested::enter() else { return };
        let mut fields = Fields::new();
        record::capture_fields(&mut fields, |visit| values.record(visit));
        data.record(&fields);
    }

    pub(super) fn enter<S>(&self, id: &span::Id, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let home = self.known_home();
        if home != 0 {
            return record::enter(home, id.into_u64(), || context.span(id).as_ref().and_then(held));
        }
        if let Some(data) = context.span(id).as_ref().and_then(held) {
            record::enter(self.ask_about(id, &data), id.into_u64(), || Some(data));
        }
    }

    pub(super) fn exit(&self, id: &span::Id) {
        record::exit(self.known_home(), id.into_u64());
    }

    /// The innermost span of an event.
    #[inline]
    fn leaf<S>(&self, event: &Event<'_>, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if event.is_contextual() {
            self.current(context)
        } else {
            event.parent().and_then(|parent| self.find(parent, context))
        }
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

    /// A span by id, whatever this layer's filter thinks of it: the Registry is asked, not the layer's context.
    fn find<S>(&self, id: &span::Id, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(data) = context.span(id).as_ref().and_then(held) {
            return Some(data);
        }
        if self.home() == 0 {
            return record::entered(id.into_u64());
        }
        let dispatch = self.dispatch.get()?.upgrade()?;
        let registry = dispatch.downcast_ref::<Registry>()?;
        registry.span(id).as_ref().and_then(held)
    }
}

fn held<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<SpanData>> {
    span.extensions().get::<Held>().and_then(Held::data)
}
