//! The spans a record happened in: each stored once, typed, and shared by all layers and records.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
#[cfg(feature = "otlp")]
use std::{ops::Deref, sync::atomic::AtomicUsize};

use tracing_core::Metadata;

use super::{
    fields::Fields,
    ids::{Ids, IdsText},
    tape::Tapes,
    trace::{Baggage, TraceContext, TraceParent, TraceState},
};
use crate::fork::Common;

/// One span as the records inside it see it. Immutable once shared, but for what is recorded later, which is kept apart.
#[derive(Default)]
pub(crate) struct SpanData {
    name: &'static str,
    metadata: Option<&'static Metadata<'static>>,
    parent: Option<Arc<SpanData>>,
    fields: Fields,
    trace: Option<TraceParent>,
    /// Its number in the Registry; 0 for one made by hand.
    #[cfg(feature = "opentelemetry")]
    id: u64,
    ids: Ids,
    #[cfg(feature = "otlp")]
    traced: super::Traced,
    is_late: AtomicBool,
    late: Common<Option<Arc<Fields>>>,
    /// What formats made of the fields, by [`Keeper`].
    kept: [Interned; Keeper::COUNT],
    /// What handlers keep for the tree of which this is the root.
    tapes: Tapes,
    /// Somebody wants to see all of the tree of which this is the root.
    is_picked: AtomicBool,
    /// The span has closed, and somebody still has records of it.
    is_closed: AtomicBool,
    /// When it began, where it is a root and somebody wants to know.
    begun: Option<Duration>,
    /// What it takes in memory as it was made, in bytes, with all spans around it.
    weight: usize,
    /// Those who ask it for what was recorded late: the Registry, while it is open, and those who export it.
    #[cfg(feature = "otlp")]
    readers: AtomicUsize,
}

/// What one format made of a span's fields; from the second time on, as many spans have one record or none.
#[derive(Default)]
struct Interned {
    text: OnceLock<Option<Box<[u8]>>>,
    was_asked: AtomicBool,
}

/// Who keeps what it made of a span's fields on the span.
#[derive(Clone, Copy)]
pub(crate) enum Keeper {
    /// Members of an object.
    Json,
    /// Parameters of structured data.
    Syslog,
    /// Name and fields for people.
    Text,
    /// Pairs.
    Logfmt,
}

impl Keeper {
    const COUNT: usize = 4;
}

impl SpanData {
    /// A new span, in memory of an earlier one where there is some.
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

    pub(super) fn by_hand(name: &'static str, fields: Fields, parent: Option<Arc<SpanData>>) -> Arc<Self> {
        let trace = traceparent(&fields);
        let mut span = Self::default();
        (span.name, span.parent, span.fields, span.trace) = (name, parent, fields, trace);
        span.weigh();
        Arc::new(span)
    }

    /// Once, so that a record need not walk over its spans to know what it keeps alive.
    #[inline]
    fn weigh(&mut self) {
        let around = self.parent.as_ref().map_or(0, |parent| parent.weight);
        self.weight = around + size_of::<Self>() + self.fields.weight();
    }

    /// What it takes in memory as it was made, in bytes, with all spans around it: more than theirs.
    #[cfg(feature = "otlp")]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// What was recorded late.
    #[cfg(feature = "otlp")]
    pub(crate) fn late_weight(&self) -> usize {
        self.late().map_or(0, |late| late.weight())
    }

    /// Sets values by name, so that it does not matter how many layers tell it. `values` were visited before.
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
        self.is_late.store(true, Ordering::Release);
    }

    // --- trace ids

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

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    pub(crate) fn parent(&self) -> Option<&Arc<SpanData>> {
        self.parent.as_ref()
    }

    #[cfg(feature = "otlp")]
    #[inline]
    pub(crate) fn traced(&self) -> &super::Traced {
        &self.traced
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn metadata(&self) -> Option<&'static Metadata<'static>> {
        self.metadata
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Its fields, with what was recorded until now.
    #[cfg(feature = "otlp")]
    pub(crate) fn read_fields<R>(&self, read: impl FnOnce(&Fields) -> R) -> R {
        match self.late() {
            Some(late) => read(&late),
            None => read(&self.fields),
        }
    }

    /// Whether it has ids, or fields that came late and may be some.
    #[inline]
    fn may_know_trace(&self) -> bool {
        self.trace.is_some() || self.ids.are_known() || self.is_late.load(Ordering::Relaxed)
    }

    /// The ids of the `traceparent` it was made with.
    pub(crate) fn remote(&self) -> Option<TraceParent> {
        self.trace
    }

    /// The outermost span of the tree, if it is one of `tracing`'s: only those end.
    #[inline]
    pub(crate) fn root(&self) -> Option<&Self> {
        let mut root = self;
        while let Some(parent) = &root.parent {
            root = parent;
        }
        root.metadata.is_some().then_some(root)
    }

    #[inline]
    pub(crate) fn tapes(&self) -> &Tapes {
        &self.tapes
    }

    pub(crate) fn begun(&self) -> Option<Duration> {
        self.begun
    }

    #[inline]
    pub(crate) fn is_picked(&self) -> bool {
        self.is_picked.load(Ordering::Relaxed)
    }

    /// Whether it has: asked by one who has hung a tape here.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// The tree of which this is the root is to be shown, from its beginning as far as that is still known.
    pub(crate) fn pick(&self) {
        self.is_picked.store(true, Ordering::Relaxed);
        self.tapes.iter().for_each(|tape| tape.pick());
    }

    fn late(&self) -> Option<Arc<Fields>> {
        if !self.is_late.load(Ordering::Acquire) {
            return None;
        }
        self.late.get()
    }

    /// Nobody of those who ask for it later than its records is left: these have what was late when they were made, and
    /// are not to keep the rest.
    fn forget_late(&self) {
        #[cfg(feature = "otlp")]
        {
            if self.readers.fetch_sub(1, Ordering::AcqRel) != 1 {
                return;
            }
            self.traced.forget();
        }
        if self.is_late.swap(false, Ordering::AcqRel) {
            let late = self.late.set(None);
            drop(late);
        }
    }
}

/// A span that has ended, with all that was recorded, for one who looks at it later.
#[cfg(feature = "otlp")]
pub(crate) struct Ended(Arc<SpanData>);

#[cfg(feature = "otlp")]
impl Ended {
    /// To be made before the Registry lets go of it.
    pub(crate) fn new(data: Arc<SpanData>) -> Self {
        data.readers.fetch_add(1, Ordering::Relaxed);
        Self(data)
    }
}

#[cfg(feature = "otlp")]
impl Deref for Ended {
    type Target = SpanData;

    fn deref(&self) -> &SpanData {
        &self.0
    }
}

#[cfg(feature = "otlp")]
impl Drop for Ended {
    fn drop(&mut self) {
        self.0.forget_late();
    }
}

impl Drop for SpanData {
    /// One after the other: a chain may be deeper than a stack.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut span) = next.and_then(Arc::into_inner) {
            next = span.parent.take();
        }
    }
}

#[inline]
fn traceparent(fields: &Fields) -> Option<TraceParent> {
    const BIT: u64 = super::fields::Tag::of(TraceParent::FIELD).bit();
    if fields.bloom() & BIT == 0 {
        return None;
    }
    fields.get(TraceParent::FIELD)?.as_str()?.parse().ok()
}

// --- spare memory

/// How many closed spans a thread keeps for reuse.
const SPARE: usize = 32;

thread_local! {
    static SPARES: RefCell<Vec<Arc<SpanData>>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn take_spare() -> Arc<SpanData> {
    SPARES.try_with(|spares| spares.try_borrow_mut().ok()?.pop()).ok().flatten().unwrap_or_default()
}

/// A span's place in the Registry's extensions; when the span closes, its memory serves the next one.
pub(crate) struct Held(Option<Arc<SpanData>>);

impl Held {
    pub(crate) fn new(data: Arc<SpanData>) -> Self {
        Self(Some(data))
    }

    pub(crate) fn data(&self) -> Option<Arc<SpanData>> {
        self.0.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut data) = self.0.take() else { return };
        forget_created(&data);
        if Arc::strong_count(&data) > 1 {
            data.is_closed.store(true, Ordering::SeqCst);
        }
        if !data.tapes.is_empty() {
            // Records that are kept there keep the span in their turn.
            data.tapes.iter().for_each(|tape| tape.abandon());
        }
        let Some(span) = Arc::get_mut(&mut data) else { return data.forget_late() };
        let parent = span.parent.take();
        span.fields.clear();
        span.trace = None;
        span.ids.clear();
        #[cfg(feature = "otlp")]
        span.traced.clear();
        if std::mem::take(span.is_late.get_mut()) {
            span.late.set(None);
        }
        for kept in &mut span.kept {
            if std::mem::take(kept.was_asked.get_mut()) {
                kept.text.take();
            }
        }
        if !span.tapes.is_empty() {
            span.tapes = Tapes::default();
        }
        *span.is_picked.get_mut() = false;
        *span.is_closed.get_mut() = false;
        // A thread that is ending has no use for spares.
        SPARES
            .try_with(|spares| {
                if let Ok(mut spares) = spares.try_borrow_mut()
                    && spares.len() < SPARE
                {
                    spares.push(data);
                }
            })
            .unwrap_or_default();
        drop(parent);
    }
}

// --- the span this thread made last

struct Created {
    home: Home,
    id: u64,
    data: Arc<SpanData>,
}

thread_local! {
    /// Most spans are entered where they were made, at once: then nothing has to be looked up, which takes four locks.
    static CREATED: RefCell<Option<Created>> = const { RefCell::new(None) };
}

/// Notes a span that was stored.
#[inline]
pub(crate) fn created(home: Home, id: u64, data: Arc<SpanData>) {
    let before = CREATED.try_with(|last| last.try_borrow_mut().ok()?.replace(Created { home, id, data }));
    // Dropped here, outside the borrow.
    drop(before);
}

/// Whether a span with this id was noted. Only a hint: other subscribers have the same ids.
#[inline]
pub(crate) fn was_created(id: u64) -> bool {
    let is_it = |last: &Created| last.id == id;
    CREATED.try_with(|last| last.try_borrow().is_ok_and(|last| last.as_ref().is_some_and(is_it))).unwrap_or_default()
}

/// The span if it was made last on this thread, for its first entering. Ids are used again only by the thread that made
/// the first, and that notes the later one; without a home an id alone says nothing.
#[inline]
fn take_created(home: Home, id: u64) -> Option<Arc<SpanData>> {
    let is_it = |last: &mut Created| home != 0 && last.id == id && last.home == home;
    let last = CREATED.try_with(|last| last.try_borrow_mut().ok()?.take_if(is_it)).ok()?;
    last.map(|last| last.data)
}

/// A span that closes is not entered any more.
#[inline]
fn forget_created(data: &Arc<SpanData>) {
    let is_it = |last: &mut Created| Arc::ptr_eq(&last.data, data);
    let last = CREATED.try_with(|last| last.try_borrow_mut().ok()?.take_if(is_it));
    drop(last);
}

// --- the spans this thread is in

/// Which subscriber an entry belongs to. 0: could not be found out (a layer that came later, inside `Option` or `Vec`).
pub(crate) type Home = usize;

struct Entry {
    home: Home,
    id: u64,
    /// Entered again while it was entered already: as in the Registry, this does not make it the current one.
    again: bool,
    data: Arc<SpanData>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Every layer that sees the span tells; the same span twice in a row is the same current span.
#[inline]
pub(crate) fn enter(home: Home, id: u64, data: impl FnOnce() -> Option<Arc<SpanData>>) {
    let entered = |stack: &RefCell<Vec<Entry>>| -> Option<()> {
        let known = {
            let stack = stack.try_borrow().ok()?;
            stack.iter().rev().find(|entry| entry.id == id && entry.home == home).map(|entry| Arc::clone(&entry.data))
        };
        let again = known.is_some();
        let data = known.or_else(|| take_created(home, id)).or_else(data)?;
        stack.try_borrow_mut().ok()?.push(Entry { home, id, again, data });
        Some(())
    };
    // `None`: the thread is ending, or the span is unknown to us; then the record has no such span.
    ENTERED.try_with(entered).unwrap_or_default().unwrap_or_default();
}

#[inline]
pub(crate) fn exit(home: Home, id: u64) {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.try_borrow_mut().ok()?;
        // A layer may have learnt its home after it entered.
        let is_it = |entry: &Entry| entry.id == id && (entry.home == home || entry.home == 0);
        if stack.last().is_some_and(is_it) {
            return stack.pop();
        }
        let index = stack.iter().rposition(is_it)?;
        Some(stack.remove(index))
    });
    #[cfg(feature = "otlp")]
    if let Some(Some(entry)) = left.as_ref().ok()
        && !entry.again
    {
        entry.data.traced.leave();
    }
    // Dropped here, outside the borrow.
    drop(left);
}

/// The span this thread is in. `is_current` is asked where the home does not tell.
#[inline]
pub(crate) fn current(
    home: Home,
    is_current: impl Fn(u64, Option<&'static Metadata<'static>>) -> bool,
) -> Option<Arc<SpanData>> {
    ENTERED
        .try_with(|stack| {
            let stack = stack.try_borrow().ok()?;
            stack
                .iter()
                .rev()
                .filter(|entry| !entry.again)
                .find(|entry| {
                    if home != 0 && entry.home != 0 {
                        return entry.home == home;
                    }
                    is_current(entry.id, entry.data.metadata)
                })
                .map(|entry| Arc::clone(&entry.data))
        })
        .ok()
        .flatten()
}

/// A span that this thread is in, by id alone: for layers that cannot find out where they are.
pub(crate) fn entered(id: u64) -> Option<Arc<SpanData>> {
    ENTERED
        .try_with(|stack| {
            let stack = stack.try_borrow().ok()?;
            stack.iter().rev().find(|entry| entry.id == id).map(|entry| Arc::clone(&entry.data))
        })
        .ok()
        .flatten()
}

/// The spans this thread is in, one for each subscriber it is in spans of: the innermost.
pub(crate) fn innermost() -> Vec<Arc<SpanData>> {
    let innermost = |stack: &RefCell<Vec<Entry>>| {
        let mut found: Vec<(Home, Arc<SpanData>)> = Vec::new();
        for entry in stack.try_borrow().ok()?.iter().rev() {
            if !entry.again && !found.iter().any(|(home, _)| *home == entry.home) {
                found.push((entry.home, Arc::clone(&entry.data)));
            }
        }
        Some(found)
    };
    let found = ENTERED.try_with(innermost).ok().flatten().unwrap_or_default();
    found.into_iter().map(|(_, data)| data).collect()
}

// --- what a record keeps

/// A record's spans: the innermost one, and what was recorded late, as it was when the record was made.
#[derive(Clone, Default)]
pub(crate) struct Chain {
    leaf: Option<Arc<SpanData>>,
    /// Whether one of the spans may know the ids of its trace.
    is_traced: bool,
    /// Whether a tracing SDK has told some.
    has_foreign: bool,
    late: Vec<(u32, Arc<Fields>)>,
    /// What that takes in memory, in bytes.
    late_weight: usize,
}

impl Chain {
    #[inline]
    pub(crate) fn set(&mut self, leaf: Option<Arc<SpanData>>) {
        self.late.clear();
        let mut next = leaf.as_deref();
        let mut depth = 0;
        (self.is_traced, self.has_foreign, self.late_weight) = (false, false, 0);
        while let Some(span) = next {
            self.is_traced |= span.may_know_trace();
            self.has_foreign |= span.ids.foreign().is_some();
            if let Some(fields) = span.late() {
                self.late_weight += fields.weight();
                self.late.push((depth, fields));
            }
            depth += 1;
            next = span.parent.as_deref();
        }
        self.leaf = leaf;
    }

    pub(super) fn push(&mut self, name: &'static str, fields: Fields) {
        // What was recorded late belongs to spans that are now one further out.
        self.late.iter_mut().for_each(|(depth, _)| *depth += 1);
        let leaf = SpanData::by_hand(name, fields, self.leaf.take());
        self.is_traced |= leaf.may_know_trace();
        self.leaf = Some(leaf);
    }

    /// The outermost span, if it is one of `tracing`'s.
    #[inline]
    pub(super) fn root(&self) -> Option<&SpanData> {
        self.leaf.as_deref()?.root()
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.leaf = None;
        self.late.clear();
        self.late_weight = 0;
    }

    /// What it keeps alive, in bytes, were it the only one that does.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.leaf.as_ref().map_or(0, |leaf| leaf.weight) + self.late_weight
    }

    /// As much of that as `other` does not keep alive.
    pub(super) fn weight_beside(&self, other: &Self) -> usize {
        let is_others = |fields| other.late.iter().any(|(_, theirs)| Arc::ptr_eq(theirs, fields));
        let late = self.late.iter().map(|(_, fields)| fields).filter(|fields| !is_others(fields));
        let late: usize = late.map(|fields| fields.weight()).sum();
        let (mut here, mut there) = (self.leaf.as_ref(), other.leaf.as_ref());
        // The nearest span that is around both. Each weighs more than the one around it.
        while let (Some(one), Some(two)) = (here, there)
            && !Arc::ptr_eq(one, two)
        {
            if one.weight >= two.weight {
                here = one.parent.as_ref();
            } else {
                there = two.parent.as_ref();
            }
        }
        let shared = here.and(there).map_or(0, |span| span.weight);
        self.leaf.as_ref().map_or(0, |leaf| leaf.weight) - shared + late
    }

    /// An SDK knows best, wherever in the chain it begins; else the innermost span that knows.
    #[inline]
    pub(super) fn trace(&self) -> Option<TraceParent> {
        self.traced_span().map(|(trace, _)| trace)
    }

    /// The same, and which span knows.
    #[inline]
    pub(super) fn traced_span(&self) -> Option<(TraceParent, SpanView<'_>)> {
        if self.is_traced { self.find_trace() } else { None }
    }

    fn find_trace(&self) -> Option<(TraceParent, SpanView<'_>)> {
        if self.has_foreign {
            let foreign = self.iter().find_map(|span| Some((span.span.ids.foreign()?, span)));
            return foreign.or_else(|| self.find_own_trace());
        }
        self.find_own_trace()
    }

    #[inline]
    fn find_own_trace(&self) -> Option<(TraceParent, SpanView<'_>)> {
        let mut spans = self.iter();
        loop {
            let span = spans.next()?;
            if let Some(own) = span.own_trace() {
                return Some((own, span));
            }
        }
    }

    #[inline]
    pub(super) fn iter(&self) -> Spans<'_> {
        Spans { chain: self, next: self.leaf.as_deref(), depth: 0 }
    }
}

/// What a request sent from inside these spans is to carry.
pub(crate) fn context_of(leaf: Option<Arc<SpanData>>) -> TraceContext {
    let mut chain = Chain::default();
    chain.set(leaf);
    let Some(parent) = chain.trace() else { return TraceContext::new(None, TraceState::new(), chain.baggage()) };
    // It belongs to the header it came with: a span that is in another trace has none of it.
    let is_same =
        |span: &SpanView<'_>| traceparent(span.fields()).is_some_and(|header| header.trace_id() == parent.trace_id());
    let state =
        chain.iter().find(is_same).and_then(|span| span.fields().get(TraceState::FIELD)?.as_str()?.parse().ok());
    TraceContext::new(Some(parent), state.unwrap_or_default(), chain.baggage())
}

impl Chain {
    /// That of the innermost span that has some.
    fn baggage(&self) -> Baggage {
        let of = |span: SpanView<'_>| span.fields().get(Baggage::FIELD)?.as_str()?.parse().ok();
        self.iter().find_map(of).unwrap_or_default()
    }
}

/// A record's spans, innermost first. Made by [`Record::spans`](super::Record::spans).
pub struct Spans<'a> {
    chain: &'a Chain,
    next: Option<&'a SpanData>,
    depth: u32,
}

impl<'a> Iterator for Spans<'a> {
    type Item = SpanView<'a>;

    #[inline]
    fn next(&mut self) -> Option<SpanView<'a>> {
        let span = self.next?;
        let late = self.chain.late.iter().find(|(depth, _)| *depth == self.depth).map(|(_, fields)| &**fields);
        self.next = span.parent.as_deref();
        self.depth += 1;
        Some(SpanView { span, late })
    }
}

/// A span that a record happened in, as it was when the record was made.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    span: &'a SpanData,
    late: Option<&'a Fields>,
}

impl<'a> SpanView<'a> {
    /// The span's name.
    #[inline]
    pub fn name(self) -> &'static str {
        self.span.name
    }

    /// The span's target; empty for one made by hand.
    pub fn target(self) -> &'static str {
        self.span.metadata.map_or("", |metadata| metadata.target())
    }

    /// Its fields, with what was recorded up to the moment of the record.
    #[inline]
    pub fn fields(self) -> &'a Fields {
        self.late.unwrap_or(&self.span.fields)
    }

    /// What `make` makes of the fields, to be made once per span. `None` if it makes nothing or much, if it is not worth it
    /// yet, or if something was recorded later. Everyone who asks as this keeper must make the same.
    #[inline]
    pub(crate) fn kept(self, by: Keeper, make: impl FnOnce() -> Option<Box<[u8]>>) -> Option<&'a [u8]> {
        /// Records that wait keep it with the span, and do not weigh it.
        const MOST: usize = 1024;
        if self.late.is_some() {
            return None;
        }
        let kept = &self.span.kept[by as usize];
        if !kept.was_asked.load(Ordering::Relaxed) {
            kept.was_asked.store(true, Ordering::Relaxed);
            return None;
        }
        kept.text.get_or_init(|| make().filter(|text| text.len() <= MOST)).as_deref()
    }

    /// The ids of the trace it belongs to, as far as it knows by itself: an SDK's, those made for it, or those of its
    /// field `traceparent`.
    pub fn trace(self) -> Option<TraceParent> {
        self.span.ids.foreign().or_else(|| self.own_trace())
    }

    /// The id of the span it is part of, here or at the caller's: known of spans whose ids
    /// [were made](crate::SpanContextLayer::trace_ids) here, unless they are the root of their trace.
    pub fn parent_span_id(self) -> Option<u64> {
        self.span.ids.get_made().map(|made| made.parent).filter(|parent| *parent != 0)
    }

    /// What `make` makes of `trace`, which this span knows, to be made once. Everyone who asks must make the same.
    #[inline]
    pub(crate) fn kept_ids(self, trace: TraceParent, make: impl Fn() -> IdsText) -> Cow<'a, IdsText> {
        self.span.ids.text(trace, make)
    }

    #[inline]
    fn own_trace(self) -> Option<TraceParent> {
        let from_field = match self.late {
            Some(fields) => traceparent(fields),
            None => self.span.trace,
        };
        self.span.ids.made_or(from_field)
    }
}

impl fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("name", &self.name()).field("fields", self.fields()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_records_for_ever_stays_small() {
        let span = SpanData::by_hand("job", [("state", "new")].into_iter().collect(), None);
        for step in 0..20_000 {
            let state = format!("step {step} of many, with a text of some length");
            let mut values = Fields::new();
            values.set("state", state.as_str());
            values.set(format!("own{}", step % 3), state.as_bytes());
            span.record(&values);
        }
        let late = span.late().unwrap();
        assert_eq!(late.get("state").unwrap().as_str(), Some("step 19999 of many, with a text of some length"));
        assert_eq!(late.len(), 4);
        assert!(late.held_bytes() < 64 * 1024, "{}", late.held_bytes());
    }

    /// A span of `tracing`'s, and what the Registry has of it.
    fn open() -> (Arc<SpanData>, Held) {
        static METADATA: Metadata<'static> = tracing_core::metadata! {
            name: "job",
            target: "test",
            level: tracing_core::Level::INFO,
            fields: &[],
            callsite: &Nowhere,
            kind: tracing_core::metadata::Kind::SPAN,
        };
        struct Nowhere;
        impl tracing_core::Callsite for Nowhere {
            fn set_interest(&self, _: tracing_core::Interest) {}
            fn metadata(&self) -> &Metadata<'_> {
                &METADATA
            }
        }
        let data = SpanData::create(1, &METADATA, None, None, |fields| fields.set("a", 1));
        (Arc::clone(&data), Held::new(data))
    }

    fn late_of(span: &SpanData) -> std::sync::Weak<Fields> {
        span.record(&[("body", "x")].into_iter().collect());
        Arc::downgrade(&span.late().unwrap())
    }

    #[test]
    fn what_came_after_a_record_goes_with_the_span() {
        let (span, held) = open();
        let mut chain = Chain::default();
        chain.set(Some(Arc::clone(&span)));
        let late = late_of(&span);
        drop(span);
        assert!(late.upgrade().is_some());
        drop(held);
        assert!(late.upgrade().is_none(), "a record keeps what it does not show");
        assert_eq!(chain.iter().next().map(|span| span.fields().len()), Some(1));
    }

    #[test]
    fn what_came_before_a_record_stays_with_it() {
        let (span, held) = open();
        let late = late_of(&span);
        let mut chain = Chain::default();
        chain.set(Some(Arc::clone(&span)));
        assert_eq!(chain.weight(), span.weight + late.upgrade().unwrap().weight());
        drop((span, held));
        assert_eq!(chain.iter().next().map(|span| span.fields().len()), Some(2));
        chain.clear();
        assert!(late.upgrade().is_none() && chain.weight() == 0);
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn all_who_export_a_span_find_what_came_late() {
        let (span, held) = open();
        let late = late_of(&span);
        let (one, two) = (Ended::new(Arc::clone(&span)), Ended::new(Arc::clone(&span)));
        drop(one);
        drop(held);
        assert_eq!(two.read_fields(Fields::len), 2);
        drop(two);
        assert!(late.upgrade().is_none());
        assert_eq!(span.read_fields(Fields::len), 1);
    }
}
