//! The suite for handlers.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::records::hostile;
use crate::{Handler, NamedHandler, Record, Severity, ledger::ErrorHandler};

/// How long a step may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A handler under its own name, and the panics that were caught in it.
struct Subject {
    handler: NamedHandler,
    panics: Arc<Mutex<Vec<String>>>,
}

impl Subject {
    fn new(handler: impl Handler) -> Self {
        let panics = Arc::new(Mutex::new(Vec::new()));
        let there = Arc::clone(&panics);
        let error_handler = ErrorHandler::new(move |failure| {
            if failure.error().is_panic() {
                there.lock().unwrap_or_else(PoisonError::into_inner).push(failure.error().to_string());
            }
        });
        Self { handler: NamedHandler::with_error_handler("conformance", handler, error_handler), panics }
    }

    /// All records are accounted for; after a flush none is queued; none was dropped without a word.
    #[track_caller]
    fn check(&self, what: &str, given: u64) {
        let accepted = self.handler.stats().accepted();
        assert!(accepted == given, "{what}: {given} records were given, {accepted} are on the account");
        self.handler.flush().unwrap_or_default();
        let stats = self.handler.stats();
        assert!(stats.queued == 0, "{what}: after a flush, {} records have no end: {stats}", stats.queued);
        let panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(panics.is_empty(), "{what}: {}", panics.join("; "));
    }
}

/// Checks a handler: `make` gives a new one for each step.
///
/// | step | it must |
/// |---|---|
/// | hostile records | not panic, whatever is in a record |
/// | the account | say of each record what became of it, at the latest with a flush |
/// | a flush without records, and one after another | come back |
/// | many threads, while others flush | lose no record from the account, and come to an end within 60 seconds |
/// | its level | take nothing below what [`describe`](Handler::describe) says |
/// | its end | end what it still has when it is dropped |
///
/// A record that it fails to write, or drops on purpose, is on the account: that is no mistake. Returning
/// [`Outcome::Queued`](crate::Outcome::Queued) without having [taken](crate::Delivery::take) the record is one, and so is
/// dropping a record that was taken.
///
/// # Panics
/// It does not: the message says at which step.
#[track_caller]
pub fn handler<H: Handler>(make: impl Fn() -> H) {
    hostile_records(&make);
    account(&make);
    level(&make);
    threads(&make);
    end(&make);
}

fn record(n: u64) -> Record {
    let mut record = Record::new(Severity::CRITICAL, "conformance", "a record");
    record.set("n", n);
    record
}

#[track_caller]
fn hostile_records<H: Handler>(make: &impl Fn() -> H) {
    for (what, mut record) in hostile() {
        record.set_severity(record.severity().max(Severity::CRITICAL));
        let subject = Subject::new(make());
        subject.handler.emit(&record);
        subject.check(what, 1);
    }
}

#[track_caller]
fn account<H: Handler>(make: &impl Fn() -> H) {
    let subject = Subject::new(make());
    subject.check("a flush without records", 0);
    for given in 1..=100 {
        subject.handler.emit(&record(given));
        let accepted = subject.handler.stats().accepted();
        assert!(accepted == given, "the account: {given} records were given, {accepted} are on it");
    }
    subject.check("the account", 100);
    subject.check("a second flush", 100);
    let lost = lost_silently(&subject);
    assert!(lost == 0, "the account: {lost} records were neither ended nor kept (`Queued` without `take`, or dropped)");
}

/// Losses that no policy of the handler's stands for.
fn lost_silently(subject: &Subject) -> u64 {
    let lost = subject.handler.ledger().counters().take_unreported_losses();
    lost.saturating_sub(subject.handler.stats().failed)
}

#[track_caller]
fn level<H: Handler>(make: &impl Fn() -> H) {
    let subject = Subject::new(make());
    let min_level = subject.handler.describe().min_level;
    if min_level <= Severity::new(1) {
        return;
    }
    subject.handler.emit(&Record::new(Severity::new(min_level.number() - 1), "conformance", "below"));
    subject.check("its level", 1);
    let written = subject.handler.stats().written;
    assert!(written == 0, "its level: `describe` says {min_level}, and a record below that was written");
}

#[track_caller]
fn threads<H: Handler>(make: &impl Fn() -> H) {
    const THREADS: u64 = 8;
    const RECORDS: u64 = 200;
    let subject = Arc::new(Subject::new(make()));
    let (done, finished) = mpsc::channel();
    for thread in 0..THREADS {
        let (subject, done) = (Arc::clone(&subject), done.clone());
        thread::spawn(move || {
            for n in 0..RECORDS {
                subject.handler.emit(&record(n));
                if n % 50 == thread {
                    subject.handler.flush().unwrap_or_default();
                }
            }
            done.send(()).unwrap_or_default();
        });
    }
    for _ in 0..THREADS {
        let came_back = finished.recv_timeout(DEADLINE).is_ok();
        assert!(came_back, "many threads: one has not come back within {} seconds", DEADLINE.as_secs());
    }
    subject.check("many threads", THREADS * RECORDS);
}

#[track_caller]
fn end<H: Handler>(make: &impl Fn() -> H) {
    let subject = Subject::new(make());
    (0..10).for_each(|n| subject.handler.emit(&record(n)));
    let ledger = subject.handler.ledger();
    drop(subject);
    let stats = ledger.stats();
    assert!((stats.accepted(), stats.queued) == (10, 0), "its end: records without an end are left: {stats}");
}
