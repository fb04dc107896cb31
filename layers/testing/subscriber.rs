//! The subscriber of a test: keeps what happens, and passes everything on to the one in front of which it stands.
//!
//! It is no layer, as the application's subscriber is there already and takes none. Its spans have ids of their own, which
//! no other subscriber uses; a table says by which id the outer one knows each of them. Ids that are not in the table are
//! the outer subscriber's.

use std::{
    collections::HashMap,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use tracing_core::{
    Dispatch, Event, Interest, Metadata, Subscriber,
    dispatcher::{self, DefaultGuard, WeakDispatch},
    span,
};

use super::{
    outer::Outer,
    places::{self, Entered},
    replay,
    store::Store,
};
use crate::{
    Fields, Loggers, Severity,
    handler::Witness,
    record::{self, CaptureGuard, Pooled, SEVERITY_FIELD, SpanData, VALUE_LIMIT},
};

/// What a capture and its subscriber share.
pub(super) struct Shared {
    pub(super) store: Store,
    /// What is kept.
    pub(super) levels: Loggers,
    /// What is passed on.
    pub(super) passed_on: Loggers,
    /// How many of those levels are not as they were at first.
    pub(super) limits: AtomicUsize,
    /// The application's handlers that got something.
    pub(super) witness: Arc<Witness>,
    outer: Outer,
    spans: Mutex<HashMap<u64, OpenSpan>>,
    has_ended: AtomicBool,
    dispatch: OnceLock<WeakDispatch>,
}

struct OpenSpan {
    metadata: &'static Metadata<'static>,
    data: Arc<SpanData>,
    /// None where the outer subscriber did not want it.
    outer: Option<span::Id>,
    handles: usize,
}

pub(super) struct CaptureSubscriber(pub(super) Arc<Shared>);

impl Shared {
    pub(super) fn new(levels: Loggers, passed_on: Loggers) -> Self {
        Self {
            store: Store::default(),
            levels,
            passed_on,
            limits: AtomicUsize::new(0),
            witness: Arc::default(),
            outer: Outer::here(),
            spans: Mutex::default(),
            has_ended: AtomicBool::new(false),
            dispatch: OnceLock::new(),
        }
    }

    /// Among the places of a thread.
    pub(super) fn id(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// From now on everything is only passed on.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Whether this is the thread's default subscriber, or stands behind it.
    pub(super) fn is_default(&self) -> bool {
        dispatcher::get_default(|dispatch| self.is_behind(dispatch))
    }

    fn is_behind(&self, dispatch: &Dispatch) -> bool {
        dispatch.downcast_ref::<CaptureSubscriber>().is_some_and(|CaptureSubscriber(shared)| {
            ptr::eq(&raw const **shared, self) || self.is_behind(shared.outer.get())
        })
    }

    fn spans(&self) -> MutexGuard<'_, HashMap<u64, OpenSpan>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn span<R>(&self, id: &span::Id, read: impl FnOnce(&mut OpenSpan) -> R) -> Option<R> {
        self.spans().get_mut(&id.into_u64()).map(read)
    }

    /// By which id the outer subscriber knows a span. `None`: it does not.
    fn outer_id(&self, id: &span::Id) -> Option<span::Id> {
        self.span(id, |span| span.outer.clone()).unwrap_or_else(|| Some(id.clone()))
    }

    /// The spans around something: by its explicit parent, or where the thread is.
    fn around(&self, is_contextual: bool, parent: Option<&span::Id>) -> Option<Arc<SpanData>> {
        if !is_contextual {
            return self.span(parent?, |span| Arc::clone(&span.data));
        }
        // Else a span that was entered before the capture began, if a layer of ours has seen it.
        let current = places::current(self.id()).map(|entered| entered.data);
        current.or_else(|| record::innermost().into_iter().next())
    }

    fn is_limited(&self) -> bool {
        self.limits.load(Ordering::Acquire) > 0
    }

    fn is_kept(&self, metadata: &Metadata<'_>) -> bool {
        if !self.is_limited() {
            return true;
        }
        // These carry their severity or their target in a field.
        let decides_later = metadata.fields().field(SEVERITY_FIELD).is_some() || metadata.target() == "log";
        decides_later || self.levels.is_enabled_for(metadata.target(), Severity::from(metadata.level()))
    }

    fn is_passed_on(&self, metadata: &Metadata<'_>) -> bool {
        !self.is_limited()
            || metadata.is_span()
            || self.passed_on.is_enabled_for(metadata.target(), Severity::from(metadata.level()))
    }

    fn keep(&self, event: &Event<'_>) {
        if self.has_ended() || !self.is_kept(event.metadata()) {
            return;
        }
        let Some(_capture) = CaptureGuard::enter() else { return self.store.count_lost() };
        let around = self.around(event.is_contextual(), event.parent());
        let mut record = Pooled::create();
        record.capture(event, around, None, VALUE_LIMIT);
        if !self.is_limited() || self.levels.is_enabled_for(record.target(), record.severity()) {
            self.store.push(record.into_owned());
        }
    }

    fn pass_on(&self, event: &Event<'_>) {
        let outer = self.outer.get();
        if !self.is_passed_on(event.metadata()) || !outer.enabled(event.metadata()) {
            return;
        }
        self.witness.observe(|| match event.parent() {
            None => outer.event(event),
            Some(parent) => match self.span(parent, |span| span.outer.clone()) {
                // Its own.
                None => outer.event(event),
                Some(known) => replay::with_parent(event, known, |event| outer.event(event)),
            },
        });
    }

    /// What happens on a thread inside a span of this capture belongs to it.
    fn enter_thread(&self) -> Option<DefaultGuard> {
        if self.has_ended() || self.is_default() {
            return None;
        }
        Some(dispatcher::set_default(&self.dispatch.get()?.upgrade()?))
    }
}

impl Subscriber for CaptureSubscriber {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.0.dispatch.set(dispatch.downgrade()).unwrap_or_default();
    }

    /// It depends on the thread.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_kept = !self.0.has_ended() && (metadata.is_span() || self.0.is_kept(metadata));
        is_kept || (self.0.is_passed_on(metadata) && self.0.outer.get().enabled(metadata))
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let Self(shared) = self;
        let (metadata, outer) = (attributes.metadata(), shared.outer.get());
        let id = next_id();
        let outer_id = outer.enabled(metadata).then(|| match attributes.parent() {
            None => outer.new_span(attributes),
            Some(parent) => match shared.outer_id(parent) {
                Some(parent) => outer.new_span(&span::Attributes::child_of(parent, metadata, attributes.values())),
                None => outer.new_span(&span::Attributes::new_root(metadata, attributes.values())),
            },
        });
        let parent = shared.around(attributes.is_contextual(), attributes.parent());
        let guard = CaptureGuard::enter();
        let fill = |fields: &mut Fields| {
            // Values that log values: too deep.
            if guard.is_some() {
                record::capture_fields(fields, |visit| attributes.record(visit));
            }
        };
        let data = SpanData::create(id, metadata, parent, None, fill);
        if !shared.has_ended() {
            shared.store.push_span(Arc::clone(&data));
        }
        shared.spans().insert(id, OpenSpan { metadata, data, outer: outer_id, handles: 1 });
        span::Id::from_u64(id)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let Self(shared) = self;
        if let (Some(data), Some(_capture)) = (shared.span(id, |span| Arc::clone(&span.data)), CaptureGuard::enter()) {
            let mut fields = Fields::new();
            record::capture_fields(&mut fields, |visit| values.record(visit));
            data.record(&fields);
        }
        if let Some(id) = shared.outer_id(id) {
            shared.outer.get().record(&id, values);
        }
    }

    fn record_follows_from(&self, id: &span::Id, follows: &span::Id) {
        if let (Some(id), Some(follows)) = (self.0.outer_id(id), self.0.outer_id(follows)) {
            self.0.outer.get().record_follows_from(&id, &follows);
        }
    }

    fn event(&self, event: &Event<'_>) {
        self.0.keep(event);
        self.0.pass_on(event);
    }

    fn enter(&self, id: &span::Id) {
        let Self(shared) = self;
        if let Some(id) = shared.outer_id(id) {
            shared.outer.get().enter(&id);
        }
        let number = id.into_u64();
        let again = places::is_in(shared.id(), number);
        let entered = shared.span(id, |span| Entered {
            id: number,
            metadata: span.metadata,
            data: Arc::clone(&span.data),
            again,
        });
        if let Some(entered) = entered {
            places::enter(shared.id(), Some(entered), shared.enter_thread());
        }
    }

    fn exit(&self, id: &span::Id) {
        let Self(shared) = self;
        places::leave(shared.id(), Some(id.into_u64()));
        if let Some(id) = shared.outer_id(id) {
            shared.outer.get().exit(&id);
        }
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        match self.0.span(id, |span| span.handles += 1) {
            Some(()) => id.clone(),
            None => self.0.outer.get().clone_span(id),
        }
    }

    fn try_close(&self, id: span::Id) -> bool {
        let Self(shared) = self;
        let mut spans = shared.spans();
        let Some(span) = spans.get_mut(&id.into_u64()) else {
            drop(spans);
            return shared.outer.get().try_close(id);
        };
        span.handles -= 1;
        if span.handles > 0 {
            return false;
        }
        let closed = spans.remove(&id.into_u64());
        drop(spans);
        if let Some(outer) = closed.and_then(|span| span.outer) {
            shared.outer.get().try_close(outer);
        }
        true
    }

    fn current_span(&self) -> span::Current {
        match places::current(self.0.id()) {
            Some(entered) => span::Current::new(span::Id::from_u64(entered.id), entered.metadata),
            None => self.0.outer.get().current_span(),
        }
    }
}

/// Unlike those of any registry: its ids are, apart from high bits, places in a table, which has not so many.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 36);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
