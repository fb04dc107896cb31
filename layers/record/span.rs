//! One span, stored once and shared by all layers and records.

use std::{
    cell::RefCell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
#[cfg(feature = "otlp")]
use std::{ops::Deref, sync::atomic::AtomicUsize};

use tracing_core::Metadata;

#[cfg(feature = "otlp")]
use super::export::ExportState;
use super::{
    fields::{Fields, Tag},
    ids::SpanIds,
    observer::TreeObservers,
    trace::TraceParent,
};
use crate::fork::ForkRwLock;

/// A span as the records inside it see it. Immutable once shared, except for values recorded later, which are kept apart.
#[derive(Default)]
pub(crate) struct SpanData {
    pub(super) name: &'static str,
    pub(super) metadata: Option<&'static Metadata<'static>>,
    pub(super) parent: Option<Arc<SpanData>>,
    pub(super) fields: Fields,
    /// From the field `traceparent`.
    pub(super) trace: Option<TraceParent>,
    /// The id in the Registry; 0 for a detached span.
    #[cfg(feature = "opentelemetry")]
    id: u64,
    pub(super) ids: SpanIds,
    #[cfg(feature = "otlp")]
    export: ExportState,
    has_late: AtomicBool,
    /// All fields, once values were recorded late: after the span was made.
    late: ForkRwLock<Option<Arc<Fields>>>,
    cached: CachedTexts,
    /// The id of who has rewritten the fields first, and the new ones if they changed.
    #[cfg(feature = "redact")]
    pub(super) rewritten: OnceLock<(u64, Option<Arc<Fields>>)>,
    /// The handlers' observers, if this span is a root.
    observers: TreeObservers,
    /// Whether all records of the tree are wanted, if this span is its root.
    is_triggered: AtomicBool,
    /// Closed, while records still hold it.
    is_closed: AtomicBool,
    /// When it began, if it is a root and a handler asks for the time.
    begun: Option<Duration>,
    /// The memory of this span and of all spans around it when it was made, in bytes.
    pub(super) weight: usize,
    /// Who still reads late values: the Registry while the span is open, and exporters.
    #[cfg(feature = "otlp")]
    readers: AtomicUsize,
}

/// The rendered fields of a span, per kind of format.
#[derive(Clone, Copy)]
pub(crate) enum FormatCache {
    /// Members of an object.
    Json,
    /// Parameters of structured data.
    Syslog,
    /// Name and fields for people.
    Text,
    /// Pairs.
    Logfmt,
    /// Items of a list of key-value pairs in JSON.
    Pairs,
}

impl FormatCache {
    const COUNT: usize = 5;
}

/// By [`FormatCache`]. Filled at the second use: many spans have one record or none.
#[derive(Default)]
struct CachedTexts {
    texts: [OnceLock<Option<Box<[u8]>>>; FormatCache::COUNT],
    // Beside each text they would make every span longer.
    was_asked: [AtomicBool; FormatCache::COUNT],
}

impl SpanData {
    /// A new span, in the memory of an earlier one if there is some.
    #[inline]
    pub(crate) fn create(
        id: u64,
        metadata: &'static Metadata<'static>,
        parent: Option<Arc<SpanData>>,
        begun: Option<Duration>,
        fill: impl FnOnce(&mut Fields),
    ) -> Arc<Self> {
        let mut data = take_spare();
        // The fields are visited before anything is shared: user code may run here.
        if let Some(span) = Arc::get_mut(&mut data) {
            span.name = metadata.name();
            span.metadata = Some(metadata);
            span.parent = parent;
            span.set_id(id);
            span.begun = begun;
            fill(&mut span.fields);
            span.trace = traceparent(&span.fields);
            span.weigh();
            #[cfg(feature = "otlp")]
            {
                *span.readers.get_mut() = 1;
            }
        }
        data
    }

    /// A span that no Registry knows.
    pub(super) fn detached(name: &'static str, fields: Fields, parent: Option<Arc<SpanData>>) -> Arc<Self> {
        let trace = traceparent(&fields);
        let mut span = Self::default();
        (span.name, span.parent, span.fields, span.trace) = (name, parent, fields, trace);
        span.weigh();
        Arc::new(span)
    }

    /// A span of another process, which has ended.
    pub(super) fn restored(
        name: &'static str,
        metadata: Option<&'static Metadata<'static>>,
        fields: Fields,
        parent: Option<Arc<SpanData>>,
        ids: SpanIds,
    ) -> Self {
        let trace = traceparent(&fields);
        let mut span = Self::default();
        (span.ids, span.is_closed) = (ids, AtomicBool::new(true));
        (span.name, span.metadata, span.parent, span.fields, span.trace) = (name, metadata, parent, fields, trace);
        span.weigh();
        span
    }

    /// Computed once, so that a record need not walk its spans to know what it keeps alive.
    #[inline]
    fn weigh(&mut self) {
        let around = self.parent.as_ref().map_or(0, |parent| parent.weight);
        self.weight = around + size_of::<Self>() + self.fields.weight();
    }

    /// The memory of this span and of all spans around it when it was made, in bytes: more than that of any around it.
    #[cfg(feature = "otlp")]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Memory of the values that were recorded late.
    #[cfg(feature = "otlp")]
    pub(crate) fn late_weight(&self) -> usize {
        self.late().map_or(0, |late| late.weight())
    }

    /// Sets values by name: it does not matter how many layers do it. `values` were visited before.
    pub(crate) fn record(&self, values: &Fields) {
        let mut late = self.late.write();
        let mut fields = late.take().unwrap_or_else(|| Arc::new(self.fields.clone()));
        match Arc::get_mut(&mut fields) {
            Some(fields) => {
                fields.extend(values);
                fields.compact();
            }
            None => {
                let mut copy = Fields::clone(&fields);
                copy.extend(values);
                copy.compact();
                fields = Arc::new(copy);
            }
        }
        *late = Some(fields);
        self.has_late.store(true, Ordering::Release);
    }

    /// Replaces all fields for those that read them from now on.
    #[cfg(all(feature = "otlp", feature = "redact"))]
    pub(super) fn set_late(&self, fields: Arc<Fields>) {
        let before = self.late.set(Some(fields));
        self.has_late.store(true, Ordering::Release);
        drop(before);
    }

    /// All fields, if some were recorded late.
    pub(super) fn late(&self) -> Option<Arc<Fields>> {
        if !self.has_late.load(Ordering::Acquire) {
            return None;
        }
        self.late.get()
    }

    /// One reader of late values fewer. After the last one only records are left: they hold what was late when they
    /// were made, and must not keep the rest alive.
    fn release_late(&self) {
        #[cfg(feature = "otlp")]
        {
            if self.readers.fetch_sub(1, Ordering::AcqRel) != 1 {
                return;
            }
            self.export.discard_annotations();
        }
        if self.has_late.swap(false, Ordering::AcqRel) {
            let late = self.late.set(None);
            drop(late);
        }
    }

    /// What `render` makes of the fields, rendered once per span. `None` if that is nothing or too much, or at the
    /// first use. All callers with the same `cache` must render the same.
    #[inline]
    pub(super) fn cached(&self, cache: FormatCache, render: impl FnOnce() -> Option<Box<[u8]>>) -> Option<&[u8]> {
        /// Buffered records keep the text alive, and their weight does not include it.
        const MAX_BYTES: usize = 1024;
        let (text, was_asked) = (&self.cached.texts[cache as usize], &self.cached.was_asked[cache as usize]);
        if !was_asked.load(Ordering::Relaxed) {
            was_asked.store(true, Ordering::Relaxed);
            return None;
        }
        text.get_or_init(|| render().filter(|text| text.len() <= MAX_BYTES)).as_deref()
    }

    #[cfg(not(feature = "opentelemetry"))]
    fn set_id(&mut self, _: u64) {}

    #[cfg(feature = "opentelemetry")]
    fn set_id(&mut self, id: u64) {
        self.id = id;
    }

    #[cfg(feature = "opentelemetry")]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn ids(&self) -> &SpanIds {
        &self.ids
    }

    pub(crate) fn parent(&self) -> Option<&Arc<SpanData>> {
        self.parent.as_ref()
    }

    #[cfg(feature = "otlp")]
    #[inline]
    pub(crate) fn export(&self) -> &ExportState {
        &self.export
    }

    #[cfg(feature = "otlp")]
    pub(super) fn set_export(&mut self, export: ExportState) {
        self.export = export;
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn metadata(&self) -> Option<&'static Metadata<'static>> {
        self.metadata
    }

    #[cfg(any(feature = "otlp", feature = "testing"))]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Its fields, with what was recorded until now.
    #[cfg(any(feature = "otlp", feature = "testing"))]
    pub(crate) fn read_fields<R>(&self, read: impl FnOnce(&Fields) -> R) -> R {
        match self.late() {
            Some(late) => read(&late),
            None => read(&self.fields),
        }
    }

    /// Whether it has trace ids, or late fields that may hold some.
    #[inline]
    pub(super) fn may_know_trace(&self) -> bool {
        self.trace.is_some() || self.ids.is_any_known() || self.has_late.load(Ordering::Relaxed)
    }

    /// The ids of the `traceparent` it was made with.
    pub(crate) fn remote(&self) -> Option<TraceParent> {
        self.trace
    }

    /// The root of the tree, unless it is a detached span: those never close.
    #[inline]
    pub(crate) fn root(&self) -> Option<&Self> {
        let mut root = self;
        while let Some(parent) = &root.parent {
            root = parent;
        }
        root.metadata.is_some().then_some(root)
    }

    #[inline]
    pub(crate) fn observers(&self) -> &TreeObservers {
        &self.observers
    }

    pub(crate) fn begun(&self) -> Option<Duration> {
        self.begun
    }

    #[inline]
    pub(crate) fn is_triggered(&self) -> bool {
        self.is_triggered.load(Ordering::Relaxed)
    }

    /// Exact for a thread that has registered an observer here.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Shows the tree of which this is the root, from the beginning as far as that is still buffered.
    pub(crate) fn trigger(&self) {
        self.is_triggered.store(true, Ordering::Relaxed);
        self.observers.iter().for_each(|observer| observer.trigger());
    }
}

impl Drop for SpanData {
    /// A loop, not recursion: a path may be deeper than the stack allows.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut span) = next.and_then(Arc::into_inner) {
            next = span.parent.take();
        }
    }
}

#[inline]
pub(super) fn traceparent(fields: &Fields) -> Option<TraceParent> {
    const BIT: u64 = Tag::of(TraceParent::FIELD).bit();
    if fields.bloom() & BIT == 0 {
        return None;
    }
    fields.get(TraceParent::FIELD)?.as_str()?.parse().ok()
}

/// A closed span with all its values, for an exporter that reads it later.
#[cfg(feature = "otlp")]
pub(crate) struct ClosedSpan(Arc<SpanData>);

#[cfg(feature = "otlp")]
impl ClosedSpan {
    /// Make it before the Registry drops its [`SpanSlot`].
    pub(crate) fn new(data: Arc<SpanData>) -> Self {
        data.readers.fetch_add(1, Ordering::Relaxed);
        Self(data)
    }
}

#[cfg(feature = "otlp")]
impl Deref for ClosedSpan {
    type Target = SpanData;

    fn deref(&self) -> &SpanData {
        &self.0
    }
}

#[cfg(feature = "otlp")]
impl Drop for ClosedSpan {
    fn drop(&mut self) {
        self.0.release_late();
    }
}

// --- spare memory

/// How many closed spans a thread keeps for reuse.
const MAX_SPARES: usize = 32;

thread_local! {
    static SPARES: RefCell<Vec<Arc<SpanData>>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn take_spare() -> Arc<SpanData> {
    SPARES.try_with(|spares| spares.try_borrow_mut().ok()?.pop()).ok().flatten().unwrap_or_default()
}

/// Leaves a closed span for reuse.
#[inline]
fn put_spare(data: Arc<SpanData>) {
    // A thread that is ending has no use for spares.
    SPARES
        .try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                if spares.len() < MAX_SPARES {
                    spares.push(data);
                }
            }
        })
        .unwrap_or_default();
}

impl SpanData {
    /// Called when the Registry has closed the span: if no record holds it, its memory is reused.
    pub(super) fn close(mut data: Arc<Self>) {
        if Arc::strong_count(&data) > 1 {
            data.is_closed.store(true, Ordering::SeqCst);
        }
        if !data.observers.is_empty() {
            // Records that they buffer hold the span in turn.
            data.observers.iter().for_each(|observer| observer.abandon());
        }
        let Some(span) = Arc::get_mut(&mut data) else { return data.release_late() };
        let parent = span.parent.take();
        span.reset();
        put_spare(data);
        drop(parent);
    }

    /// What [`create`](Self::create) does not set.
    #[inline]
    fn reset(&mut self) {
        self.fields.clear();
        self.trace = None;
        self.ids.clear();
        #[cfg(feature = "otlp")]
        self.export.clear();
        if std::mem::take(self.has_late.get_mut()) {
            self.late.set(None);
        }
        let CachedTexts { texts, was_asked } = &mut self.cached;
        for (text, was_asked) in texts.iter_mut().zip(was_asked) {
            if std::mem::take(was_asked.get_mut()) {
                text.take();
            }
        }
        #[cfg(feature = "redact")]
        self.rewritten.take();
        if !self.observers.is_empty() {
            self.observers = TreeObservers::default();
        }
        *self.is_triggered.get_mut() = false;
        *self.is_closed.get_mut() = false;
    }
}
