//! Context for stacks whose handlers sit behind plain filters.

use tracing_core::{Dispatch, Subscriber, span};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::spans::SpanKeeper;

/// A layer that writes nothing and keeps the fields of all spans, so that handlers behind a `LevelFilter` or `Targets`
/// have their context.
///
/// `tracing` never creates a span that no layer wants, and a filter hides it from its layer. Where a handler's filter
/// hides spans (`.with_filter(LevelFilter::WARN)`), add this one, unfiltered. [`Loggers`](crate::Loggers) lets spans
/// through by itself.
///
/// ```
/// use tracing_strata::{prelude::*, Context, output::Stream};
/// use tracing_subscriber::{filter::LevelFilter, prelude::*};
///
/// let subscriber = tracing_subscriber::registry()
///     .with(Context::new())
///     .with(Stream::stderr().into_layer().with_filter(LevelFilter::WARN));
/// # drop(subscriber);
/// ```
#[derive(Default)]
pub struct Context {
    spans: SpanKeeper,
}

impl Context {
    /// The layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for Context
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.spans.settle(dispatch);
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

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}
