//! A fallback while the first one is away.

use std::{
    io::{BufRead as _, BufReader},
    sync::atomic::{AtomicU8, Ordering},
};

use tracing_strata::{Error, Handler, Outcome, Record, Severity, Shared, trap::Trap};

use super::{bare, eager, listen, record};
use crate::{places::remembering, support::Memory};

/// Written, failed, panicked, dropped, filtered, as told.
struct Fickle(&'static AtomicU8);

impl Handler for Fickle {
    fn handle(&self, _: &Record) -> Result<Outcome, Error> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(Outcome::Written),
            1 => Err(Error::new("nobody there")),
            2 => panic!("scripted"),
            3 => Ok(Outcome::Dropped),
            _ => Ok(Outcome::Filtered),
        }
    }
}

fn messages(memory: &Memory) -> Vec<String> {
    memory.take().iter().map(|record| record.message().to_owned()).collect()
}

#[test]
fn the_ledgers_say_where_each_record_went() {
    static MOOD: AtomicU8 = AtomicU8::new(0);
    let memory = Memory::default();
    let handler = Fickle(&MOOD).or_else(memory.clone());
    let fallback = handler.fallback().clone();
    let (trap, told) = remembering();
    let handler = Shared::with_trap("remote", handler, trap);
    for (mood, message) in [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e"), (1, "f"), (0, "g"), (0, "h"), (1, "i")] {
        MOOD.store(mood, Ordering::Relaxed);
        handler.deliver(&record(message));
    }
    let away = "handler \"remote\" is away; its records come here";
    assert_eq!(messages(&memory), [away, "b", "c", "d", "f", "handler \"remote\" is back", away, "i"]);
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written, stats.rescued, stats.filtered, stats.failed), (9, 8, 5, 1, 0));
    assert_eq!(fallback.stats().written, 8);
    assert!(stats.to_string().contains("(5 by a fallback)"), "{stats}");
    // The trap hears of it when it goes, not for each record.
    assert_eq!(*told.lock().unwrap(), ["nobody there", "nobody there"]);
}

#[test]
fn the_notices_are_records_and_can_be_left_out() {
    static MOOD: AtomicU8 = AtomicU8::new(1);
    let memory = Memory::default();
    let handler = Fickle(&MOOD).or_else(memory.clone());
    handler.handle(&record("a")).unwrap();
    MOOD.store(0, Ordering::Relaxed);
    handler.handle(&record("b")).unwrap();
    let records = memory.take();
    assert_eq!((records[0].severity(), records[0].target()), (Severity::WARN, "tracing_strata"));
    assert_eq!(records[0].get("error").unwrap().to_string(), "nobody there");
    assert_eq!(records[2].severity(), Severity::INFO);
    assert_eq!(records[2].get("records").unwrap().as_u64(), Some(1));

    MOOD.store(1, Ordering::Relaxed);
    let handler = Fickle(&MOOD).or_else(memory.clone()).notices(false);
    handler.handle(&record("a")).unwrap();
    assert!(handler.is_away());
    MOOD.store(0, Ordering::Relaxed);
    handler.handle(&record("b")).unwrap();
    assert_eq!((messages(&memory), handler.is_away()), (vec!["a".to_owned()], false));
}

#[test]
fn a_record_that_both_fail_at_is_failed_with_the_first_ones_error() {
    static FIRST: AtomicU8 = AtomicU8::new(1);
    static SECOND: AtomicU8 = AtomicU8::new(2);
    let handler = Fickle(&FIRST).or_else(Fickle(&SECOND));
    let fallback = handler.fallback().clone();
    fallback.set_trap(Trap::silent());
    let (trap, told) = remembering();
    let handler = Shared::with_trap("remote", handler, trap);
    handler.deliver(&record("lost"));
    assert_eq!((handler.stats().failed, fallback.stats().failed), (1, 2));
    assert_eq!(told.lock().unwrap().last().unwrap(), "nobody there");
}

#[test]
fn behind_a_queue_the_fallback_takes_over_and_gives_back() {
    let (listener, address) = listen();
    let port = listener.local_addr().unwrap();
    drop(listener);
    let memory = Memory::default();
    let queue = bare(eager(address)).or_else(memory.clone()).build().unwrap();
    let handler = Shared::with_trap("collector", queue, Trap::silent());
    let ledger = handler.ledger();
    (0..3).for_each(|number| handler.deliver(&record(&format!("away {number}"))));
    handler.flush().unwrap();
    let listener = std::net::TcpListener::bind(port).unwrap();
    (0..3).for_each(|number| handler.deliver(&record(&format!("here {number}"))));
    handler.flush().unwrap();
    drop(handler);
    let mut text = String::new();
    BufReader::new(listener.accept().unwrap().0).read_line(&mut text).unwrap();
    assert_eq!(text, "6 here 06 here 16 here 2");
    let got = messages(&memory);
    assert_eq!(got.len(), 5, "{got:?}");
    assert!(got[0].ends_with("is away; its records come here") && got[4].ends_with("is back"), "{got:?}");
    assert_eq!(got[1..4], ["away 0", "away 1", "away 2"]);
    let stats = ledger.stats();
    assert_eq!((stats.accepted(), stats.written, stats.rescued, stats.failed), (6, 6, 3, 0));
}
