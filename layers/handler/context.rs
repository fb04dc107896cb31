//! Span context for handlers behind plain filters.

use tracing_core::{Dispatch, Subscriber, span};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::span_store::SpanStore;

/// A layer that writes nothing and stores the fields of all spans, so that handlers behind a `LevelFilter` or `Targets`
/// have their context.
///
/// `tracing` creates only spans that some layer wants, and a filter hides the others from its layer. Where a handler's
/// filter hides spans (`.with_filter(LevelFilter::WARN)`), add this layer, unfiltered. [`Loggers`](crate::Loggers) lets
/// spans through by itself.
///
/// ```
/// use tracing_strata::{prelude::*, SpanContextLayer, output::Stream};
/// use tracing_subscriber::{filter::LevelFilter, prelude::*};
///
/// let subscriber = tracing_subscriber::registry()
///     .with(SpanContextLayer::new())
///     .with(Stream::stderr().into_layer().with_filter(LevelFilter::WARN));
/// # drop(subscriber);
/// ```
#[derive(Default)]
pub struct SpanContextLayer {
    pub(crate) spans: SpanStore,
}

impl SpanContextLayer {
    /// A layer that generates no trace ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// Generates trace ids for spans: each gets a span id, in the trace of its field
    /// [`traceparent`](crate::record::TraceParent::FIELD), else in the trace of the spans around it, else in a new one.
    /// All records carry the ids, and [`current_traceparent`](super::current_traceparent) returns them. Where a tracing
    /// SDK has ids for the span, those are used (see [`Record::trace`](crate::Record::trace)). A `traceparent` recorded
    /// after the span was created does not move it into another trace.
    ///
    /// ```
    /// use tracing_strata::{SpanContextLayer, current_traceparent};
    /// use tracing_subscriber::prelude::*;
    ///
    /// tracing::subscriber::with_default(tracing_subscriber::registry().with(SpanContextLayer::new().trace_ids()), || {
    ///     let _job = tracing::info_span!("job").entered();
    ///     let job = current_traceparent().unwrap();
    ///     let _step = tracing::info_span!("step").entered();
    ///     let step = current_traceparent().unwrap();
    ///     assert_eq!(job.trace_id(), step.trace_id());
    ///     assert_ne!(job.span_id(), step.span_id());
    /// });
    /// ```
    pub fn trace_ids(mut self) -> Self {
        self.spans.generate_ids(Box::new(crate::record::parent_based));
        self
    }
}

impl<S> Layer<S> for SpanContextLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.spans.bind(dispatch);
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: LayerContext<'_, S>) {
        self.spans.new_span(attributes, id, &context, None);
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
}

impl std::fmt::Debug for SpanContextLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpanContextLayer")
    }
}
