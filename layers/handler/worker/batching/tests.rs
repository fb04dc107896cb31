//! Batches that are accepted, refused, retried and discarded.

use std::{
    panic::resume_unwind,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::*;
use crate::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Record, Severity,
    ledger::{Ledger, Receipt},
    record::OwnedRecord,
};

/// Takes, refuses, is away for good or for a moment, and panics, as the dice say.
struct Moody {
    dice: Mutex<fastrand::Rng>,
    taken: Arc<Mutex<Vec<u64>>>,
}

impl Export for Moody {
    type Item = OwnedRecord;
    type Client = ();

    fn connect(&self) -> Result<(), Error> {
        Ok(())
    }

    fn send(&self, (): &mut (), batch: &[OwnedRecord], _: &Attempt) -> Answer {
        let error = || Error::new("scripted");
        let mut dice = self.dice.lock().unwrap();
        let ids = batch.iter().map(|record| id(record));
        let refused = match dice.u32(0..8) {
            0 => return Answer::Refused(error()),
            1 => return Answer::Retry { after: Some(Duration::MAX), error: error() },
            2 => return Answer::Retry { after: Some(Duration::ZERO), error: error() },
            3 => resume_unwind(Box::new("scripted")),
            4 => return Answer::Split(error()),
            5 => {
                // The last ones may have no verdict.
                let verdict = |id| match dice.u32(0..3) {
                    0 => Verdict::Refused(error()),
                    _ => {
                        self.taken.lock().unwrap().push(id);
                        Verdict::Accepted
                    }
                };
                return Answer::Each(ids.map(verdict).collect());
            }
            6 => 1,
            _ => 0,
        };
        self.taken.lock().unwrap().extend(ids.skip(refused));
        match refused {
            0 => Answer::Accepted,
            refused => Answer::Partial { refused, error: error() },
        }
    }
}

struct Batched(BatchWorker<Moody>);

impl Handler for Batched {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.learn_ledger(|| delivery.ledger());
        let (record, receipt) = delivery.take().split();
        self.0.put(record, 1, receipt);
        Ok(Outcome::Queued)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        self.0.flush()
    }
}

#[derive(Clone, Default)]
struct Collect(Arc<Mutex<Vec<u64>>>);

impl Handler for Collect {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(id(&delivery));
        Ok(Outcome::Written)
    }
}

fn config(output: &'static str) -> BatchConfig {
    BatchConfig {
        output: output.into(),
        what: "records",
        thread: output.into(),
        capacity: 1_000,
        max_bytes: 1_000,
        overflow: Overflow::DropNewest,
        max_batch: 512,
        batch_bytes: 1_000,
        delay: Duration::ZERO,
        retry_for: Duration::from_secs(60),
        spool: None,
    }
}

const SENDERS: u64 = 2;
const EACH: u64 = 30;

fn record(id: u64) -> Record {
    Record::new(Severity::INFO, "t", &id.to_string())
}

fn id(record: &Record) -> u64 {
    record.message().parse().unwrap()
}

fn in_order(ids: &[u64]) -> bool {
    let of = |sender: u64| ids.iter().filter(move |id| **id / EACH == sender);
    (0..SENDERS).all(|sender| of(sender).is_sorted())
}

/// Whatever the other side says: each record is taken there or by the fallback, once and in order.
#[test]
fn a_fallback_gets_what_a_batch_did_not_bring_there() {
    for seed in 0..300 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let config = BatchConfig {
            max_batch: dice.usize(1..20),
            batch_bytes: dice.usize(1..20),
            delay: Duration::from_micros(dice.u64(0..500)),
            ..config("moody")
        };
        let (taken, rest) = (Arc::<Mutex<Vec<u64>>>::default(), Collect::default());
        let export = Moody { dice: Mutex::new(dice), taken: Arc::clone(&taken) };
        let worker = BatchWorker::new(export, config, Duration::from_secs(60));
        worker.start().unwrap();
        let top = Batched(worker.clone()).fallback(rest.clone()).notices(false).named("top");
        top.set_error_handler(crate::ledger::ErrorHandler::silent());
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let top = &top;
                scope.spawn(move || (0..EACH).for_each(|n| top.emit(&record(sender * EACH + n))));
            }
        });
        top.flush().unwrap();
        let (taken, rest) = (taken.lock().unwrap().clone(), rest.0.lock().unwrap().clone());
        let mut all = [&*taken, &*rest].concat();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..SENDERS * EACH), "seed {seed}: {taken:?} and {rest:?}");
        assert!(in_order(&taken) && in_order(&rest), "seed {seed}: {taken:?} and {rest:?}");
        let stats = top.stats();
        let expected = (SENDERS * EACH, rest.len() as u64, 0, 0);
        assert_eq!(
            (stats.written, stats.fallback_written, stats.failed, stats.queued),
            expected,
            "seed {seed}: {stats}"
        );

        worker.begin_shut_down(Duration::from_secs(60)).wait(Duration::from_secs(60)).unwrap();
        top.emit(&record(0));
        assert_eq!(top.stats().fallback_written, expected.1 + 1, "seed {seed}: it came too late");
    }
}

/// Those that are to be sent again come before others, so that the order is kept.
#[test]
fn verdicts_of_each_are_kept_in_order() {
    struct Script(Mutex<Vec<(&'static [u64], Vec<Verdict>)>>);

    impl Export for Script {
        type Item = OwnedRecord;
        type Client = ();

        fn connect(&self) -> Result<(), Error> {
            Ok(())
        }

        fn send(&self, (): &mut (), batch: &[OwnedRecord], attempt: &Attempt) -> Answer {
            let (expected, verdicts) = self.0.lock().unwrap().remove(0);
            assert!(batch.iter().map(|record| id(record)).eq(expected.iter().copied()), "attempt {attempt:?}");
            Answer::Each(verdicts)
        }
    }

    let error = || Error::new("scripted");
    let script = vec![
        (&[0, 1, 2, 3][..], vec![Verdict::Retry(error()), Verdict::Accepted, Verdict::Refused(error())]),
        (&[0, 3], vec![Verdict::Accepted, Verdict::Retry(error())]),
        (&[3], vec![]),
        (&[3], vec![Verdict::Accepted]),
    ];
    let ledger = Ledger::unlisted("script");
    ledger.set_error_handler(crate::ledger::ErrorHandler::silent());
    let config = BatchConfig { max_batch: 4, delay: Duration::from_secs(60), ..config("script") };
    let worker = BatchWorker::new(Script(Mutex::new(script)), config, Duration::from_secs(60));
    worker.start().unwrap();
    worker.learn_ledger(|| Some(Arc::clone(&ledger)));
    (0..4).for_each(|n| worker.put(record(n).keep(), 1, Receipt::on(Some(ledger.counters()))));
    worker.flush().unwrap();
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.failed, stats.dropped, stats.queued), (3, 1, 0, 0));
}

/// The one that is to blame is found and fails; all others arrive, in order.
#[test]
fn t91_one_bad_record_is_found_and_blocks_nothing() {
    struct Picky(Arc<Mutex<(Vec<u64>, u32)>>);

    impl Export for Picky {
        type Item = OwnedRecord;
        type Client = ();

        fn connect(&self) -> Result<(), Error> {
            Ok(())
        }

        fn send(&self, (): &mut (), batch: &[OwnedRecord], _: &Attempt) -> Answer {
            let mut got = self.0.lock().unwrap();
            got.1 += 1;
            match batch.iter().map(|record| id(record)).find(|id| [77, 78, 500].contains(id)) {
                Some(bad) => Answer::Split(Error::new(format!("{bad} is bad"))),
                None => {
                    got.0.extend(batch.iter().map(|record| id(record)));
                    Answer::Accepted
                }
            }
        }
    }

    let got = Arc::<Mutex<(Vec<u64>, u32)>>::default();
    let told = Arc::<Mutex<Vec<String>>>::default();
    let ledger = Ledger::unlisted("picky");
    let all = Arc::clone(&told);
    ledger.set_error_handler(crate::ledger::ErrorHandler::new(move |failure| {
        all.lock().unwrap().push(failure.error().to_string());
    }));
    let config = BatchConfig { max_batch: 1_000, delay: Duration::from_secs(60), ..config("picky") };
    let worker = BatchWorker::new(Picky(Arc::clone(&got)), config, Duration::from_secs(60));
    worker.start().unwrap();
    worker.learn_ledger(|| Some(Arc::clone(&ledger)));
    (0..1_000).for_each(|n| worker.put(record(n).keep(), 1, Receipt::on(Some(ledger.counters()))));
    worker.flush().unwrap();
    let (ids, requests) = &*got.lock().unwrap();
    assert!(ids.iter().copied().eq((0..1_000).filter(|id| ![77, 78, 500].contains(id))));
    assert_eq!((ledger.stats().written, ledger.stats().failed), (997, 3));
    assert!(*requests < 60, "{requests}");
    assert!(told.lock().unwrap()[0].contains("77 is bad"), "{told:?}");
}

/// What has no room and no fallback is dropped; what the deadline of a shutdown overtakes, too.
#[test]
fn what_finds_no_room_and_what_is_left_is_dropped() {
    struct Away;

    impl Export for Away {
        type Item = OwnedRecord;
        type Client = ();

        fn connect(&self) -> Result<(), Error> {
            Ok(())
        }

        fn send(&self, (): &mut (), _: &[OwnedRecord], _: &Attempt) -> Answer {
            Answer::Retry { after: Some(Duration::from_secs(30)), error: Error::new("away") }
        }
    }

    let config = BatchConfig { capacity: 5, max_batch: 2, ..config("away") };
    let ledger = Ledger::unlisted("away");
    let worker = BatchWorker::new(Away, config, Duration::from_secs(60));
    worker.start().unwrap();
    worker.learn_ledger(|| Some(Arc::clone(&ledger)));
    (0..8).for_each(|n| worker.put(record(n).keep(), 1, Receipt::on(Some(ledger.counters()))));
    assert_eq!((ledger.stats().queued, ledger.stats().dropped), (5, 3));
    let error = worker.begin_shut_down(Duration::from_millis(10)).wait(Duration::from_millis(10)).unwrap_err();
    assert!(error.to_string().starts_with("away: shutdown: 5 records not sent within 10ms"), "{error}");
    // The thread gives up what it has in hand.
    while ledger.stats().queued > 0 {
        thread::yield_now();
    }
    assert_eq!((ledger.stats().dropped, ledger.stats().failed), (8, 0));
}
