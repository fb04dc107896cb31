//! The fields of the enclosing spans are on every record, whatever filters and layers there are.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tracing::{Instrument as _, Level, debug_span, error, info, info_span};
use tracing_strata::{Fields, HandlerExt as _, SpanContextLayer, Value};
use tracing_subscriber::{Layer as _, filter::LevelFilter, prelude::*, registry, reload};

use crate::support::{MemoryBuffer, record, records, spans, with_layer};

fn scoped(subscriber: impl tracing::Subscriber + Send + Sync + 'static, run: impl FnOnce()) {
    tracing::subscriber::with_default(subscriber, run);
}

#[test]
fn all_enclosing_spans_innermost_first() {
    let record = record(|| {
        let _outer = info_span!("request", id = "r-1", user = 7).entered();
        let _inner = debug_span!("query", table = "users").entered();
        info!("m");
    });
    assert_eq!(spans(&record), ["query{table=users}", "request{id=r-1 user=7}"]);
    assert_eq!(record.get("user"), Some(Value::I64(7)));
}

#[test]
fn t54_explicit_parents_are_the_chain() {
    let made = records(|| {
        let other = info_span!("other", n = 1);
        let child = info_span!(parent: &other, "child", n = 2);
        let _current = info_span!("current").entered();
        info!(parent: &child, "explicit");
        info!(parent: None, "root");
        info!("contextual");
        let orphan = info_span!(parent: None, "orphan");
        let _orphan = orphan.enter();
        info!("in orphan");
        other.in_scope(|| info_span!("made in other").in_scope(|| info!("deep")));
    });
    let chains: Vec<_> = made.iter().map(spans).collect();
    assert_eq!(chains[0], ["child{n=2}", "other{n=1}"]);
    assert!(chains[1].is_empty());
    assert_eq!(chains[2], ["current{}"]);
    assert_eq!(chains[3], ["orphan{}"]);
    assert_eq!(chains[4], ["made in other{}", "other{n=1}"]);
}

#[test]
fn t54_every_format_shows_the_explicit_chain() {
    use tracing_strata::format::{Buffer, Format, Json, Text, Time};
    let made = records(|| {
        let other = info_span!("other", n = 1);
        let child = info_span!(parent: &other, "child", m = 2);
        let _current = info_span!("current", wrong = true).entered();
        info!(parent: &child, "explicit");
        info!(parent: None, "root");
    });
    let shown = |format: &dyn Format, record| {
        let mut out = Buffer::new();
        format.format(record, &mut out).unwrap();
        out.to_string()
    };
    let bare = Json::new().time(Time::none());
    let list = r#"[{"name":"other","n":1},{"name":"child","m":2}]"#;
    let formats: [(Box<dyn Format>, &str); 4] = [
        (Box::new(bare.clone()), r#""m":2,"n":1"#),
        (Box::new(bare.span_list(true)), list),
        (Box::new(Json::tracing_subscriber()), list),
        (Box::new(Text::plain()), "other{n=1}:child{m=2}"),
    ];
    for (format, chain) in &formats {
        let explicit = shown(&**format, &made[0]);
        assert!(explicit.contains(chain) && !explicit.contains("wrong"), "{explicit}");
        let root = shown(&**format, &made[1]);
        assert!(!root.contains("other") && !root.contains("wrong") && !root.contains(r#""m":"#), "{root}");
    }
}

#[test]
fn t67_late_values_are_set_by_name() {
    let memory = MemoryBuffer::default();
    scoped(registry().with(memory.clone().into_layer()).with(MemoryBuffer::default().into_layer()), || {
        let span = info_span!("request", id = "r-1", user = tracing::field::Empty);
        let _entered = span.enter();
        info!("before");
        span.record("user", 7);
        info!("after");
        span.record("user", 8);
        span.record("id", "r-2");
        span.record("undeclared", 1);
        let inner = info_span!("inner").entered();
        info!("again");
        drop(inner);
    });
    let made = memory.take();
    assert_eq!(spans(&made[0]), ["request{id=r-1}"], "a record does not change after it was made");
    assert_eq!(spans(&made[1]), ["request{id=r-1 user=7}"]);
    assert_eq!(spans(&made[2]), ["inner{}", "request{id=r-2 user=8}"]);
}

#[test]
fn spans_entered_on_another_thread() {
    let memory = MemoryBuffer::default();
    let dispatch = tracing::Dispatch::new(registry().with(memory.clone().into_layer()));
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("request", id = 1));
    thread::scope(|scope| {
        for number in 0..4 {
            let (span, dispatch) = (span.clone(), dispatch.clone());
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    let _entered = span.enter();
                    let _own = info_span!("work", number).entered();
                    info!(number, "m");
                });
            });
        }
    });
    let made = memory.take();
    assert_eq!(made.len(), 4);
    for record in made {
        let number = record.fields().get("number").unwrap();
        assert_eq!(spans(&record), [format!("work{{number={number}}}"), "request{id=1}".into()]);
    }
}

#[test]
fn async_tasks_keep_their_own_spans() {
    let memory = MemoryBuffer::default();
    let dispatch = tracing::Dispatch::new(registry().with(memory.clone().into_layer()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..50u64)
                .map(|id| {
                    let work = async move {
                        for step in 0..5u64 {
                            tokio::task::yield_now().await;
                            info!(id, step, "m");
                        }
                    };
                    tokio::spawn(work.instrument(info_span!("request", request = id)))
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    let made = memory.take();
    assert_eq!(made.len(), 250);
    assert!(made.iter().all(|record| record.get("request") == record.get("id") && record.spans().count() == 1));
}

#[test]
fn t68_context_crosses_spawned_tasks_and_threads_by_in_current_span() {
    let memory = MemoryBuffer::default();
    let dispatch = tracing::Dispatch::new(registry().with(memory.clone().into_layer()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start({
            let dispatch = dispatch.clone();
            move || std::mem::forget(tracing::dispatcher::set_default(&dispatch))
        })
        .build()
        .unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("request", id = 1);
        let task = span.in_scope(|| async { info!("spawned") }.in_current_span());
        runtime.block_on(async { tokio::spawn(task).await.unwrap() });
        let blocking = span.clone();
        runtime.block_on(tokio::task::unconstrained(async move {
            tokio::task::spawn_blocking(move || blocking.in_scope(|| info!("blocking"))).await.unwrap();
        }));
    });
    let made = memory.take();
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|record| spans(record) == ["request{id=1}"]));
}

#[test]
fn t62_a_filter_does_not_strip_context() {
    let memory = MemoryBuffer::default();
    macro_rules! filtered {
        () => {
            memory.clone().into_layer().with_filter(LevelFilter::ERROR)
        };
    }
    let run = || {
        let outer = debug_span!("outer", a = 1);
        let _outer = outer.enter();
        let _inner = debug_span!("inner", b = 2).entered();
        info!("hidden");
        error!("seen");
        error!(parent: &outer, "explicit");
    };
    // In whatever order, and however the layers are wrapped.
    scoped(registry().with(SpanContextLayer::new()).with(filtered!()), run);
    scoped(registry().with(filtered!()).with(SpanContextLayer::new()), run);
    scoped(registry().with(MemoryBuffer::default().into_layer()).with(filtered!()), run);
    scoped(registry().with(Some(SpanContextLayer::new())).with(vec![filtered!()]), run);
    scoped(registry().with(vec![filtered!().boxed()]).with(Some(SpanContextLayer::new())), run);
    scoped(registry().with(reload::Layer::new(SpanContextLayer::new()).0).with(Some(filtered!())), run);
    let made = memory.take();
    assert_eq!(made.len(), 12);
    for pair in made.chunks(2) {
        assert_eq!(spans(&pair[0]), ["inner{b=2}", "outer{a=1}"]);
        assert_eq!(spans(&pair[1]), ["outer{a=1}"]);
    }
}

#[test]
fn the_same_layer_twice_visits_a_spans_values_once() {
    static VISITS: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl fmt::Debug for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            VISITS.fetch_add(1, Ordering::Relaxed);
            f.write_str("counted")
        }
    }
    let memory = MemoryBuffer::default();
    let layer = || memory.clone().into_layer();
    scoped(registry().with(layer()).with(layer()).with(vec![layer(), layer()]).with(Some(layer())), || {
        let _span = info_span!("s", value = ?Counted).entered();
        info!("m");
    });
    assert_eq!(VISITS.load(Ordering::Relaxed), 1);
    let made = memory.take();
    assert_eq!(made.len(), 5);
    assert!(made.iter().all(|record| spans(record) == ["s{value=counted}"]));
}

#[test]
fn leaving_out_of_order_and_entering_again() {
    let made = records(|| {
        let (a, b) = (info_span!("a"), info_span!("b"));
        let in_a = a.enter();
        let in_b = b.enter();
        drop(in_a);
        info!("in b");
        let again = b.enter();
        info!("b, twice");
        drop(in_b);
        info!("still b");
        drop(again);
        info!("outside");
    });
    let chains: Vec<_> = made.iter().map(spans).collect();
    assert_eq!(chains, [vec!["b{}"], vec!["b{}"], vec!["b{}"], vec![]]);
}

#[test]
fn t69_two_subscribers_on_one_thread_do_not_mix() {
    let (first, second) = (MemoryBuffer::default(), MemoryBuffer::default());
    let one = tracing::Dispatch::new(registry().with(first.clone().into_layer()));
    // Wrapped, so that it cannot know its subscriber beforehand.
    let two = tracing::Dispatch::new(registry().with(vec![Some(second.clone().into_layer())]));
    tracing::dispatcher::with_default(&one, || {
        let _a = info_span!("first's").entered();
        tracing::dispatcher::with_default(&two, || {
            info!("none");
            let b = info_span!("second's");
            let _entered = b.enter();
            info!("own");
            tracing::dispatcher::with_default(&one, || info!("back"));
        });
    });
    let chains: Vec<_> = second.take().iter().map(spans).collect();
    assert_eq!(chains, [vec![], vec!["second's{}"]]);
    assert_eq!(spans(&first.only()), ["first's{}"]);
}

#[test]
fn global_fields_and_trace_ids() {
    let memory = MemoryBuffer::default();
    let globals: Fields = [("service", "shop"), ("version", "1.2")].into_iter().collect();
    with_layer(memory.clone().into_layer().globals(globals), || {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let _span = info_span!("request", traceparent = header).entered();
        let late = info_span!("inner", traceparent = tracing::field::Empty).entered();
        info!("a");
        late.record("traceparent", "00-00000000000000000000000000000007-0000000000000008-00");
        info!("b");
    });
    let made = memory.take();
    assert_eq!(made[0].get("service"), Some(Value::Str("shop")));
    assert_eq!(format!("{:032x}", made[0].trace().unwrap().trace_id()), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((made[1].trace().unwrap().trace_id(), made[1].trace().unwrap().span_id()), (7, 8));
}

#[test]
fn spans_without_interest_are_not_invented() {
    let memory = MemoryBuffer::default();
    scoped(registry().with(memory.clone().into_layer().with_filter(LevelFilter::ERROR)), || {
        let _span = tracing::span!(Level::INFO, "nobody wants it").entered();
        error!("m");
    });
    assert!(memory.only().spans().next().is_none());
}

#[test]
fn a_chain_deeper_than_the_stack() {
    // By hand: the Registry itself closes its spans recursively.
    let deep = || {
        let mut record = tracing_strata::Record::new(tracing_strata::Severity::INFO, "t", "m");
        (0..100_000).for_each(|_| record.push_span("deeper", Fields::new()));
        let kept = record.keep();
        assert_eq!(kept.spans().count(), 100_000);
    };
    thread::Builder::new().stack_size(128 << 10).spawn(deep).unwrap().join().unwrap();
}
