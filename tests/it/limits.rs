//! `RateLimit` and `Sample`: what they refuse, and that it is always told.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;
use tracing::{debug, error, info, info_span, warn};
use tracing_strata::{
    FlightRecorder, HandlerExt as _, HandlerLayer, Logger, Loggers, Queue, Record, Severity,
    clock::ManualClock,
    filter::{Filter, RateLimit, Sample},
    ledger::{Ledger, Stats},
    record::TraceParent,
};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{MemoryBuffer as Records, with_layer};

const SECOND: Duration = Duration::from_secs(1);

struct Limited {
    to: Records,
    clock: ManualClock,
    ledger: Arc<Ledger>,
}

impl Limited {
    fn take(&self) -> Vec<String> {
        self.to.take().iter().map(|record| record.message().to_owned()).collect()
    }

    fn stats(&self) -> Stats {
        self.ledger.stats()
    }
}

fn limited<F: Filter>(filter: impl FnOnce(ManualClock) -> F, run: impl FnOnce(&Limited)) -> Limited {
    let (to, clock) = (Records::default(), ManualClock::at(1_000));
    let layer: HandlerLayer<_> = to.clone().filter(filter(clock.clone())).into_layer();
    let limited = Limited { to, clock, ledger: layer.ledger() };
    with_layer(layer, || run(&limited));
    limited
}

fn served(number: u32) {
    info!(number, "served");
}

#[test]
fn t71_the_suppressed_count_always_appears_and_the_first_is_never_dropped() {
    let limit = |clock| RateLimit::new(3, 10 * SECOND).clock(clock);
    let seen = limited(limit, |seen| {
        (0..40).for_each(served);
        assert_eq!(seen.take(), ["served"; 3]);
        info!("another call site is another kind");
        assert_eq!(seen.take().len(), 1);
        // The time is over: the next record of any kind brings the count, before itself.
        seen.clock.advance(10 * SECOND);
        info!("a third one");
        assert_eq!(seen.take(), ["served … 37 similar", "a third one"]);
        // And a new turn begins.
        (0..4).for_each(served);
        assert_eq!(seen.take(), ["served"; 3]);
        assert_eq!((seen.stats().filtered, seen.stats().written), (38, 9));
    });
    // What was refused last is told at the end.
    assert_eq!(seen.take(), ["served … 1 similar"]);
}

#[test]
fn t71_the_summary_is_the_first_one_refused() {
    let seen = limited(
        |clock| RateLimit::new(1, SECOND).clock(clock),
        |_| {
            info_span!("request", id = 7).in_scope(|| (0..5).for_each(served));
        },
    );
    let records = seen.to.take();
    let summary = &records[1];
    assert_eq!((summary.message(), summary.severity()), ("served … 4 similar", Severity::INFO));
    assert_eq!(summary.get("similar").and_then(|count| count.as_u64()), Some(4));
    assert_eq!(summary.get("number").and_then(|number| number.as_i64()), Some(1));
    assert_eq!(summary.get("id").and_then(|id| id.as_i64()), Some(7));
    assert_eq!(summary.line(), records[0].line());
}

#[test]
fn t71_errors_are_exempt_unless_said_otherwise() {
    limited(
        |clock| RateLimit::new(1, SECOND).clock(clock),
        |seen| {
            (0..5).for_each(|_| error!("e"));
            (0..5).for_each(|_| tracing_strata::critical!("c"));
            (0..5).for_each(|_| warn!("w"));
            assert_eq!(seen.take().len(), 11);
        },
    );
    limited(
        |clock| RateLimit::new(1, SECOND).always_pass_from(Severity::OFF).clock(clock),
        |seen| {
            (0..5).for_each(|_| error!("e"));
            assert_eq!(seen.take().len(), 1);
        },
    );
    limited(
        |_| Sample::one_in(5),
        |seen| {
            (0..5).for_each(|_| error!("e"));
            assert_eq!(seen.take().len(), 5);
        },
    );
}

#[test]
fn t71_kinds_are_call_sites_and_chosen_fields() {
    let by_user = |clock| RateLimit::new(1, SECOND).by("user").by("zone").clock(clock);
    limited(by_user, |seen| {
        let login = |user: Option<i64>| info!(user, "login");
        for user in [Some(1), Some(2), Some(1), None, Some(2), None] {
            login(user);
        }
        assert_eq!(seen.take().len(), 3);
        info_span!("edge", zone = "eu").in_scope(|| login(Some(1)));
        info_span!("edge", zone = "us").in_scope(|| login(Some(1)));
        assert_eq!(seen.take().len(), 2);
    });
}

#[test]
fn what_has_no_call_site_of_its_own_is_told_apart_by_place_or_message() {
    limited(
        |clock| RateLimit::new(1, SECOND).clock(clock),
        |seen| {
            let log = Logger::new("app");
            (0..3).for_each(|_| log.info("one place"));
            (0..3).for_each(|_| log.info("another place"));
            (0..3).for_each(|_| log.log(Severity::new(25), "a third"));
            assert_eq!(seen.take().len(), 3);
        },
    );
    let limit = RateLimit::new(1, SECOND);
    let by_hand = |message| limit.passes(&Record::new(Severity::INFO, "t", message));
    assert_eq!(["a", "b", "a", "b"].map(by_hand), [true, true, false, false]);
}

#[test]
fn t72_a_wall_clock_that_is_set_back_changes_nothing() {
    limited(
        |clock| RateLimit::new(2, 10 * SECOND).clock(clock),
        |seen| {
            (0..5).for_each(served);
            seen.clock.advance(9 * SECOND);
            seen.clock.set(UNIX_EPOCH);
            served(0);
            assert_eq!(seen.take().len(), 2);
            // A jump ahead is no time that has passed, either.
            seen.clock.set(UNIX_EPOCH + 1_000_000 * SECOND);
            served(0);
            assert_eq!(seen.take().len(), 0);
            seen.clock.advance(SECOND);
            served(0);
            assert_eq!(seen.take(), ["served … 5 similar", "served"]);
        },
    );
}

#[test]
fn t70_the_table_is_bounded_and_what_leaves_it_is_told() {
    let limit = RateLimit::new(1, 1_000 * SECOND).by("user").max_keys(10);
    let handle = limit.clone();
    let seen = limited(
        |_| limit,
        |seen| {
            let login = |user: usize| info!(user, "login");
            // One that is always there keeps its place.
            for user in 0..1_000 {
                login(user % 50 + 1);
                login(user % 50 + 1);
                login(0);
                assert!(handle.stats().keys <= 10);
            }
            assert_eq!(handle.stats().evicted + handle.stats().keys, 1_001);
            let records = seen.to.take();
            let of_first = |record: &&Record| record.get("user").and_then(|user| user.as_u64()) == Some(0);
            assert_eq!(records.iter().filter(of_first).count(), 1);
        },
    );
    // 991 kinds left the table, each with one that was refused; the rest came at the end.
    let told: u64 = seen.to.take().iter().filter_map(|record| record.get("similar")?.as_u64()).sum();
    assert_eq!(told, 9 + 999);
    assert_eq!(handle.stats().refused, 1_999);
}

#[test]
fn a_flush_tells_what_was_refused() {
    let to = Records::default();
    let handler = to.clone().filter(RateLimit::new(1, 1_000 * SECOND)).named("limited");
    with_layer(handler.clone().into_layer(), || {
        (0..3).for_each(served);
        handler.flush().unwrap();
        handler.flush().unwrap();
    });
    assert_eq!(to.take().len(), 2);
    assert_eq!((handler.stats().written, handler.stats().filtered), (2, 2));
}

#[test]
fn on_loggers_the_summary_goes_where_the_records_go() {
    let (to, clock) = (Records::default(), ManualClock::at(0));
    let loggers = Loggers::parse("info").unwrap();
    loggers.add_handler("", to.clone().named("all")).unwrap();
    loggers.add_filter("app", Arc::new(RateLimit::new(1, SECOND).clock(clock.clone()))).unwrap();
    with_layer(loggers.into_layer(), || {
        let log = || info!(target: "app", "m");
        (0..3).for_each(|_| log());
        clock.advance(SECOND);
        log();
        let messages: Vec<_> = to.take().iter().map(|record| record.message().to_owned()).collect();
        assert_eq!(messages, ["m", "m … 2 similar", "m"]);
        log();
    });
    assert_eq!(to.only().message(), "m … 1 similar");
}

#[test]
fn behind_a_queue_the_account_is_right() {
    let to = Records::default();
    let (queue, guard) =
        Queue::builder().build_with_guard(to.clone().filter(RateLimit::new(1, 1_000 * SECOND))).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    with_layer(layer, || (0..10).for_each(served));
    guard.shutdown(Duration::from_secs(20)).unwrap();
    assert_eq!(to.take().len(), 2);
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.filtered, stats.queued, stats.accepted()), (2, 9, 0, 11));
}

#[test]
fn a_sample_passes_the_first_and_each_nth() {
    let seen = limited(
        |clock| Sample::one_in(4).clock(clock),
        |seen| {
            (0..9).for_each(served);
            let records = seen.to.take();
            let numbers: Vec<_> = records.iter().filter_map(|record| record.get("number")?.as_i64()).collect();
            let similar: Vec<_> =
                records.iter().map(|record| record.get("similar").and_then(|count| count.as_u64())).collect();
            assert_eq!(numbers, [0, 1, 4, 5, 8]);
            assert_eq!(similar, [None, Some(3), None, Some(3), None]);
            served(9);
            // After a while the count is told even if no other of its kind comes.
            seen.clock.advance(60 * SECOND);
            debug!("another");
            assert_eq!(seen.take(), ["served … 1 similar", "another"]);
        },
    );
    assert!(seen.take().is_empty());
    limited(
        |_| Sample::one_in(1),
        |seen| {
            (0..9).for_each(served);
            assert_eq!(seen.take(), ["served"; 9]);
        },
    );
}

#[test]
fn traces_are_sampled_as_a_whole() {
    let sample = Sample::traces(4);
    let seen = limited(
        |_| sample.clone(),
        |seen| {
            let mut passed = 0;
            for low in 0..1_000_u64 {
                // Evenly spread ids.
                let id = u128::from(low.wrapping_mul(u64::MAX / 1_000)) | 1 << 100;
                let parent = TraceParent::new(id, 1, 1).unwrap().to_string();
                info_span!("request", traceparent = parent.as_str()).in_scope(|| (0..3).for_each(served));
                let count = seen.to.take().iter().filter(|record| record.get("similar").is_none()).count();
                assert!(count == 0 || count == 3, "{count}");
                // OpenTelemetry's rule: the lower half, shifted by one, is below the ratio.
                assert_eq!(count == 3, (id as u64 >> 1) < (1 << 63) / 4);
                passed += count;
            }
            assert!((700..800).contains(&passed), "{passed}");
            assert_eq!(sample.stats().refused, 3_000 - passed as u64);
            // Outside of a trace: by call site.
            (0..5).for_each(|number| info!(number, "no trace"));
            let records = seen.to.take();
            assert_eq!(records.iter().filter(|record| record.message() == "no trace").count(), 2);
        },
    );
    // All in one, at the end: nothing made it necessary to tell of them before.
    assert_eq!(seen.take(), [format!("served … {} similar", sample.stats().refused - 3)]);
}

#[test]
fn a_sample_picks_trees_for_a_flight_recorder() {
    let to = Records::default();
    let layer = FlightRecorder::new(to.clone()).trigger(Sample::traces(2)).into_layer();
    with_layer(layer, || {
        for low in [1_u128, u128::from(u64::MAX)] {
            let parent = TraceParent::new(1 << 100 | low, 1, 1).unwrap().to_string();
            info_span!("request", traceparent = parent.as_str(), low = low as u64).in_scope(|| debug!("m"));
        }
    });
    assert_eq!(to.only().get("low").and_then(|low| low.as_u64()), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever comes when: what passed and what was told is what came.
    #[test]
    fn t71_nothing_is_refused_without_being_told(
        plan in proptest::collection::vec((0..30u64, 0..4u64), 0..300),
        most in 1..5u32,
        keys in 1..20usize,
        samples in any::<bool>(),
    ) {
        let (to, clock) = (Records::default(), ManualClock::at(0));
        let limit = RateLimit::new(most, 3 * SECOND).by("kind").max_keys(keys).clock(clock.clone());
        let sample = Sample::one_in(most).by("kind").max_keys(keys).summary_interval(3 * SECOND).clock(clock.clone());
        let handler = match samples {
            true => to.clone().filter(sample).boxed(),
            false => to.clone().filter(limit).boxed(),
        };
        let layer = handler.into_layer();
        let ledger = layer.ledger();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for (kind, seconds) in &plan {
                clock.advance(*seconds as u32 * SECOND);
                info!(kind, "m");
            }
        });
        crate::support::let_go();
        let records = to.take();
        let told: u64 = records.iter().filter_map(|record| record.get("similar")?.as_u64()).sum();
        let passed = records.iter().filter(|record| record.get("similar").is_none()).count() as u64;
        prop_assert_eq!(passed + told, plan.len() as u64);
        prop_assert_eq!(ledger.stats().filtered, told);
        prop_assert_eq!(ledger.stats().written, records.len() as u64);
        // The first of each kind came first.
        for kind in 0..30 {
            let first = records.iter().find(|record| record.get("kind").and_then(|k| k.as_u64()) == Some(kind));
            prop_assert!(first.is_none_or(|first| first.get("similar").is_none()));
        }
    }
}
