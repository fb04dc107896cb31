//! Each has a stated answer.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use tracing::{info, info_span, subscriber::set_default};
use tracing_strata::{
    prelude::*,
    testing::{Capture, message},
};
use tracing_subscriber::{prelude::*, registry};

use super::{failure, messages};
use crate::support::MemoryBuffer;

#[test]
fn a_capture_inside_a_capture_both_take_it() {
    let outer = Capture::start();
    info!("1");
    let inner = Capture::start();
    info!("2");
    drop(inner);
    info!("3");
    assert_eq!(messages(&outer), ["1", "2", "3"]);
}

#[test]
fn captures_end_in_any_order() {
    let first = Capture::start();
    let second = Capture::start();
    let third = Capture::start();
    info!("1");
    drop(first);
    info!("2");
    assert_eq!(messages(&second), ["1", "2"]);
    drop(third);
    info!("3");
    assert_eq!(messages(&second), ["1", "2", "3"]);
    drop(second);
    assert!(!tracing::enabled!(tracing::Level::ERROR), "the thread is as it was");
}

#[test]
fn a_span_of_the_outer_capture_does_not_hide_the_inner_one() {
    let outer = Capture::start();
    let span = info_span!("outer");
    let inner = Capture::start();
    span.in_scope(|| info!("in it"));
    assert_eq!((messages(&outer), messages(&inner)), (vec!["in it".to_owned()], vec!["in it".to_owned()]));
}

#[test]
fn a_leaked_capture_ends_with_its_thread() {
    thread::spawn(|| {
        mem::forget(Capture::start());
        let logs = Capture::start();
        info!("still there");
        assert_eq!(messages(&logs), ["still there"]);
    })
    .join()
    .unwrap();
    let logs = Capture::start();
    info!("another thread");
    assert_eq!(messages(&logs), ["another thread"]);
}

#[test]
fn a_test_that_panics_leaves_its_thread_as_it_was() {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _logs = Capture::start();
        let _span = info_span!("open").entered();
        info!("before the panic");
        panic!("on purpose");
    }));
    assert!(panic.is_err());
    assert!(!tracing::enabled!(tracing::Level::ERROR));
    let logs = Capture::start();
    info!("after it");
    assert_eq!(messages(&logs), ["after it"]);
    assert_eq!(logs.records()[0].spans().count(), 0);
}

#[test]
fn a_subscriber_set_for_the_thread_later_hides_it_and_a_failure_says_so() {
    let logs = Capture::start();
    let buffer = MemoryBuffer::default();
    let later = set_default(registry().with(buffer.clone().into_layer()));
    info!("hidden");
    let text = failure(|| drop(logs.assert_contains(message("hidden"))));
    assert!(
        text.ends_with("(another subscriber was set for this thread after the capture was started, and hides it)\n")
    );
    assert_eq!(buffer.only().message(), "hidden");
    drop(later);
    info!("seen");
    logs.assert_contains(message("seen"));
}

#[test]
fn a_span_left_after_its_capture_leaves_nothing_behind() {
    let logs = Capture::start();
    let span = info_span!("long").entered();
    drop(logs);
    info!("nobody takes it");
    drop(span);
    assert!(!tracing::enabled!(tracing::Level::ERROR));
}

#[test]
fn a_capture_in_a_thread_local_ends_with_the_thread() {
    thread_local! {
        static LOGS: std::cell::RefCell<Option<Capture>> = const { std::cell::RefCell::new(None) };
    }
    thread::spawn(|| {
        LOGS.set(Some(Capture::start()));
        info!("taken");
        LOGS.with_borrow(|logs| assert_eq!(messages(logs.as_ref().unwrap()), ["taken"]));
    })
    .join()
    .unwrap();
}

/// A process for this one would be needed for the last 100 alone: a million records, 1 GiB at most.
#[test]
fn the_oldest_go_when_there_are_too_many_and_are_counted() {
    let logs = Capture::start();
    for n in 0..1_000_003 {
        info!(n);
    }
    let records = logs.records();
    assert_eq!((records.len(), records[0].get("n").unwrap().as_i64()), (1_000_000, Some(3)));
    drop(records);
    assert_eq!(failure(|| logs.assert_nothing_lost()), "the capture lost 3 of its records");
}
