//! The layer that connects `tracing` to a handler.

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
    Flush, Handler, exit,
    registration::{self, Registration},
    span_store::SpanStore,
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
/// [`with_filter`](tracing_subscriber::Layer::with_filter) and [`Loggers`](crate::Loggers), behind which a disabled
/// call site costs nothing.
pub struct HandlerLayer<H: Handler> {
    registration: Arc<Registration<H>>,
    is_registered: AtomicBool,
    clock: Option<Box<dyn Clock>>,
    globals: Option<Arc<Fields>>,
    value_limit: usize,
    #[cfg(feature = "redact")]
    redact: Option<crate::filter::Redact>,
    pub(crate) spans: SpanStore,
    /// Checks the subscriber that the layer is added to.
    install_check: Option<Box<InstallCheck>>,
    /// The error of that check, reported with the first event: the check runs under a lock of `tracing`.
    pending_error: ForkMutex<Option<Error>>,
}

type InstallCheck = dyn Fn(&Dispatch) -> Option<Error> + Send + Sync;

impl<H: Handler> HandlerLayer<H> {
    pub(super) fn new(handler: H) -> Self {
        let registration = Arc::new(Registration::new(handler.describe().name, handler));
        Self {
            registration,
            is_registered: AtomicBool::new(false),
            clock: None,
            globals: None,
            value_limit: VALUE_LIMIT,
            #[cfg(feature = "redact")]
            redact: None,
            spans: SpanStore::default(),
            install_check: None,
            pending_error: ForkMutex::default(),
        }
    }

    /// The name in errors and statistics.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(registration) = self.unshared() {
            registration.rename(name.into());
        }
        self
    }

    /// Gets the errors of the handler (default: [`ErrorHandler::stderr`]).
    pub fn error_handler(mut self, error_handler: ErrorHandler) -> Self {
        if let Some(registration) = self.unshared() {
            registration.ledger().set_error_handler(error_handler);
        }
        self
    }

    /// Always `Some`: the registration is shared only once the layer is in a subscriber, and then nobody owns it.
    fn unshared(&mut self) -> Option<&mut Registration<H>> {
        Arc::get_mut(&mut self.registration)
    }

    /// Registers the handler for [`flush_all`](super::flush_all), once it is in a subscriber.
    #[cold]
    fn register(&self) {
        self.is_registered.store(true, Ordering::Relaxed);
        registration::register(&self.registration);
        let pending_error = self.pending_error.get().take();
        if let Some(error) = pending_error {
            let _capture = CaptureGuard::enter();
            self.registration.ledger().report_error(&error);
        }
    }

    /// Checks the subscriber that the layer is added to. An error is reported with the first event.
    #[cfg(feature = "config")]
    pub(crate) fn install_check(
        mut self,
        install_check: impl Fn(&Dispatch) -> Option<Error> + Send + Sync + 'static,
    ) -> Self {
        self.install_check = Some(Box::new(install_check));
        self
    }

    /// The clock for the time of records (default: the system's).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Fields that every record carries: service, version, host … ([`Globals`](crate::Globals) has setters for those).
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(Arc::new(fields.into()));
        self
    }

    /// The longest value of an event, or message, in bytes (default: 64 KiB). Longer ones are cut and marked. Values of
    /// spans always have the default limit, as all layers share them.
    ///
    /// A `Debug` or `Display` that never ends although its writes fail is unwound after a million of them; with
    /// `panic = "abort"` it cannot be stopped.
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = bytes;
        self
    }

    /// Takes secrets out of each record before the handler, its queues and its error handler get it. (Feature `redact`.)
    #[cfg(feature = "redact")]
    pub fn redact(mut self, redact: crate::filter::Redact) -> Self {
        self.redact = Some(redact);
        self
    }

    /// Generates trace ids for spans, as [`SpanContextLayer::trace_ids`](crate::SpanContextLayer::trace_ids) does. One
    /// such layer in a registry is enough for all.
    pub fn trace_ids(mut self) -> Self {
        self.spans.generate_ids(Box::new(crate::record::parent_based));
        self
    }

    /// The ledger of this handler's records; keep it to watch the handler from outside.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(self.registration.ledger())
    }

    /// A reading of the ledger.
    pub fn stats(&self) -> Stats {
        self.registration.ledger().stats()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        self.registration.handler()
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The error of the handler. The error handler gets it, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.registration.flush(&Flush::PLAIN)
    }
}

impl<H, S> Layer<S> for HandlerLayer<H>
where
    H: Handler,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.register();
    }

    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.spans.bind(dispatch);
        if let Some(error) = self.install_check.as_ref().and_then(|install_check| install_check(dispatch)) {
            *self.pending_error.get() = Some(error);
            self.is_registered.store(false, Ordering::Relaxed);
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
        // `on_layer` is not called for a layer that came by `reload`.
        if !self.is_registered.load(Ordering::Relaxed) {
            self.register();
        }
        let Some(_capture) = CaptureGuard::enter() else {
            return self.registration.ledger().counters().count_end(End::Dropped);
        };
        let leaf = self.spans.leaf(event, &context);
        let mut record = Pooled::create();
        record.capture(event, leaf, self.clock.as_deref(), self.value_limit);
        if let Some(globals) = &self.globals {
            record.share_globals(Arc::clone(globals));
        }
        #[cfg(feature = "redact")]
        if let Some(redact) = &self.redact {
            redact.rewrite(&mut record);
        }
        fork::poll(self.clock.is_none().then(|| record.time()));
        self.registration.emit(record.into_owned());
        exit::start_requested();
    }
}

impl<H: Handler> fmt::Debug for HandlerLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerLayer").field("name", &self.registration.name()).finish_non_exhaustive()
    }
}
