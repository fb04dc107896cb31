//! Sends to the providers of an SDK that the application already has.

use std::{borrow::Cow, cell::RefCell, fmt};

use opentelemetry::{
    Context as OtelContext, ContextGuard,
    logs::{AnyValue, LogRecord as _, Logger, LoggerProvider, Severity as OtelSeverity},
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState as OtelState, Tracer, TracerProvider,
    },
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use tracing_core::{Subscriber, span};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::{ContextFields, logs, values::AttributeLimits};
use crate::{
    Delivery, Description, Error, Fields, Handler, HandlerExt as _, Outcome,
    record::{self, CaptureGuard, TraceContext, TraceParent},
};

/// Sends records to a `LoggerProvider`, by the [same mapping](super#what-is-sent). The provider does the export, batches and
/// retries. The scope is the crate's name, as a logger of the SDK has one scope; the record's target is its `target`.
///
/// The ledger counts a record as written once the provider has it: an SDK does not report what happens later.
///
/// ```
/// use opentelemetry_sdk::logs::SdkLoggerProvider;
/// use tracing_strata::{otlp::ProviderLogs, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// let provider = SdkLoggerProvider::builder().build();
/// let subscriber = tracing_subscriber::registry().with(ProviderLogs::new(&provider).into_layer());
/// # drop(subscriber);
/// ```
pub struct ProviderLogs<L> {
    logger: L,
    context: ContextFields,
}

impl<L: Logger + Send + Sync + 'static> ProviderLogs<L> {
    /// Sends to this provider. No I/O.
    pub fn new<P: LoggerProvider<Logger = L>>(provider: &P) -> Self {
        Self { logger: provider.logger("tracing-strata"), context: ContextFields::All }
    }

    /// Which fields of spans log records have, too (default: all).
    pub fn context(self, fields: ContextFields) -> Self {
        Self { context: fields, ..self }
    }
}

impl<L: Logger + Send + Sync + 'static> Handler for ProviderLogs<L> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let severity = severity(record.severity().otel());
        if !self.logger.event_enabled(severity, record.target(), record.name()) {
            return Ok(Outcome::Filtered);
        }
        let mut made = self.logger.create_log_record();
        made.set_timestamp(record.time());
        made.set_observed_timestamp(record.time());
        made.set_target(Cow::<'static, str>::Owned(record.target().to_owned()));
        made.set_severity_number(severity);
        if let Some(name) = record.severity().name() {
            made.set_severity_text(name);
        }
        if !record.message().is_empty() {
            made.set_body(AnyValue::from(record.message().to_owned()));
        }
        // The API takes only `'static` names: those of call sites.
        if let Some(name) =
            record.metadata().map(|metadata| metadata.name()).filter(|name| record.name() == Some(*name))
        {
            made.set_event_name(name);
        }
        for attribute in logs::attributes(&record, &self.context, AttributeLimits::NONE).into_vec() {
            if let Some(value) = any_or_null(attribute.value.and_then(|value| value.value)) {
                made.add_attribute(attribute.key, value);
            }
        }
        if let Some(trace) = record.trace() {
            made.set_trace_context(
                TraceId::from_bytes(trace.trace_id().to_be_bytes()),
                SpanId::from_bytes(trace.span_id().to_be_bytes()),
                Some(TraceFlags::new(trace.flags())),
            );
        }
        self.logger.emit(made);
        Ok(Outcome::Written)
    }

    fn describe(&self) -> Description {
        Description::new("otlp logs")
    }
}

impl<L> fmt::Debug for ProviderLogs<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderLogs")
    }
}

/// The API has no empty value: `null` is text.
fn any_or_null(value: Option<Any>) -> Option<AnyValue> {
    value.map_or_else(|| Some("null".into()), any)
}

/// The mapping makes no other values.
fn any(value: Any) -> Option<AnyValue> {
    Some(match value {
        Any::StringValue(text) => text.into(),
        Any::BoolValue(value) => value.into(),
        Any::IntValue(number) => number.into(),
        Any::DoubleValue(number) => number.into(),
        Any::BytesValue(bytes) => AnyValue::Bytes(Box::new(bytes)),
        Any::ArrayValue(list) => {
            AnyValue::ListAny(Box::new(list.values.into_iter().filter_map(|value| any_or_null(value.value)).collect()))
        }
        Any::KvlistValue(map) => {
            let pair = |pair: KeyValue| Some((pair.key.into(), any_or_null(pair.value.and_then(|value| value.value))?));
            AnyValue::Map(Box::new(map.values.into_iter().filter_map(pair).collect()))
        }
        Any::StringValueStrindex(_) => return None,
    })
}

fn severity(number: u8) -> OtelSeverity {
    use OtelSeverity::{
        Debug, Debug2, Debug3, Debug4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4, Info, Info2,
        Info3, Info4, Trace, Trace2, Trace3, Trace4, Warn, Warn2, Warn3, Warn4,
    };
    const ALL: [OtelSeverity; 24] = [
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4, Warn, Warn2, Warn3,
        Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ];
    ALL[usize::from(number.clamp(1, 24)) - 1]
}

/// Sends logs and spans to providers that the application already has: [`ProviderLogs`], and the layer of
/// `tracing-opentelemetry` with a tracer of the provider. Spans with a field
/// [`traceparent`](TraceParent::FIELD) (and `tracestate`) become children of the caller's; log records have the ids of the
/// provider's spans.
///
/// ```
/// use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
/// use tracing_strata::otlp;
/// use tracing_subscriber::prelude::*;
///
/// let (logs, spans) = (SdkLoggerProvider::builder().build(), SdkTracerProvider::builder().build());
/// let subscriber = tracing_subscriber::registry().with(otlp::bridge(&logs, &spans));
/// # drop(subscriber);
/// ```
pub fn bridge<S, L, T>(logs: &L, spans: &T) -> impl Layer<S> + Send + Sync + use<S, L, T>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    L: LoggerProvider<Logger: Send + Sync + 'static>,
    T: TracerProvider<Tracer: Tracer<Span: Send + Sync> + Send + Sync + 'static>,
{
    let tracer = spans.tracer("tracing-strata");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    // The first attaches the caller's context from the span's fields, the second creates the span in it, the third detaches.
    AttachContext.and_then(spans).and_then(DetachContext).and_then(ProviderLogs::new(logs).into_layer())
}

thread_local! {
    static ATTACHED: RefCell<Option<ContextGuard>> = const { RefCell::new(None) };
}

struct AttachContext;
struct DetachContext;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AttachContext {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: LayerContext<'_, S>) {
        let may_have = attributes.is_contextual() && attributes.fields().field(TraceParent::FIELD).is_some();
        let Some(context) = may_have.then(|| remote(attributes)).flatten() else { return };
        ATTACHED.with(|attached| attached.replace(Some(context.attach())));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for DetachContext {
    fn on_new_span(&self, _: &span::Attributes<'_>, _: &span::Id, _: LayerContext<'_, S>) {
        let attached = ATTACHED.with(RefCell::take);
        drop(attached);
    }
}

fn remote(attributes: &span::Attributes<'_>) -> Option<OtelContext> {
    let _capture = CaptureGuard::enter()?;
    let mut fields = Fields::new();
    record::capture_fields(&mut fields, |visit| attributes.record(visit));
    let caller = TraceContext::from_headers(|name| fields.get(name).and_then(|value| value.as_str()));
    let parent = caller.parent()?;
    let state = OtelState::from_key_value(caller.state().iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    let context = SpanContext::new(
        TraceId::from_bytes(parent.trace_id().to_be_bytes()),
        SpanId::from_bytes(parent.span_id().to_be_bytes()),
        TraceFlags::new(parent.flags()),
        true,
        state.unwrap_or_default(),
    );
    Some(OtelContext::current().with_remote_span_context(context))
}
