//! `FlightRecorder`: what is released, when, and in which order; what is forgotten; its bounds.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracing::{
    Dispatch, Span, debug, dispatcher, error, info, info_span, instrument::WithSubscriber as _, trace, warn,
};
use tracing_strata::{
    Delivery, Error, FlightRecorder, Handler, HandlerExt as _, HandlerLayer, Loggers, Outcome, Record, Severity,
    SpanContextLayer, Tee, Value,
    clock::ManualClock,
    handler::OutsideSpan,
    ledger::{Ledger, Stats},
};
use tracing_subscriber::{Layer as _, filter::LevelFilter, layer::SubscriberExt as _, registry, reload};

use super::Messages;
use crate::support::{Give as _, MemoryBuffer as Records, spans, with_layer};

struct Recorded {
    to: Messages,
    recorder: Arc<FlightRecorder>,
    ledger: Arc<Ledger>,
    layer: Option<HandlerLayer<Arc<FlightRecorder>>>,
}

impl Recorded {
    fn new(change: impl FnOnce(FlightRecorder) -> FlightRecorder) -> Self {
        let to = Messages::default();
        let recorder = Arc::new(change(FlightRecorder::new(to.clone())));
        let layer = recorder.clone().into_layer();
        Self { to, recorder, ledger: layer.ledger(), layer: Some(layer) }
    }

    fn run(&mut self, run: impl FnOnce(&Self)) {
        let layer = self.layer.take().unwrap();
        with_layer(layer, || run(self));
    }

    fn stats(&self) -> Stats {
        self.ledger.stats()
    }

    fn take(&self) -> Vec<String> {
        self.to.take()
    }
}

fn recorded(change: impl FnOnce(FlightRecorder) -> FlightRecorder, run: impl FnOnce(&Recorded)) {
    Recorded::new(change).run(run);
}

#[test]
fn a_tree_without_trouble_is_forgotten() {
    recorded(
        |plain| plain,
        |seen| {
            info_span!("request").in_scope(|| {
                trace!("1");
                debug!("2");
                info!("3");
                warn!("4");
                assert_eq!((seen.stats().queued, seen.recorder.stats().trees), (2, 1));
                assert!(seen.recorder.stats().bytes > 0);
            });
            assert_eq!(seen.take(), ["3", "4"]);
            assert_eq!((seen.stats().dropped, seen.stats().written, seen.stats().queued), (2, 2, 0));
            let stats = seen.recorder.stats();
            assert_eq!((stats.trees, stats.bytes, stats.forgotten, stats.released), (0, 0, 1, 0));
        },
    );
}

#[test]
fn an_error_releases_its_tree_in_order_and_all_that_follows() {
    recorded(
        |plain| plain,
        |seen| {
            let other = info_span!("other").entered();
            debug!("of another tree");
            drop(other.exit());
            info_span!("request").in_scope(|| {
                debug!("1");
                info_span!("query").in_scope(|| trace!("2"));
                debug!("3");
                assert!(seen.take().is_empty());
                error!("4");
                assert_eq!(seen.take(), ["1", "2", "3", "4"]);
                debug!("5");
                info_span!("query").in_scope(|| trace!("6"));
                info!("7");
                error!("8");
                assert_eq!(seen.take(), ["5", "6", "7", "8"]);
            });
            assert_eq!((seen.stats().written, seen.stats().dropped, seen.stats().queued), (8, 1, 0));
            assert_eq!((seen.recorder.stats().released, seen.recorder.stats().forgotten), (1, 1));
            // The next tree is another one.
            info_span!("request").in_scope(|| debug!("9"));
            assert!(seen.take().is_empty());
        },
    );
}

#[test]
fn released_records_have_their_first_time_and_their_context() {
    let (clock, to) = (ManualClock::at(1_000), Records::default());
    let layer = FlightRecorder::new(to.clone()).into_layer().clock(clock.clone());
    with_layer(layer, || {
        let request = info_span!("request", id = 7, user = tracing::field::Empty);
        let _request = request.enter();
        info_span!("query", table = "orders").in_scope(|| debug!("early"));
        request.record("user", "ada");
        clock.advance(Duration::from_secs(3));
        error!("late");
    });
    let records = to.take();
    assert_eq!(records[1].time().duration_since(records[0].time()).unwrap(), Duration::from_secs(3));
    assert_eq!(spans(&records[0]), ["query{table=orders}", "request{id=7}"]);
    assert_eq!(spans(&records[1]), ["request{id=7 user=ada}"]);
    assert_eq!(records[0].severity(), Severity::DEBUG);
}

#[test]
fn what_is_held_and_what_releases_can_be_set() {
    recorded(
        |recorder| recorder.buffer_below(Severity::ERROR).release_at(Severity::CRITICAL),
        |seen| {
            info_span!("request").in_scope(|| {
                info!("1");
                warn!("2");
                error!("3");
                assert_eq!(seen.take(), ["3"]);
                tracing_strata::critical!("4");
                assert_eq!(seen.take(), ["1", "2", "4"]);
            });
        },
    );
}

#[test]
fn a_tree_that_lasts_is_released() {
    let clock = ManualClock::at(0);
    let mut seen = Recorded::new(|recorder| recorder.release_after(Duration::from_secs(2)).clock(clock.clone()));
    seen.layer = seen.layer.map(|layer| layer.clock(clock.clone()));
    seen.run(|seen| {
        info_span!("quick").in_scope(|| {
            debug!("quick");
            clock.advance(Duration::from_millis(1_999));
            // Time on the wall is another thing.
            clock.set(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000));
            debug!("still quick");
        });
        assert!(seen.take().is_empty());

        // Found out by a record.
        info_span!("slow").in_scope(|| {
            debug!("1");
            clock.set(std::time::UNIX_EPOCH);
            clock.advance(Duration::from_secs(2));
            info!("2");
            assert_eq!(seen.take(), ["1", "2"]);
            debug!("3");
            assert_eq!(seen.take(), ["3"]);
        });

        // Found out at its end; it began with its root, not with its first record.
        info_span!("slow").in_scope(|| {
            clock.advance(Duration::from_millis(1_500));
            debug!("4");
            clock.advance(Duration::from_millis(500));
            assert!(seen.take().is_empty());
        });
        assert_eq!(seen.take(), ["4"]);
        assert_eq!((seen.stats().dropped, seen.stats().written, seen.stats().queued), (2, 4, 0));
    });
}

#[test]
fn a_filter_picks_trees() {
    recorded(
        |recorder| recorder.trigger(|record: &Record| record.get("debug") == Some(Value::Bool(true))),
        |seen| {
            info_span!("request", debug = true).in_scope(|| {
                debug!("1");
                assert_eq!(seen.take(), ["1"]);
            });
            info_span!("request", debug = false).in_scope(|| {
                debug!("2");
                info!(debug = true, "3");
                assert_eq!(seen.take(), ["2", "3"]);
            });
            info_span!("request").in_scope(|| debug!("4"));
            assert!(seen.take().is_empty());
        },
    );
}

#[test]
fn the_present_tree_is_picked() {
    recorded(
        |plain| plain,
        |seen| {
            assert!(!FlightRecorder::trigger_current());
            info_span!("request").in_scope(|| {
                debug!("1");
                info_span!("query").in_scope(|| assert!(FlightRecorder::trigger_current()));
                assert_eq!(seen.take(), ["1"]);
                debug!("2");
                assert_eq!(seen.take(), ["2"]);
            });
            // Before its first record.
            info_span!("request").in_scope(|| {
                assert!(FlightRecorder::trigger_current());
                debug!("3");
            });
            // A picked span's memory is used again, its being picked is not.
            info_span!("request").in_scope(|| debug!("4"));
            assert_eq!(seen.take(), ["3"]);
        },
    );
}

#[test]
fn records_outside_of_spans_follow_the_policy() {
    recorded(
        |plain| plain,
        |seen| {
            debug!("1");
            info!("2");
            error!("3");
            assert_eq!((seen.take(), seen.stats().dropped), (vec!["2".into(), "3".into()], 1));
        },
    );
    recorded(
        |recorder| recorder.outside(OutsideSpan::Pass),
        |seen| {
            debug!("1");
            assert_eq!((seen.take(), seen.stats().written), (vec!["1".into()], 1));
        },
    );
}

#[test]
fn records_by_hand_have_no_tree_that_ends() {
    recorded(
        |plain| plain,
        |seen| {
            let mut record = Record::new(Severity::DEBUG, "t", "by hand");
            record.push_span("by hand", Default::default());
            assert_eq!(seen.recorder.give(&record).unwrap(), Outcome::Dropped);
        },
    );
}

#[test]
fn a_tree_is_bounded_and_tells_what_it_lost() {
    recorded(
        |recorder| recorder.tree_records(3),
        |seen| {
            info_span!("request", id = 7).in_scope(|| {
                (0..10).for_each(|number| debug!("{number}"));
                assert_eq!((seen.stats().queued, seen.stats().dropped), (3, 7));
                error!("after");
            });
            assert_eq!(seen.take(), ["7 records lost before this one: no room", "7", "8", "9", "after"]);
            assert_eq!((seen.recorder.stats().lost, seen.stats().written, seen.stats().dropped), (7, 4, 7));
        },
    );
    let text = "x".repeat(1_000);
    recorded(
        |recorder| recorder.tree_bytes(10_000),
        |seen| {
            info_span!("request").in_scope(|| {
                for _ in 0..100 {
                    debug!(text, "big");
                    assert!(seen.recorder.stats().bytes <= 10_000);
                }
                debug!(text = "x".repeat(20_000), "larger than the tree");
                assert_eq!((seen.stats().queued, seen.stats().dropped), (0, 101));
            });
            assert_eq!(seen.recorder.stats().bytes, 0);
        },
    );
}

#[test]
fn a_notice_of_loss_is_in_the_span_it_tells_of() {
    let to = Records::default();
    with_layer(FlightRecorder::new(to.clone()).tree_records(1).into_layer(), || {
        info_span!("request", id = 7).in_scope(|| {
            debug!("1");
            debug!("2");
            error!("3");
        });
    });
    let notice = to.take().remove(0);
    assert_eq!(spans(&notice), ["request{id=7}"]);
    assert_eq!((notice.get("lost"), notice.target()), (Some(Value::U64(1)), "tracing_strata::memory"));
}

#[test]
fn t70_all_trees_together_are_bounded() {
    recorded(
        |recorder| recorder.max_trees(3),
        |seen| {
            let requests: Vec<Span> = (0..10).map(|id| info_span!("request", id)).collect();
            for request in &requests {
                request.in_scope(|| debug!("1"));
                assert!(seen.recorder.stats().trees <= 3);
            }
            let stats = seen.recorder.stats();
            assert_eq!((stats.trees, stats.evicted, stats.lost, seen.stats().queued), (3, 7, 7, 3));
            // One that lost its records begins anew, and tells.
            requests[0].in_scope(|| {
                debug!("2");
                error!("3");
            });
            assert_eq!(seen.take(), ["1 record lost before this one: no room", "2", "3"]);
            drop(requests);
            assert_eq!((seen.recorder.stats().trees, seen.stats().queued), (0, 0));
            assert_eq!(seen.stats().accepted(), 12);
        },
    );
    let text = "x".repeat(1_000);
    recorded(
        |recorder| recorder.max_bytes(50_000),
        |seen| {
            let requests: Vec<Span> = (0..100).map(|id| info_span!("request", id)).collect();
            for _ in 0..3 {
                for request in &requests {
                    request.in_scope(|| debug!(text, "big"));
                    assert!(seen.recorder.stats().bytes <= 50_000);
                }
            }
            assert_eq!(seen.stats().queued + seen.stats().dropped, 300);
            assert!(seen.recorder.stats().trees > 10, "{:?}", seen.recorder.stats());
        },
    );
}

#[test]
fn t70_spans_that_never_close_cost_no_more_than_the_bounds() {
    recorded(
        |recorder| recorder.max_trees(8),
        |seen| {
            for id in 0..2_000 {
                let request = info_span!("request", id);
                request.in_scope(|| debug!("1"));
                std::mem::forget(request);
            }
            assert_eq!((seen.recorder.stats().trees, seen.stats().queued, seen.stats().dropped), (8, 8, 1_992));
        },
    );
}

#[test]
fn a_subscriber_that_ends_with_open_spans_frees_what_they_hold() {
    let mut seen = Recorded::new(|plain| plain);
    seen.run(|_| {
        let request = info_span!("request");
        request.in_scope(|| debug!("1"));
        // One more who has it and never gives it back; unlike a `Span`, without the subscriber.
        dispatcher::get_default(|dispatch| dispatch.clone_span(&request.id().unwrap()));
    });
    assert_eq!((seen.stats().queued, seen.stats().dropped, seen.recorder.stats().bytes), (0, 1, 0));
}

#[test]
fn a_recorder_that_is_dropped_drops_what_it_holds() {
    let to = Messages::default();
    let layer = FlightRecorder::new(to.clone()).into_layer();
    let ledger = layer.ledger();
    let (layer, handle) = reload::Layer::new(Some(layer));
    with_layer(layer, || {
        let request = info_span!("request").entered();
        debug!("1");
        assert_eq!(ledger.stats().queued, 1);
        handle.reload(None).unwrap();
        assert_eq!((ledger.stats().queued, ledger.stats().dropped), (0, 1));
        assert!(FlightRecorder::trigger_current());
        drop(request);
    });
    assert!(to.take().is_empty());
}

#[test]
fn two_recorders_and_two_subscribers_do_not_know_each_other() {
    let (one, two) = (Messages::default(), Messages::default());
    let errors = FlightRecorder::new(one.clone()).into_layer();
    let warnings = FlightRecorder::new(two.clone()).release_at(Severity::WARN).into_layer();
    let other = Messages::default();
    let elsewhere = Dispatch::new(registry().with(FlightRecorder::new(other.clone()).into_layer()));
    tracing::subscriber::with_default(registry().with(errors).with(warnings), || {
        info_span!("request").in_scope(|| {
            debug!("1");
            dispatcher::with_default(&elsewhere, || {
                info_span!("request").in_scope(|| {
                    debug!("2");
                    error!("3");
                });
            });
            warn!("4");
            assert_eq!(two.take(), ["1", "4"]);
            assert_eq!(one.take(), ["4"]);
            debug!("5");
            error!("6");
        });
    });
    assert_eq!((one.take(), two.take()), (vec!["1".into(), "5".into(), "6".into()], vec!["5".into(), "6".into()]));
    assert_eq!(other.take(), ["2", "3"]);
}

#[test]
fn other_layers_of_ours_and_filters_do_not_disturb() {
    let (to, all) = (Messages::default(), Messages::default());
    let recorder = FlightRecorder::new(to.clone()).into_layer().with_filter(Loggers::parse("debug").unwrap());
    let subscriber = registry()
        .with(SpanContextLayer::new())
        .with(all.clone().into_layer().with_filter(LevelFilter::WARN))
        .with(recorder)
        .with(all.clone().into_layer());
    tracing::subscriber::with_default(subscriber, || {
        info_span!("request").in_scope(|| {
            trace!("not wanted");
            debug!("1");
            error!("2");
        });
        info_span!("request").in_scope(|| debug!("3"));
    });
    assert_eq!(to.take(), ["1", "2"]);
    assert_eq!(all.take().len(), 5);
}

#[test]
fn on_loggers_and_on_a_tee() {
    let (to, other) = (Messages::default(), Messages::default());
    let recorder = FlightRecorder::new(to.clone()).named("recorder");
    let loggers = Loggers::parse("trace").unwrap();
    loggers.add_handler("", recorder.clone()).unwrap();
    with_layer(loggers.into_layer(), || {
        info_span!("request").in_scope(|| {
            debug!("1");
            error!("2");
        });
    });
    assert_eq!((to.take(), recorder.stats().written), (vec!["1".into(), "2".into()], 2));
    let tee = Tee::new().with_named(recorder.clone()).with("other", other.clone());
    with_layer(tee.into_layer(), || info_span!("request").in_scope(|| debug!("3")));
    assert_eq!((to.take().len(), other.take().len(), recorder.stats().dropped), (0, 1, 1));
}

#[test]
fn explicit_parents_and_other_threads_are_of_the_tree() {
    let seen = Recorded::new(|plain| plain);
    let (to, ledger) = (seen.to.clone(), seen.ledger.clone());
    let dispatch = Dispatch::new(registry().with(seen.layer.unwrap()));
    dispatcher::with_default(&dispatch, || {
        let request = info_span!("request");
        debug!(parent: &request, "1");
        thread::scope(|scope| {
            let work = || {
                dispatcher::with_default(&dispatch, || info_span!(parent: &request, "part").in_scope(|| debug!("2")))
            };
            scope.spawn(work).join().unwrap();
            let work = || dispatcher::with_default(&dispatch, || request.in_scope(|| error!("3")));
            scope.spawn(work).join().unwrap();
        });
        debug!(parent: None, "of no tree");
    });
    assert_eq!((to.take(), ledger.stats().dropped), (vec!["1".into(), "2".into(), "3".into()], 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_trees_wander_from_thread_to_thread() {
    use tracing::Instrument as _;
    let seen = Recorded::new(|plain| plain);
    let dispatch = Dispatch::new(registry().with(seen.layer.unwrap()));
    let request = |fails: bool| {
        let body = async move {
            for step in 0..20 {
                debug!("{fails} {step}");
                tokio::task::yield_now().await;
                async { trace!("{fails} {step} deep") }.instrument(info_span!("part")).await;
            }
            if fails {
                error!("{fails} failed");
            }
        };
        dispatcher::with_default(&dispatch, || body.instrument(info_span!("request", fails)))
            .with_subscriber(dispatch.clone())
    };
    let tasks: Vec<_> = (0..20).map(|task| tokio::spawn(request(task % 10 == 0))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(dispatch);
    crate::support::let_go();
    let messages = seen.to.take();
    assert!(messages.iter().all(|message| message.starts_with("true ")));
    assert_eq!((messages.len(), seen.ledger.stats().written), (82, 82));
    assert_eq!((seen.ledger.stats().dropped, seen.ledger.stats().queued), (18 * 40, 0));
}

/// Waits in its first record until it is let go.
struct Gate {
    to: Messages,
    entered: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
    first: AtomicBool,
}

impl Handler for Gate {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if self.first.swap(false, Ordering::SeqCst) {
            self.entered.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        self.to.handle(record)
    }
}

#[test]
fn records_that_come_during_the_release_follow_it() {
    let to = Messages::default();
    let (entered, is_entered) = mpsc::sync_channel(1);
    let (go, goes) = mpsc::sync_channel(1);
    let gate = Gate { to: to.clone(), entered, go: Mutex::new(goes), first: AtomicBool::new(true) };
    let layer = FlightRecorder::new(gate).tree_records(3).into_layer();
    let ledger = layer.ledger();
    let dispatch = Dispatch::new(registry().with(layer));
    dispatcher::with_default(&dispatch, || {
        let request = info_span!("request");
        debug!(parent: &request, "1");
        thread::scope(|scope| {
            let (dispatch, other) = (&dispatch, request.clone());
            let first = scope.spawn(move || dispatcher::with_default(dispatch, || error!(parent: &other, "2")));
            is_entered.recv().unwrap();
            debug!(parent: &request, "3");
            error!(parent: &request, "4");
            debug!(parent: &request, "5");
            // No room any more: what is below the threshold is lost, the rest is not.
            debug!(parent: &request, "lost");
            info!(parent: &request, "early");
            FlightRecorder::trigger_current();
            go.send(()).unwrap();
            first.join().unwrap();
        });
        debug!(parent: &request, "6");
    });
    let messages = to.take();
    let lost = "1 record lost before this one: no room";
    assert_eq!(messages, ["early", "1", "2", lost, "3", "4", "5", "6"]);
    assert_eq!((ledger.stats().written, ledger.stats().dropped, ledger.stats().queued), (7, 1, 0));
}

#[test]
fn what_the_target_logs_does_not_feed_the_release() {
    /// Logs into the same tree for each record it gets.
    struct Echo(Messages);
    impl Handler for Echo {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            debug!("echo");
            self.0.handle(record)
        }
    }
    let to = Messages::default();
    let layer = FlightRecorder::new(Echo(to.clone())).into_layer();
    let ledger = layer.ledger();
    with_layer(layer, || {
        info_span!("request").in_scope(|| {
            debug!("1");
            FlightRecorder::trigger_current();
        });
    });
    assert_eq!((to.take(), ledger.stats().queued), (vec!["1".to_owned()], 0));
}
