//! The current trace, for the headers of outgoing requests.

use std::sync::Arc;

use tracing_core::{dispatcher, subscriber::NoSubscriber};
use tracing_subscriber::Registry;

use crate::record::{self, SpanData, TraceContext, TraceParent};

/// The ids for an outgoing request: the `traceparent` of the innermost span that has ids.
///
/// [Records](crate::Record::trace) carry the same ids: those of a tracing SDK (feature `opentelemetry`), else
/// [generated ones](super::SpanContextLayer::trace_ids), else the caller's, as received in a span field
/// [`traceparent`](TraceParent::FIELD). `None` outside of all such spans, and where no layer of this crate sees them.
///
/// ```
/// use tracing_strata::{current_traceparent, prelude::*, output::Stream};
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(Stream::stderr().into_layer().trace_ids());
/// tracing::subscriber::with_default(subscriber, || {
///     let header = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
///     let _request = tracing::info_span!("request", traceparent = header).entered();
///     let outgoing = current_traceparent().unwrap().to_string();
///     assert!(outgoing.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
///     assert!(!outgoing.contains("00f067aa0ba902b7"), "a span id of its own: {outgoing}");
/// });
/// ```
pub fn current_traceparent() -> Option<TraceParent> {
    current_trace_context().parent()
}

/// All context for an outgoing request: [`traceparent`](current_traceparent), the `tracestate` that came with it, and
/// the `baggage` of the innermost span with a field of that name.
pub fn current_trace_context() -> TraceContext {
    record::context_of(current_span())
}

fn current_span() -> Option<Arc<SpanData>> {
    dispatcher::get_default(|dispatch| {
        let current = match dispatch.downcast_ref::<Registry>() {
            Some(registry) => record::current(std::ptr::from_ref(registry).addr(), |id, metadata| {
                let current = tracing_core::Subscriber::current_span(registry);
                current.id().is_some_and(|current| current.into_u64() == id)
                    && current.metadata().zip(metadata).is_some_and(|(a, b)| std::ptr::eq(a, b))
            }),
            None if dispatch.is::<NoSubscriber>() => None,
            // A subscriber that stands in front of others, as those of tests do.
            None => record::innermost().into_iter().next(),
        };
        #[cfg(feature = "opentelemetry")]
        if let Some(current) = &current {
            super::otel_ids::Sdk::default().adopt(current, || Some(dispatch.clone()));
        }
        current
    })
}
