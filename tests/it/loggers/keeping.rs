//! Handlers that keep records, on loggers: a record is captured where keeping it needs no copy.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tracing_strata::{Error, Handler, Loggers, Outcome, Queue, Record, handler::Memory};

use super::with;

/// Remembers where records lie.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<usize>>>);

impl Handler for Places {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(record.message().as_ptr().addr());
        Ok(Outcome::Written)
    }
}

#[test]
fn a_queue_on_a_logger_copies_nothing() {
    const LONG: Duration = Duration::from_secs(60);
    let (here, there) = (Places::default(), Places::default());
    let (queue, guard) = Queue::builder().spawn(there.clone()).unwrap();
    let loggers = Loggers::parse("info").unwrap();
    loggers.add_handler("shop", here.clone().shared("here")).unwrap();
    loggers.add_handler("root", queue.shared("queue")).unwrap();
    with(&loggers, || {
        for number in 0..100 {
            tracing::info!(target: "shop::orders", "a record of some length, number {number}");
        }
        guard.shutdown(LONG).unwrap();
    });
    let (here, there) = (here.0.lock().unwrap(), there.0.lock().unwrap());
    assert_eq!((here.len(), &*here), (100, &*there));
}

/// Says that it keeps, and counts how often it is asked.
struct Keeper(Arc<AtomicUsize>);

impl Handler for Keeper {
    fn handle(&self, _: &Record) -> Result<Outcome, Error> {
        Ok(Outcome::Written)
    }

    fn keeps(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }
}

#[test]
fn a_router_keeps_where_any_of_its_handlers_does_and_asks_once() {
    let loggers = Loggers::parse("info").unwrap();
    let router = loggers.router();
    assert!(!router.keeps());
    loggers.add_handler("a.b", Places::default().shared("keeps nothing")).unwrap();
    assert!(!router.keeps());
    let asked = Arc::new(AtomicUsize::new(0));
    let keeper = Keeper(Arc::clone(&asked)).shared("keeper");
    loggers.add_handler("a", keeper.clone()).unwrap();
    // Levels change often, and it need not be asked again then.
    for level in [10, 20, 30] {
        loggers.set_level("a", tracing_strata::Severity::new(level)).unwrap();
        assert!((0..10).all(|_| router.keeps()));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(loggers.remove_handler("a", &keeper));
    assert!(!router.keeps());

    // Whatever way it comes and goes.
    loggers.set_last_resort(Some(keeper.clone()));
    assert!(router.keeps());
    loggers.set_last_resort(None);
    assert!(!router.keeps());
    loggers.add_handler("c", keeper).unwrap();
    assert!(router.keeps());
    assert!(loggers.remove("c"));
    assert!(!router.keeps());
    let others = Loggers::new();
    others.add_handler("d", Memory::new(10).shared("memory")).unwrap();
    loggers.copy_from(&others);
    assert!(router.keeps());
    loggers.copy_from(&Loggers::new());
    assert!(!router.keeps());
}
