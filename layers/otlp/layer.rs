//! The layer: records go to the log handler, closed spans to the span export.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use tracing_core::{Dispatch, Event, Level, Subscriber, span};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::{export::SpansExport, handler::OtlpLogs, spans};
use crate::{
    Fields, HandlerLayer, Severity, SpanContextLayer, fork,
    handler::{SpanStore, WithLevel, span_data, worker::batching::BatchWorker},
    ledger::{End, ErrorHandler, Ledger, Receipt},
    record::{self, CaptureGuard, ClosedSpan, SpanData, SpanEvent},
};

/// Exports logs and spans, as one `tracing_subscriber` layer. Made by
/// [`Otlp::build_with_guard`](super::Otlp::build_with_guard).
///
/// It sends everything that its filter passes; set levels with
/// [`with_filter`](tracing_subscriber::Layer::with_filter) and [`Loggers`](crate::Loggers).
pub struct OtlpLayer {
    pub(super) logs: Option<HandlerLayer<WithLevel<OtlpLogs>>>,
    /// Stores the spans if logs are not exported.
    pub(super) context: SpanContextLayer,
    pub(super) spans: Option<SpanExport>,
}

/// Exports closed spans.
pub(super) struct SpanExport {
    pub(super) worker: BatchWorker<SpansExport>,
    pub(super) ledger: Arc<Ledger>,
    /// Whether events are attached to their spans.
    pub(super) with_events: bool,
    /// For each span.
    pub(super) max_events: usize,
    pub(super) max_links: usize,
    #[cfg(feature = "redact")]
    pub(super) redact: Option<crate::filter::Redact>,
}

impl OtlpLayer {
    /// The handler of failures (default: [`ErrorHandler::stderr`]).
    pub fn error_handler(mut self, error_handler: ErrorHandler) -> Self {
        if let Some(spans) = &self.spans {
            spans.ledger.set_error_handler(error_handler.clone());
        }
        self.logs = self.logs.map(|logs| logs.error_handler(error_handler));
        self
    }

    /// Filters out log records below a severity; does not affect spans.
    pub fn min_level(self, min_level: impl Into<Severity>) -> Self {
        if let Some(logs) = &self.logs {
            logs.handler().set_level(min_level);
        }
        self
    }

    /// Adds fields of the whole application to each log record. (Those that describe the service belong in the
    /// [resource](super::Otlp::attribute).)
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.logs = self.logs.map(|logs| logs.globals(fields));
        self
    }

    /// Takes secrets out of log records, spans and their events before they are queued. (Feature `redact`.)
    #[cfg(feature = "redact")]
    pub fn redact(mut self, redact: crate::filter::Redact) -> Self {
        self.logs = self.logs.map(|logs| logs.redact(redact.clone()));
        if let Some(spans) = &mut self.spans {
            spans.redact = Some(redact);
        }
        self
    }

    /// The ledger of the log records; `None` if logs are not exported.
    pub fn logs_ledger(&self) -> Option<Arc<Ledger>> {
        self.logs.as_ref().map(HandlerLayer::ledger)
    }

    /// The ledger of the spans; `None` if spans are not exported. Spans that are not sampled count as filtered.
    pub fn spans_ledger(&self) -> Option<Arc<Ledger>> {
        self.spans.as_ref().map(|spans| Arc::clone(&spans.ledger))
    }

    fn span_store(&self) -> &SpanStore {
        match &self.logs {
            Some(logs) => &logs.spans,
            None => &self.context.spans,
        }
    }

    fn data_of<S>(&self, id: &span::Id, context: &LayerContext<'_, S>) -> Option<Arc<SpanData>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        context.span(id).as_ref().and_then(span_data)
    }
}

impl SpanExport {
    /// Adds an event to its span. An event of level ERROR makes the span an error, with its error or message as the
    /// description.
    fn annotate<S>(&self, span_store: &SpanStore, event: &Event<'_>, context: &LayerContext<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let is_error = *event.metadata().level() == Level::ERROR;
        if !is_error && !self.with_events {
            return;
        }
        let Some(_capture) = CaptureGuard::enter() else { return };
        let Some(data) = span_store.leaf(event, context).filter(|data| data.export().has_begun()) else { return };
        let mut fields = Fields::new();
        record::capture_fields(&mut fields, |visit| event.record(visit));
        fields.remove(record::SEVERITY_FIELD);
        #[cfg(feature = "redact")]
        if let Some(redact) = &self.redact {
            redact.rewrite_fields(&mut fields);
        }
        if is_error {
            let error = fields.iter().find_map(|(_, value)| value.as_error());
            let message = || fields.get("message").and_then(|value| value.as_str());
            let text = error.map(|error| error.to_string()).or_else(|| message().map(str::to_owned));
            data.export().fail(text.unwrap_or_default());
        }
        if self.with_events {
            data.export().add_event(SpanEvent::new(event.metadata(), fields), self.max_events);
        }
    }

    fn end(&self, data: Arc<SpanData>) {
        let data = ClosedSpan::new(data);
        if !data.export().has_begun() {
            return;
        }
        let account = self.ledger.counters();
        if data.ids().generated().is_none_or(|made| !made.own.is_sampled()) {
            return account.count_end(End::Filtered);
        }
        data.export().end();
        #[cfg(feature = "redact")]
        if let Some(redact) = &self.redact {
            redact.rewrite_closed(&data);
        }
        fork::poll(Some(UNIX_EPOCH + Duration::from_nanos(data.export().times().1)));
        let bytes = spans::held_bytes(&data);
        self.worker.put(data, bytes, Receipt::on(Some(account)));
    }
}

impl<S> Layer<S> for OtlpLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, subscriber: &mut S) {
        if let Some(logs) = &mut self.logs {
            logs.on_layer(subscriber);
        }
    }

    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.span_store().bind(dispatch);
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: LayerContext<'_, S>) {
        self.span_store().new_span(attributes, id, &context, None);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: LayerContext<'_, S>) {
        self.span_store().record(id, values, &context);
    }

    fn on_follows_from(&self, id: &span::Id, follows: &span::Id, context: LayerContext<'_, S>) {
        let Some(spans) = &self.spans else { return };
        let Some(cause) = self.data_of(follows, &context).and_then(|data| data.nearest_trace()) else { return };
        if let Some(data) = self.data_of(id, &context) {
            data.export().add_link(cause, spans.max_links);
        }
    }

    fn on_enter(&self, id: &span::Id, context: LayerContext<'_, S>) {
        self.span_store().enter(id, &context);
    }

    fn on_exit(&self, id: &span::Id, _: LayerContext<'_, S>) {
        self.span_store().exit(id);
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        if let Some(spans) = &self.spans {
            spans.annotate(self.span_store(), event, &context);
        }
        if let Some(logs) = &self.logs {
            logs.on_event(event, context);
        }
    }

    fn on_close(&self, id: span::Id, context: LayerContext<'_, S>) {
        self.span_store().close(&id, &context);
        if let Some(spans) = &self.spans
            && let Some(data) = self.data_of(&id, &context)
        {
            spans.end(data);
        }
    }
}

impl fmt::Debug for OtlpLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpLayer")
            .field("logs", &self.logs.is_some())
            .field("spans", &self.spans.is_some())
            .finish_non_exhaustive()
    }
}
