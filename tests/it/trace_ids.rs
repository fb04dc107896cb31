//! Trace ids: from headers, made here, and an SDK's.

use std::{sync::Arc, thread};

use opentelemetry::{
    Context as OtelContext,
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState as OtelState, TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracerProvider, Span as SdkSpan, SpanData, SpanProcessor};
use tracing::{Dispatch, debug_span, info, info_span};
use tracing_strata::{
    Delivery, HandlerLayer, Record, SpanContextLayer, current_traceparent,
    format::{Buffer, Json, Text, Time},
    handler::current_trace_context,
    prelude::*,
    record::TraceParent,
};
use tracing_subscriber::{filter::LevelFilter, prelude::*, registry};

use crate::support::{MemoryBuffer, record, records};

const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn header() -> TraceParent {
    HEADER.parse().unwrap()
}

fn trace(record: &Record) -> TraceParent {
    record.trace().unwrap()
}

/// What `run` logs, with ids made.
fn identified(run: impl FnOnce()) -> Vec<Record> {
    let memory = MemoryBuffer::default();
    let subscriber = registry().with(memory.clone().into_layer().trace_ids());
    tracing::subscriber::with_default(subscriber, run);
    memory.take()
}

#[test]
fn each_span_has_an_id_in_the_trace_of_its_root() {
    let logged = identified(|| {
        info!("outside");
        let root = info_span!("root").entered();
        info!("in the root");
        let child = info_span!("child").entered();
        info!("in the child");
        drop(child);
        let sibling = info_span!("sibling");
        sibling.in_scope(|| info!("in the sibling"));
        drop(root);
        info_span!("other root").in_scope(|| info!("in another trace"));
        info_span!(parent: &sibling, "by parent").in_scope(|| info!("in a child by explicit parent"));
    });
    assert_eq!(logged[0].trace(), None);
    let ids: Vec<_> = logged[1..].iter().map(trace).collect();
    let [root, child, sibling, other, by_parent] = ids[..] else { panic!("{ids:?}") };
    assert!([child, sibling, by_parent].iter().all(|ids| ids.trace_id() == root.trace_id() && ids.is_sampled()));
    assert_ne!(other.trace_id(), root.trace_id());
    let mut span_ids: Vec<_> = ids.iter().map(|ids| ids.span_id()).collect();
    span_ids.sort_unstable();
    span_ids.dedup();
    assert_eq!(span_ids.len(), 5);
    let parents: Vec<_> = logged[1..].iter().map(|record| record.spans().next().unwrap().parent_span_id()).collect();
    let root = Some(root.span_id());
    assert_eq!(parents, [None, root, root, None, Some(sibling.span_id())]);
}

#[test]
fn a_span_with_a_header_is_a_child_of_the_callers() {
    let logged = identified(|| {
        let _job = info_span!("job").entered();
        let _request = info_span!("request", traceparent = HEADER, later = tracing::field::Empty).entered();
        info!("in the request");
        // It has its ids; a span moves to no other trace.
        let late = info_span!("late", traceparent = tracing::field::Empty).entered();
        late.record("traceparent", "00-00000000000000000000000000000007-0000000000000008-00");
        info!("later");
        let unsampled = HEADER.replace("-01", "-00");
        info_span!("unsampled", traceparent = unsampled).in_scope(|| info!("not sampled by the caller"));
        info_span!("bad", traceparent = "00-0-0-0").in_scope(|| info!("not a header"));
    });
    assert!(logged.iter().all(|record| trace(record).trace_id() == header().trace_id()));
    assert!(logged.iter().all(|record| trace(record).span_id() != header().span_id()));
    let flags: Vec<_> = logged.iter().map(|record| trace(record).flags()).collect();
    assert_eq!(flags, [1, 1, 0, 1]);
    assert_eq!(logged[0].spans().next().unwrap().parent_span_id(), Some(header().span_id()));
    assert_eq!(logged[1].spans().next().unwrap().parent_span_id(), Some(trace(&logged[0]).span_id()));
}

#[test]
fn one_layer_makes_the_ids_for_all() {
    for asked_first in [true, false] {
        let (one, two, three) = (MemoryBuffer::default(), MemoryBuffer::default(), MemoryBuffer::default());
        let (plain, making) = (one.clone().into_layer(), two.clone().into_layer().trace_ids());
        let stack: Dispatch = if asked_first {
            registry().with(making).with(plain).with(three.clone().into_layer().trace_ids()).into()
        } else {
            registry().with(plain).with(making).with(three.clone().into_layer().trace_ids()).into()
        };
        tracing::dispatcher::with_default(&stack, || {
            let _root = info_span!("root").entered();
            info_span!("child").in_scope(|| info!("m"));
        });
        let (one, two, three) = (one.only(), two.only(), three.only());
        assert_eq!(trace(&one), trace(&two));
        assert_eq!(trace(&one), trace(&three));
        assert_eq!(one.spans().count(), 2);
    }
}

#[test]
fn the_context_layer_makes_ids_for_handlers_behind_filters() {
    let memory = MemoryBuffer::default();
    let filtered = memory.clone().into_layer().with_filter(LevelFilter::WARN);
    tracing::subscriber::with_default(registry().with(SpanContextLayer::new().trace_ids()).with(filtered), || {
        let _span = debug_span!("hidden from the handler").entered();
        tracing::warn!("m");
        assert_eq!(memory.only().trace(), current_traceparent());
    });
}

#[test]
fn what_a_request_from_here_is_to_carry() {
    assert_eq!(current_traceparent(), None);
    identified(|| {
        assert_eq!(current_trace_context(), Default::default());
        let state = " congo=t61rcWkgMzE , rojo=00f067aa0ba902b7";
        let request =
            info_span!("request", traceparent = HEADER, tracestate = state, baggage = "tier=gold, bad value").entered();
        let in_request = current_trace_context();
        assert_eq!(in_request.parent().unwrap().trace_id(), header().trace_id());
        assert_ne!(in_request.parent().unwrap().span_id(), header().span_id());
        assert_eq!(in_request.state().to_string(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
        // Strict: the header as a whole is refused.
        assert!(in_request.baggage().is_empty());
        let step = info_span!("step", baggage = "tier=gold;p=1,user=%C3%A9").entered();
        let names: Vec<_> = current_trace_context().headers().collect();
        assert_eq!(names[0], ("traceparent", current_traceparent().unwrap().to_string()));
        assert_eq!(names[1].1, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
        assert_eq!(names[2], ("baggage", "tier=gold;p=1,user=%C3%A9".to_owned()));
        // Another trace: the state of the first says nothing about it.
        let elsewhere = "00-00000000000000000000000000000007-0000000000000008-01";
        info_span!("elsewhere", traceparent = elsewhere).in_scope(|| {
            assert_eq!(current_traceparent().unwrap().trace_id(), 7);
            assert!(current_trace_context().state().is_empty());
        });
        drop((step, request));
        assert_eq!(current_traceparent(), None);
    });
    // Nothing made: the caller's own ids are passed on.
    records(|| {
        let _request = info_span!("request", traceparent = HEADER).entered();
        info_span!("step").in_scope(|| assert_eq!(current_traceparent(), Some(header())));
    });
}

#[test]
fn t54_the_explicit_parents_trace() {
    let logged = identified(|| {
        let other = info_span!("other", traceparent = HEADER);
        let _current = info_span!("current").entered();
        info!(parent: &other, "of the other");
        info!(parent: None, "of none");
    });
    assert_eq!(trace(&logged[0]).trace_id(), header().trace_id());
    assert_eq!(logged[1].trace(), None);
}

#[test]
fn text_shows_them_when_asked() {
    let shown = |record: &Record, text: Text| {
        let mut out = Buffer::new();
        text.time(Time::none()).format(record, &mut out).unwrap();
        out.to_string()
    };
    let request = record(|| {
        let _request = info_span!("request", traceparent = HEADER, id = 7).entered();
        info!(target: "t", "m");
    });
    let ids = "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=01";
    assert_eq!(shown(&request, Text::plain().trace_ids(true)), format!("INFO  t: m {ids} request{{id=7}}"));
    let plain = "INFO  t: m request{trace_id=4bf92f3577b34da6a3ce929d0e0e4736 id=7}";
    assert_eq!(shown(&request, Text::plain()), plain);
    let none = record(|| info!(target: "t", "m"));
    assert_eq!(shown(&none, Text::plain().trace_ids(true)), "INFO  t: m");
}

// --- an SDK in the stack

fn sdk() -> SdkTracerProvider {
    SdkTracerProvider::builder().build()
}

fn stack(sdk_first: bool, provider: &SdkTracerProvider, ours: HandlerLayer<MemoryBuffer>) -> Dispatch {
    let tracer = provider.tracer("t");
    if sdk_first {
        registry().with(tracing_opentelemetry::layer().with_tracer(tracer)).with(ours).into()
    } else {
        registry().with(ours).with(tracing_opentelemetry::layer().with_tracer(tracer)).into()
    }
}

/// The ids that `tracing-opentelemetry` has made current here (its layer does that for entered spans).
fn current_in_the_sdk() -> Option<TraceParent> {
    let context = OtelContext::current();
    let span = context.span();
    let ids = span.span_context();
    let trace_id = u128::from_be_bytes(ids.trace_id().to_bytes());
    TraceParent::new(trace_id, u64::from_be_bytes(ids.span_id().to_bytes()), ids.trace_flags().to_u8())
}

#[test]
fn the_sdks_ids_are_used_whatever_the_order_of_layers() {
    for sdk_first in [true, false] {
        let provider = sdk();
        let memory = MemoryBuffer::default();
        let stack = stack(sdk_first, &provider, memory.clone().into_layer().trace_ids());
        let mut expected = Vec::new();
        tracing::dispatcher::with_default(&stack, || {
            let root = info_span!("root").entered();
            info!("in the root");
            expected.push(current_in_the_sdk());
            let child = info_span!("child");
            info!(parent: &child, "before the child was ever entered");
            expected.push(child.in_scope(current_in_the_sdk));
            child.in_scope(|| assert_eq!(current_traceparent(), current_in_the_sdk()));
            let span = root.clone();
            let (dispatch, memory) = (stack.clone(), memory.clone());
            thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || span.in_scope(|| info!("on another thread")));
                drop(memory);
            })
            .join()
            .unwrap();
            expected.push(current_in_the_sdk());
            // In a trace that came from elsewhere by the SDK's own means.
            let remote = SpanContext::new(
                TraceId::from_bytes(7u128.to_be_bytes()),
                SpanId::from_bytes(8u64.to_be_bytes()),
                TraceFlags::SAMPLED,
                true,
                OtelState::default(),
            );
            drop(root);
            let _attached = OtelContext::new().with_remote_span_context(remote).attach();
            info_span!("of a remote parent").in_scope(|| info!("remote"));
        });
        let ids: Vec<_> = memory.take().iter().map(Record::trace).collect();
        assert!(ids[0].is_some());
        assert_eq!(ids[..3], expected[..]);
        assert_eq!(ids[3].unwrap().trace_id(), 7);
    }
}

#[test]
fn a_span_the_sdk_does_not_see_is_in_the_trace_of_those_around_it() {
    let provider = sdk();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("t")).with_filter(LevelFilter::INFO);
    let memory = MemoryBuffer::default();
    tracing::subscriber::with_default(registry().with(memory.clone().into_layer().trace_ids()).with(otel), || {
        let _seen = info_span!("seen").entered();
        debug_span!("not seen").in_scope(|| info!("m"));
        assert_eq!(memory.only().trace(), current_in_the_sdk());
    });
}

#[test]
fn spans_that_the_sdk_sees_after_one_it_does_not() {
    for sdk_first in [true, false] {
        let provider = sdk();
        let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("t"));
        let memory = MemoryBuffer::default();
        let ours = memory.clone().into_layer().trace_ids();
        let stack: tracing::Dispatch = if sdk_first {
            registry().with(otel.with_filter(LevelFilter::INFO)).with(ours).into()
        } else {
            let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("t"));
            registry().with(ours).with(otel.with_filter(LevelFilter::INFO)).into()
        };
        tracing::dispatcher::with_default(&stack, || {
            debug_span!("not seen").in_scope(|| info!("m"));
            let own = memory.only().trace();
            assert!(own.is_some());
            memory.take();
            let _seen = info_span!("seen").entered();
            info!("m");
            assert_eq!(memory.only().trace(), current_in_the_sdk(), "{sdk_first}");
        });
    }
}

/// Logs when a span starts, which is where its ids are asked for.
#[derive(Debug)]
struct Talkative;

impl SpanProcessor for Talkative {
    fn on_start(&self, _: &mut SdkSpan, _: &OtelContext) {
        info!("a span starts");
    }
    fn on_end(&self, _: SpanData) {
        info!("a span ends");
    }
    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: std::time::Duration) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }
}

#[test]
fn a_processor_that_logs_does_not_hang() {
    for sdk_first in [true, false] {
        let provider = SdkTracerProvider::builder().with_span_processor(Talkative).build();
        let memory = MemoryBuffer::default();
        let stack = stack(sdk_first, &provider, memory.clone().into_layer());
        tracing::dispatcher::with_default(&stack, || {
            let _root = info_span!("root").entered();
            let child = info_span!("child");
            info!(parent: &child, "m");
        });
        let ours: Vec<_> = memory.take().into_iter().filter(|record| record.message() == "m").collect();
        assert!(ours[0].trace().is_some());
    }
}

#[test]
fn json_lines_have_the_sdks_ids() {
    let provider = sdk();
    let out = Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Out(Arc<std::sync::Mutex<Vec<String>>>, Json);
    impl Handler for Out {
        fn handle(&self, record: Delivery<'_>) -> Result<tracing_strata::Outcome, tracing_strata::Error> {
            let mut line = Buffer::new();
            self.1.format(&record, &mut line)?;
            self.0.lock().unwrap().push(line.to_string());
            Ok(tracing_strata::Outcome::Written)
        }
    }
    let ours = Out(Arc::clone(&out), Json::new()).into_layer();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("t"));
    tracing::subscriber::with_default(registry().with(ours).with(otel), || {
        let _root = info_span!("root", user = 7).entered();
        // The second line is made from what the first kept of the span.
        info!("one");
        info!("two");
        let ids = current_in_the_sdk().unwrap();
        let expected = format!(
            r#""trace_id":"{:032x}","span_id":"{:016x}","trace_flags":"{:02x}","user":7}}"#,
            ids.trace_id(),
            ids.span_id(),
            ids.flags()
        );
        assert!(out.lock().unwrap().iter().all(|line| line.ends_with(&expected)), "{out:?}");
        assert_eq!(out.lock().unwrap().len(), 2);
    });
}
