//! What CPython's QueueHandler and QueueListener do: BEHAVIOURS.md, section 23.

use tracing_strata::{Delivery, Error, Queue, Record, Severity, Tee, handler::queue::Overflow, prelude::*};

use super::support::{Gate, LONG, dispatch, within};

/// Python's `dictConfig` makes a queue with a listener that is to be started. Here a queue is one thing with its listener,
/// which starts at once, also where it is declared; `queue` sets its bound. (With Python's defaults it waits for
/// `listen(true)`: conformance, `queue_dictconfig`.)
#[test]
fn rule_23_1_a_declared_queue_hands_on_to_its_handlers_and_its_listener_runs() {
    use tracing_strata::config::{Config, Logging};
    use tracing_subscriber::prelude::*;
    let dir = crate::places::Dir::new();
    let config = format!(
        "{{version: 1, formatters: {{m: {{format: '%(message)s'}}}}, handlers: {{\
          a: {{class: logging.FileHandler, filename: {}, formatter: m, level: ERROR}}, \
          b: {{class: logging.FileHandler, filename: {}, formatter: m}}, \
          q: {{class: logging.handlers.QueueHandler, handlers: [a, b], queue: {{'()': queue.Queue, maxsize: 100}}, \
              respect_handler_level: true}}}}, root: {{level: INFO, handlers: [q]}}}}",
        dir.path("a").display(),
        dir.path("b").display()
    );
    let logging = Logging::new();
    logging.reload(&Config::from_yaml(&config).unwrap()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
        (0..300).for_each(|number| tracing::info!("{number}"));
        tracing::error!("severe");
        logging.handler("q").unwrap().flush().unwrap();
    });
    let lines =
        |name: &str| std::fs::read_to_string(dir.path(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((lines("a"), lines("b").len()), (vec!["severe".to_owned()], 301));
    logging.shutdown().unwrap();
}

#[test]
fn rule_23_2_stop_handles_everything_queued_before_it_and_may_be_called_twice() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        (0..500).for_each(|_| tracing::info!("queued before"));
        guard.shutdown(LONG).unwrap();
        assert_eq!(gate.messages().len(), 500);
        guard.shutdown(LONG).unwrap();
    });
}

/// Python renders the record with the handler's own format before it is queued, and drops what it was made of. Here it
/// stays what it was (so the formats of the listener's handlers render it, once), for the same end: nothing on the
/// listener's side depends on what the caller does next, and no other handler sees a change.
#[test]
fn rule_23_3_and_23_4_the_listener_gets_the_record_as_it_was() {
    let queued = Gate::default();
    let beside = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(queued.clone()).unwrap();
    let queue = queue.transform(|record: &mut Record| record.set("secret", "***"));
    let tee = Tee::new().with("queue", queue).with("beside", beside.clone());
    within(&dispatch(tee.into_layer()), || {
        let span = tracing::info_span!("request", id = "r-1", state = "new").entered();
        let error: Result<u8, _> = "x".parse::<u8>();
        tracing::error!(secret = "hunter2", error = &error.unwrap_err() as &dyn std::error::Error, "failed");
        span.record("state", "changed later");
        drop(span);
        guard.shutdown(LONG).unwrap();
    });
    let (queued, beside) = (queued.records().remove(0), beside.records().remove(0));
    let text = |record: &Record, name| record.get(name).map(|value| value.to_string());
    assert_eq!(
        (text(&queued, "secret").as_deref(), text(&beside, "secret").as_deref()),
        (Some("***"), Some("hunter2"))
    );
    assert_eq!((queued.message(), text(&queued, "state").as_deref()), ("failed", Some("new")));
    assert_eq!(queued.error().unwrap().message(), "invalid digit found in string");
    assert_eq!((queued.time(), queued.thread_name()), (beside.time(), beside.thread_name()));
}

/// Python reports every lost record; here losses are counted, and told in-band.
#[test]
fn rule_23_5_a_full_queue_loses_the_record_without_waiting() {
    let gate = Gate::closed();
    let (queue, guard) =
        Queue::builder().capacity(1).overflow(Overflow::DropNewest).build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("first");
        gate.wait_for_one();
        tracing::info!("lost");
        assert_eq!(guard.stats().lost.at(Severity::INFO), 1);
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(gate.messages(), ["first", "1 record lost"]);
}

#[test]
fn rule_23_6_a_listeners_handler_has_a_level_of_its_own_where_it_was_given_one() {
    let (all, some) = (Gate::default(), Gate::default());
    let tee = Tee::new().with("all", all.clone()).with("some", some.clone().min_level(Severity::WARN));
    let (queue, guard) = Queue::builder().build_with_guard(tee).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("low");
        tracing::warn!("high");
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!((all.messages().len(), some.messages()), (2, vec!["high".to_owned()]));
}

#[test]
fn rule_23_7_filters_of_the_listeners_handlers_apply_and_handlers_and_records_come_in_order() {
    #[derive(Clone, Default)]
    struct Shown(std::sync::Arc<std::sync::Mutex<Vec<String>>>, &'static str);
    impl Handler for Shown {
        fn handle(&self, record: Delivery<'_>) -> Result<tracing_strata::Outcome, Error> {
            self.0.lock().unwrap().push(format!("{} {}", self.1, record.message()));
            Ok(tracing_strata::Outcome::Written)
        }
    }
    let shown = Shown::default();
    let named = |name| Shown(shown.0.clone(), name);
    let tee = Tee::new().with("a", named("a")).with("b", named("b").filter(|record: &Record| record.message() != "2"));
    let (queue, guard) = Queue::builder().build_with_guard(tee).unwrap();
    within(&dispatch(queue.into_layer()), || {
        (1..=3).for_each(|number| tracing::info!("{number}"));
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(*shown.0.lock().unwrap(), ["a 1", "b 1", "a 2", "a 3", "b 3"]);
}

/// Python's queue has no such thing.
#[test]
fn records_of_several_threads_come_by_time_within_a_batch() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    let dispatch = dispatch(queue.into_layer());
    within(&dispatch, || tracing::info!("in hand"));
    gate.wait_for_one();
    for number in 0..100 {
        // Each from a thread of its own, one after the other.
        std::thread::scope(|scope| {
            scope.spawn(|| within(&dispatch, || tracing::info!("{number}")));
        });
    }
    gate.open();
    guard.shutdown(LONG).unwrap();
    let times: Vec<_> = gate.records().iter().map(Record::time).collect();
    // The first batches are small.
    let disorder = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(disorder < 10, "{disorder}");
    assert_eq!(times.len(), 101);
}
