//! Handlers that keep records, on loggers: none is copied for it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Loggers, Outcome, OwnedDelivery, Queue, Record};

use super::with;

fn place(record: &Record) -> usize {
    record.message().as_ptr().addr()
}

/// Remembers where records lie.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<usize>>>);

impl Handler for Places {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(place(&record));
        Ok(Outcome::Written)
    }
}

#[test]
fn a_queue_on_a_logger_copies_nothing() {
    const LONG: Duration = Duration::from_secs(60);
    let (here, there) = (Places::default(), Places::default());
    let (queue, guard) = Queue::builder().build_with_guard(there.clone()).unwrap();
    let loggers = Loggers::parse("info").unwrap();
    loggers.add_handler("shop", here.clone().named("here")).unwrap();
    loggers.add_handler("root", queue.named("queue")).unwrap();
    with(&loggers, || {
        for number in 0..100 {
            tracing::info!(target: "shop::orders", "a record of some length, number {number}");
        }
        guard.shutdown(LONG).unwrap();
    });
    let (here, there) = (here.0.lock().unwrap(), there.0.lock().unwrap());
    assert_eq!((here.len(), &*here), (100, &*there));
}

/// Keeps records, and remembers where each lay when it came.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<(usize, OwnedDelivery)>>>);

impl Handler for Keeper {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let place = place(&record);
        self.0.lock().unwrap().push((place, record.take()));
        Ok(Outcome::Queued)
    }
}

#[test]
fn a_handler_that_keeps_a_record_gets_the_record_itself_whatever_way_it_hangs() {
    let loggers = Loggers::parse("info").unwrap();
    loggers.set_last_resort(None);
    let (seen, kept) = (Places::default(), Keeper::default());
    let keeper = kept.clone().named("keeper");
    // How many see it, and how many keep it.
    let log = |target: &'static str, expected: (usize, usize)| {
        with(&loggers, || match target {
            "a.b" => tracing::error!(target: "a::b", "a record of some length"),
            "c" => tracing::error!(target: "c", "a record of some length"),
            _ => tracing::error!(target: "d", "a record of some length"),
        });
        let seen = std::mem::take(&mut *seen.0.lock().unwrap());
        let kept = std::mem::take(&mut *kept.0.lock().unwrap());
        assert_eq!((seen.len(), kept.len()), expected);
        assert_eq!(keeper.stats().queued, expected.1 as u64);
        for (before, delivery) in kept {
            assert_eq!(place(&delivery), before, "a copy");
            assert!(seen.iter().all(|place| *place == before), "a copy");
            delivery.written();
        }
        assert_eq!(keeper.stats().queued, 0);
    };
    log("a.b", (0, 0));
    loggers.add_handler("a.b", seen.clone().named("keeps nothing")).unwrap();
    log("a.b", (1, 0));
    loggers.add_handler("a", keeper.clone()).unwrap();
    for level in [10, 20, 30] {
        loggers.set_level("a", tracing_strata::Severity::new(level)).unwrap();
        (0..10).for_each(|_| log("a.b", (1, 1)));
    }
    // Whoever keeps it first, the next one sees the same.
    loggers.add_handler("root", seen.clone().named("nor this one")).unwrap();
    log("a.b", (2, 1));
    assert!(loggers.remove_handler("a", &keeper));
    log("a.b", (2, 0));

    // Whatever way it comes and goes.
    loggers.copy_from(&Loggers::parse("info").unwrap());
    loggers.set_last_resort(Some(keeper.clone()));
    log("c", (0, 1));
    loggers.set_last_resort(None);
    log("c", (0, 0));
    loggers.add_handler("c", keeper.clone()).unwrap();
    log("c", (0, 1));
    assert!(loggers.remove("c"));
    log("c", (0, 0));
    let others = Loggers::parse("info").unwrap();
    others.set_last_resort(None);
    others.add_handler("d", keeper.clone()).unwrap();
    loggers.copy_from(&others);
    log("d", (0, 1));
    loggers.copy_from(&Loggers::parse("info").unwrap());
    loggers.set_last_resort(None);
    log("d", (0, 0));
    assert_eq!((keeper.stats().accepted(), keeper.stats().written), (34, 34));
}
