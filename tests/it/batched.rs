//! `Batched`: batches by number and size, what finds no room, and the end.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use tracing_strata::{
    Error, NamedHandler, Record, Severity,
    ledger::ErrorHandler,
    output::{Answer, Attempt, Batch, Batched, Null},
    prelude::*,
    record::OwnedRecord,
};

/// Messages, by batch. Nothing is answered while the gate is closed.
#[derive(Clone, Default)]
struct Place(Arc<State>);

#[derive(Default)]
struct State {
    batches: Mutex<Vec<Vec<String>>>,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Place {
    fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }

    fn batches(&self) -> Vec<Vec<String>> {
        self.0.batches.lock().unwrap().clone()
    }
}

impl Batch for Place {
    fn send(&self, records: &[OwnedRecord], _: &Attempt) -> Answer {
        self.0.batches.lock().unwrap().push(records.iter().map(|record| record.message().to_owned()).collect());
        drop(self.0.opened.wait_while(self.0.is_open.lock().unwrap(), |open| !*open).unwrap());
        Answer::Accepted
    }
}

fn emit(handler: &NamedHandler, severity: Severity, message: &str) {
    handler.emit(&Record::new(severity, "t", message));
}

#[test]
fn a_batch_is_full_by_number_or_by_size() {
    let place = Place::default();
    place.open();
    let minute = Duration::from_secs(60);
    let by_number = Batched::builder(place.clone()).max_batch(3).schedule_delay(minute).build().unwrap().named("n");
    (0..7).for_each(|n| emit(&by_number, Severity::INFO, &n.to_string()));
    by_number.flush().unwrap();
    assert_eq!(place.batches(), [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]]);

    let place = Place::default();
    place.open();
    let by_size = Batched::builder(place.clone()).max_batch_bytes(10_000).schedule_delay(minute).build().unwrap();
    let by_size = by_size.named("s");
    for n in 0..4 {
        emit(&by_size, Severity::INFO, &n.to_string().repeat(4_000));
    }
    // One that is larger than a batch is a batch of its own.
    emit(&by_size, Severity::INFO, &"x".repeat(20_000));
    by_size.flush().unwrap();
    assert_eq!(place.batches().iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!((by_size.stats().written, by_size.stats().queued), (5, 0));
}

/// Errors take the place of others, and the next batch says how many were lost.
#[test]
fn t13_what_finds_no_room_is_told_in_band() {
    let place = Place::default();
    let top = Batched::builder(place.clone()).capacity(4).max_batch(2).name("place").build().unwrap().named("top");
    emit(&top, Severity::INFO, "first");
    emit(&top, Severity::INFO, "second");
    while place.batches().is_empty() {
        std::thread::yield_now();
    }
    for n in 0..5 {
        emit(&top, Severity::INFO, &n.to_string());
    }
    emit(&top, Severity::ERROR, "error");
    assert_eq!((top.stats().dropped, top.stats().queued), (4, 4));
    place.open();
    top.flush().unwrap();
    assert_eq!(place.batches(), [vec!["first", "second"], vec!["0", "error", "4 records lost"]]);
    let stats = top.stats();
    assert_eq!((stats.accepted(), stats.written, stats.dropped, stats.queued), (8, 4, 4, 0));
}

#[test]
fn t11_the_end_says_what_could_not_be_sent() {
    struct Away;
    impl Batch for Away {
        fn send(&self, _: &[OwnedRecord], _: &Attempt) -> Answer {
            Answer::retry(Error::new("nobody answers"))
        }
    }

    let told = Arc::<Mutex<Vec<String>>>::default();
    let all = Arc::clone(&told);
    let error_handler = ErrorHandler::new(move |failure| all.lock().unwrap().push(failure.error().to_string()));
    let away = Batched::builder(Away).name("away").flush_timeout(Duration::from_millis(20)).build().unwrap();
    let top = NamedHandler::with_error_handler("top", away, error_handler);
    (0..3).for_each(|n| emit(&top, Severity::INFO, &n.to_string()));
    let error = top.flush().unwrap_err().to_string();
    assert!(error.starts_with("away: flush: 3 records not sent within 20ms"), "{error}");
    let ledger = top.ledger();
    drop(top);
    let last = told.lock().unwrap().join("\n");
    assert!(last.contains("away: shutdown: 3 records not sent within 20ms"), "{last}");
    while ledger.stats().queued > 0 {
        std::thread::yield_now();
    }
    assert_eq!(ledger.stats().dropped, 3);
}

#[test]
fn limits_of_nothing_are_refused() {
    for builder in [Batched::builder(Place::default()).capacity(0), Batched::builder(Place::default()).max_batch(0)] {
        let error = builder.name("nothing").build().unwrap_err();
        assert!(error.is_config() && error.to_string().ends_with("expected at least 1, got 0"), "{error}");
    }
}

/// What is refused goes on to the fallback.
#[test]
fn a_fallback_takes_what_is_refused() {
    struct Refuses;
    impl Batch for Refuses {
        fn send(&self, _: &[OwnedRecord], _: &Attempt) -> Answer {
            Answer::Refused(Error::new("no"))
        }
    }

    let top = Batched::builder(Refuses).build().unwrap().fallback(Null).notices(false).named("top");
    (0..3).for_each(|n| emit(&top, Severity::INFO, &n.to_string()));
    top.flush().unwrap();
    let stats = top.stats();
    assert_eq!((stats.written, stats.fallback_written, stats.failed, stats.queued), (3, 3, 0, 0));
}

/// Between threads, time does not go back in what was waiting.
#[test]
fn t92_records_of_several_threads_are_sent_by_time() {
    let place = Place::default();
    let top = Batched::builder(place.clone()).max_batch(20).schedule_delay(Duration::from_secs(60)).build().unwrap();
    let top = top.named("top");
    emit(&top, Severity::INFO, "first");
    std::thread::scope(|scope| {
        scope.spawn(|| drop(top.flush()));
        while place.batches().is_empty() {
            std::thread::yield_now();
        }
        for thread in 0..3 {
            let top = &top;
            let send = move || {
                for n in 0..4 {
                    let number = 3 * n + thread;
                    let mut record = Record::new(Severity::INFO, "t", &format!("{number:02}"));
                    record.set_time(std::time::UNIX_EPOCH + Duration::from_secs(number));
                    top.emit(&record);
                }
            };
            scope.spawn(send).join().unwrap();
        }
        place.open();
    });
    top.flush().unwrap();
    let sent = place.batches().concat();
    assert!(sent.len() == 13 && sent[1..].is_sorted(), "{sent:?}");
}
