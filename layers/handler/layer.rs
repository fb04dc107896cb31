//! The only bridge from `tracing` to handlers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_core::{Dispatch, Event, Subscriber, span};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::{
    Flush, Handler, end,
    place::{self, Place},
    spans::SpanKeeper,
};
use crate::{
    Error, Fields,
    clock::Clock,
    fork::{self, ForkMutex},
    ledger::{End, ErrorHandler, Ledger, Stats},
    record::{CaptureGuard, Pooled, VALUE_LIMIT},
};

/// A handler as a `tracing_subscriber` layer. Made by [`HandlerExt::into_layer`](crate::HandlerExt::into_layer).
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
    /// Asked when it gets into a subscriber for what is wrong with that.
    doubt: Option<Box<Doubt>>,
    /// What is to be told with the first event: it is found under a lock of `tracing`'s.
    owed: ForkMutex<Option<Error>>,
}

type Doubt = dyn Fn(&Dispatch) -> Option<Error> + Send + Sync;

impl<H: Handler> HandlerLayer<H> {
    pub(super) fn new(handler: H) -> Self {
        let place = Arc::new(Place::new(handler.describe().name, handler));
        Self {
            place,
            is_listed: AtomicBool::new(false),
            clock: None,
            globals: None,
            value_limit: VALUE_LIMIT,
            spans: SpanKeeper::default(),
            doubt: None,
            owed: ForkMutex::default(),
        }
    }

    /// The name under which failures and statistics are told.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(place) = self.unshared() {
            place.rename(name.into());
        }
        self
    }

    /// Where failures go (default: [`ErrorHandler::stderr`]).
    pub fn error_handler(mut self, error_handler: ErrorHandler) -> Self {
        if let Some(place) = self.unshared() {
            place.ledger().set_error_handler(error_handler);
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
        let owed = self.owed.get().take();
        if let Some(error) = owed {
            let _capture = CaptureGuard::enter();
            self.place.ledger().report_error(&error);
        }
    }

    /// Asks for what is wrong with the subscriber that it gets into. What is found is told with the first event.
    #[cfg(feature = "config")]
    pub(crate) fn doubt(mut self, doubt: impl Fn(&Dispatch) -> Option<Error> + Send + Sync + 'static) -> Self {
        self.doubt = Some(Box::new(doubt));
        self
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

    #[cfg(feature = "otlp")]
    pub(crate) fn keeper(&self) -> &SpanKeeper {
        &self.spans
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn keeper_mut(&mut self) -> &mut SpanKeeper {
        &mut self.spans
    }

    /// Makes trace ids for spans, as [`Context::trace_ids`](crate::SpanContextLayer::trace_ids) does: where one layer of a
    /// registry does it, all have them.
    pub fn trace_ids(mut self) -> Self {
        self.spans.generate_ids(Box::new(crate::record::parent_based));
        self
    }

    /// The account of this handler's records; keep it to watch the handler from outside.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.place.ledger())
    }

    /// A reading of the account.
    pub fn stats(&self) -> Stats {
        self.place.ledger().stats()
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
        self.place.flush(&Flush::PLAIN)
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
        if let Some(error) = self.doubt.as_ref().and_then(|doubt| doubt(dispatch)) {
            *self.owed.get() = Some(error);
            self.is_listed.store(false, Ordering::Relaxed);
        }
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: LayerContext<'_, S>) {
        self.spans.new_span(attributes, id, &context, self.clock.as_deref());
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

    fn on_close(&self, id: span::Id, context: LayerContext<'_, S>) {
        self.spans.close(&id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        // One that came by `reload` was not told.
        if !self.is_listed.load(Ordering::Relaxed) {
            self.list();
        }
        let Some(_capture) = CaptureGuard::enter() else {
            return self.place.ledger().account().end_at_once(End::Dropped);
        };
        let leaf = self.spans.leaf(event, &context);
        let mut record = Pooled::create();
        record.capture(event, leaf, self.clock.as_deref(), self.value_limit);
        if let Some(globals) = &self.globals {
            record.share_globals(Arc::clone(globals));
        }
        fork::poll(self.clock.is_none().then(|| record.time()));
        self.place.deliver(record.into_owned());
        end::start_requested();
    }
}

impl<H: Handler> fmt::Debug for HandlerLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerLayer").field("name", &self.place.name()).finish_non_exhaustive()
    }
}
