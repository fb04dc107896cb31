//! Whatever happens in whatever order: what went in came out or was counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use proptest::prelude::*;
use tracing::{Dispatch, Span, debug, dispatcher, error, info, info_span};
use tracing_strata::{
    Delivery, Error, FlightRecorder, Handler, HandlerExt as _, MemoryBuffer, Outcome, Severity, ledger::ErrorHandler,
};
use tracing_subscriber::{layer::SubscriberExt as _, registry};

/// Counts what it gets (but for notices), and fails or panics now and then.
#[derive(Clone, Default)]
struct Moody {
    got: Arc<AtomicU64>,
    notices: Arc<AtomicU64>,
}

impl Handler for Moody {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if let Some(lost) = record.get("lost").and_then(|lost| lost.as_u64()) {
            self.notices.fetch_add(lost, Ordering::Relaxed);
            return Ok(Outcome::Written);
        }
        let count = self.got.fetch_add(1, Ordering::Relaxed);
        match count % 7 {
            3 => Err(Error::new("moody")),
            5 => std::panic::resume_unwind(Box::new("moody")),
            _ => Ok(Outcome::Written),
        }
    }
}

/// How many of those it got it failed at.
fn failed_of(got: u64) -> u64 {
    got / 7 * 2 + u64::from(got % 7 > 3) + u64::from(got % 7 > 5)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Debug(usize),
    Info(usize),
    Error(usize),
    Big(usize),
    Close(usize),
    Pick(usize),
    OutsideSpan,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let span = 0..6usize;
    let step = prop_oneof![
        8 => span.clone().prop_map(Step::Debug),
        2 => span.clone().prop_map(Step::Info),
        1 => span.clone().prop_map(Step::Error),
        2 => span.clone().prop_map(Step::Big),
        2 => span.clone().prop_map(Step::Close),
        1 => span.prop_map(Step::Pick),
        1 => Just(Step::OutsideSpan),
    ];
    proptest::collection::vec(step, 0..200)
}

/// Does the steps; how many records that makes.
fn play(steps: &[Step]) -> u64 {
    let mut open: Vec<Span> = (0..6).map(|id| info_span!("request", id)).collect();
    let mut records = 0;
    for step in steps {
        records += 1;
        match *step {
            Step::Debug(span) => open[span].in_scope(|| debug!("m")),
            Step::Info(span) => open[span].in_scope(|| info!("m")),
            Step::Error(span) => open[span].in_scope(|| error!("m")),
            Step::Big(span) => open[span].in_scope(|| debug!(text = "x".repeat(3_000), "m")),
            Step::OutsideSpan => debug!("m"),
            Step::Close(span) => {
                records -= 1;
                open[span] = info_span!("request", id = span);
            }
            Step::Pick(span) => {
                records -= 1;
                open[span].in_scope(FlightRecorder::trigger_current);
            }
        }
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_recorder_accounts_for_all(plans in proptest::collection::vec(steps(), 1..4), records in 1..20usize, trees in 1..6usize) {
        let to = Moody::default();
        let target = tracing_strata::NamedHandler::with_error_handler("moody", to.clone(), ErrorHandler::silent());
        let recorder = FlightRecorder::new(target.clone()).tree_records(records).tree_bytes(8_000).max_trees(trees).max_bytes(12_000);
        let recorder = Arc::new(recorder);
        let layer = recorder.clone().into_layer();
        let ledger = layer.ledger();
        let dispatch = Dispatch::new(registry().with(layer));
        let sent: u64 = thread::scope(|scope| {
            let threads: Vec<_> = plans
                .iter()
                .map(|steps| scope.spawn(|| dispatcher::with_default(&dispatch, || play(steps))))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // All spans are closed: nothing is held any more.
        let stats = ledger.stats();
        let got = to.got.load(Ordering::Relaxed);
        prop_assert_eq!((stats.accepted(), stats.queued), (sent, 0));
        prop_assert_eq!((stats.written, stats.failed), (got - failed_of(got), failed_of(got)));
        prop_assert_eq!((recorder.stats().bytes, recorder.stats().trees), (0, 0));
        prop_assert!(to.notices.load(Ordering::Relaxed) <= recorder.stats().lost);
        prop_assert!(recorder.stats().lost <= stats.dropped);
        let theirs = target.stats();
        prop_assert_eq!((theirs.failed, theirs.written), (failed_of(got), theirs.written));
        drop(dispatch);
        crate::support::let_go();
    }

    #[test]
    fn a_memory_accounts_for_all(plans in proptest::collection::vec(steps(), 1..4), capacity in 0..40usize, close in any::<bool>()) {
        let to = Moody::default();
        let target = tracing_strata::NamedHandler::with_error_handler("moody", to.clone(), ErrorHandler::silent());
        let memory = MemoryBuffer::new(capacity).max_bytes(10_000).flush_at(Severity::ERROR).flush_on_close(close).target(target);
        let layer = memory.into_layer();
        let ledger = layer.ledger();
        let dispatch = Dispatch::new(registry().with(layer));
        let sent: u64 = thread::scope(|scope| {
            let threads: Vec<_> = plans
                .iter()
                .map(|steps| scope.spawn(|| dispatcher::with_default(&dispatch, || play(steps))))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        drop(dispatch);
        crate::support::let_go();
        let stats = ledger.stats();
        let got = to.got.load(Ordering::Relaxed);
        prop_assert_eq!((stats.accepted(), stats.queued, stats.failed), (sent, 0, failed_of(got)));
        prop_assert_eq!(stats.written, got - failed_of(got));
        prop_assert!(!close || stats.dropped == to.notices.load(Ordering::Relaxed));
    }
}
