//! The spans of one record, as they were when it was made.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{
    fields::Fields,
    ids::IdsText,
    span::{FormatCache, SpanData, traceparent},
    trace::{Baggage, TraceContext, TraceParent, TraceState},
};

/// From the innermost span to the root, with the values that were recorded late.
#[derive(Clone, Default)]
pub(crate) struct SpanPath {
    leaf: Option<Arc<SpanData>>,
    /// One of the spans may know the ids of its trace.
    may_have_trace: bool,
    /// A tracing SDK knows the ids of one of the spans.
    has_otel: bool,
    /// By depth, from the innermost span outwards.
    late: Vec<(u32, Arc<Fields>)>,
    /// Memory of the late values, in bytes.
    late_weight: usize,
}

impl SpanPath {
    #[inline]
    pub(crate) fn set(&mut self, leaf: Option<Arc<SpanData>>) {
        self.late.clear();
        let mut next = leaf.as_deref();
        let mut depth = 0;
        (self.may_have_trace, self.has_otel, self.late_weight) = (false, false, 0);
        while let Some(span) = next {
            self.may_have_trace |= span.may_know_trace();
            self.has_otel |= span.ids.otel().is_some();
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
        // The other spans are now one further out.
        self.late.iter_mut().for_each(|(depth, _)| *depth += 1);
        let leaf = SpanData::detached(name, fields, self.leaf.take());
        self.may_have_trace |= leaf.may_know_trace();
        self.leaf = Some(leaf);
    }

    /// Other fields for the span at a depth.
    #[cfg(feature = "redact")]
    pub(super) fn replace(&mut self, depth: u32, fields: Arc<Fields>) {
        self.late_weight += fields.weight();
        match self.late.iter_mut().find(|(at, _)| *at == depth) {
            Some((_, late)) => {
                self.late_weight -= late.weight();
                *late = fields;
            }
            None => self.late.push((depth, fields)),
        }
    }

    /// The root, unless it is a detached span.
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

    /// The memory it keeps alive, in bytes, as if nothing else did.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.leaf.as_ref().map_or(0, |leaf| leaf.weight) + self.late_weight
    }

    /// The part of [`weight`](Self::weight) that `other` does not keep alive.
    pub(super) fn weight_beside(&self, other: &Self) -> usize {
        let is_shared = |fields| other.late.iter().any(|(_, theirs)| Arc::ptr_eq(theirs, fields));
        let late = self.late.iter().map(|(_, fields)| fields).filter(|fields| !is_shared(fields));
        let late: usize = late.map(|fields| fields.weight()).sum();
        let (mut here, mut there) = (self.leaf.as_ref(), other.leaf.as_ref());
        // The nearest span around both. Each weighs more than the one around it.
        while let (Some(one), Some(two)) = (here, there) {
            if Arc::ptr_eq(one, two) {
                break;
            }
            if one.weight >= two.weight {
                here = one.parent.as_ref();
            } else {
                there = two.parent.as_ref();
            }
        }
        let shared = here.and(there).map_or(0, |span| span.weight);
        self.leaf.as_ref().map_or(0, |leaf| leaf.weight) - shared + late
    }

    /// The ids that an SDK gave any span on the path, else those of the innermost span that has some.
    #[inline]
    pub(super) fn trace(&self) -> Option<TraceParent> {
        self.traced_span().map(|(trace, _)| trace)
    }

    /// [`trace`](Self::trace), and the span that has the ids.
    #[inline]
    pub(super) fn traced_span(&self) -> Option<(TraceParent, SpanView<'_>)> {
        if self.may_have_trace { self.find_trace() } else { None }
    }

    fn find_trace(&self) -> Option<(TraceParent, SpanView<'_>)> {
        if self.has_otel {
            let otel = self.iter().find_map(|span| Some((span.span.ids.otel()?, span)));
            return otel.or_else(|| self.find_own_trace());
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

    /// The baggage of the innermost span that has some.
    fn baggage(&self) -> Baggage {
        let of = |span: SpanView<'_>| span.fields().get(Baggage::FIELD)?.as_str()?.parse().ok();
        self.iter().find_map(of).unwrap_or_default()
    }

    #[inline]
    pub(super) fn iter(&self) -> Spans<'_> {
        Spans { path: self, next: self.leaf.as_deref(), depth: 0 }
    }
}

/// The headers of a request that is sent from inside these spans.
pub(crate) fn context_of(leaf: Option<Arc<SpanData>>) -> TraceContext {
    let mut path = SpanPath::default();
    path.set(leaf);
    let Some(parent) = path.trace() else { return TraceContext::new(None, TraceState::new(), path.baggage()) };
    // The state belongs to the header it came with: not to a span in another trace.
    let is_same =
        |span: &SpanView<'_>| traceparent(span.fields()).is_some_and(|header| header.trace_id() == parent.trace_id());
    let state = path.iter().find(is_same).and_then(|span| span.fields().get(TraceState::FIELD)?.as_str()?.parse().ok());
    TraceContext::new(Some(parent), state.unwrap_or_default(), path.baggage())
}

/// A record's spans, innermost first. Made by [`Record::spans`](super::Record::spans).
pub struct Spans<'a> {
    path: &'a SpanPath,
    next: Option<&'a SpanData>,
    depth: u32,
}

impl<'a> Iterator for Spans<'a> {
    type Item = SpanView<'a>;

    #[inline]
    fn next(&mut self) -> Option<SpanView<'a>> {
        let span = self.next?;
        let late = self.path.late.iter().find(|(depth, _)| *depth == self.depth).map(|(_, fields)| &**fields);
        self.next = span.parent.as_deref();
        self.depth += 1;
        Some(SpanView { span, late })
    }
}

/// A span of a record, as it was when the record was made.
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

    /// The span's target; empty for one from [`Record::push_span`](super::Record::push_span).
    pub fn target(self) -> &'static str {
        self.span.metadata.map_or("", |metadata| metadata.target())
    }

    /// Its fields, with all values recorded before the record was made.
    #[inline]
    pub fn fields(self) -> &'a Fields {
        self.late.unwrap_or(&self.span.fields)
    }

    #[cfg(feature = "redact")]
    pub(super) fn is_late(self) -> bool {
        self.late.is_some()
    }

    pub(super) fn data(self) -> &'a SpanData {
        self.span
    }

    /// See [`SpanData::cached`]; also `None` if values were recorded late.
    #[inline]
    pub(crate) fn cached(self, cache: FormatCache, render: impl FnOnce() -> Option<Box<[u8]>>) -> Option<&'a [u8]> {
        if self.late.is_some() {
            return None;
        }
        self.span.cached(cache, render)
    }

    /// The ids of its trace, as far as the span itself knows them: a tracing SDK's, those generated for it, or those of
    /// its field `traceparent`.
    pub fn trace(self) -> Option<TraceParent> {
        self.span.ids.otel().or_else(|| self.own_trace())
    }

    /// The id of its parent span, local or remote. Known only for spans whose ids
    /// [were generated](crate::SpanContextLayer::trace_ids) here, unless they are the root of their trace.
    pub fn parent_span_id(self) -> Option<u64> {
        self.span.ids.generated().map(|generated| generated.parent).filter(|parent| *parent != 0)
    }

    /// What `render` makes of this span's `trace`, rendered once. All callers must render the same.
    #[inline]
    pub(crate) fn cached_ids(self, trace: TraceParent, render: impl Fn() -> IdsText) -> Cow<'a, IdsText> {
        self.span.ids.text(trace, render)
    }

    #[inline]
    fn own_trace(self) -> Option<TraceParent> {
        let from_field = match self.late {
            Some(fields) => traceparent(fields),
            None => self.span.trace,
        };
        self.span.ids.generated_or(from_field)
    }
}

impl fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("name", &self.name()).field("fields", self.fields()).finish()
    }
}
