//! What is decided and dispatched by name allocates nothing, once a thread has seen its targets.
#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use tracing::{debug, error, info, subscriber::with_default};
use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Loggers, Outcome, Severity, critical};
use tracing_subscriber::{prelude::*, registry};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator; counting touches a `const` thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of the second run.
fn allocations(mut run: impl FnMut()) -> usize {
    run();
    let before = COUNT.get();
    run();
    COUNT.get() - before
}

struct Null;

impl Handler for Null {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(Outcome::Written)
    }
}

#[test]
fn questions_by_name_allocate_nothing() {
    let loggers = Loggers::parse("warn,shop=info,shop.db=debug").unwrap();
    let (long, longer) = (format!("shop::db::{}", "x".repeat(200)), format!("shop::db::{}", "x".repeat(2_000)));
    // More targets than a thread remembers, which are looked up in the tree each time.
    let many: Vec<_> = (0..1_000).map(|number| format!("shop::db::{number}")).collect();
    let ask = || {
        for name in ["", "root", "shop", "shop::db", "shop.db::pool", &long, &longer] {
            loggers.is_enabled_for(name, Severity::DEBUG);
        }
        assert!(many.iter().all(|name| loggers.is_enabled_for(name, Severity::DEBUG)));
    };
    assert_eq!(allocations(ask), 0);
    assert_ne!(allocations(|| drop(Box::new(long.len()))), 0, "allocations are counted");
}

#[test]
fn events_decided_one_by_one_and_dispatched_by_name_allocate_nothing() {
    let (loggers, others) = (Loggers::parse("info").unwrap(), Loggers::parse("error").unwrap());
    for (name, handler) in [("", "root"), ("shop", "shop"), ("shop.db", "db")] {
        loggers.add_handler(name, Null.named(handler)).unwrap();
    }
    // Two trees that differ: call sites cannot be decided once for both.
    let subscriber = registry().with(loggers.clone().into_layer()).with(Null.into_layer().with_filter(others.clone()));
    with_default(subscriber, || {
        let log = || {
            debug!(target: "shop::db::pool", "off");
            info!(target: "shop::db::pool", "on for one");
            error!(target: "shop::db", id = 7, "on for both");
            critical!(target: "other", "with its number");
        };
        assert_eq!(allocations(log), 0);
    });
    assert_eq!(loggers.handlers("")[0].stats().written, 6);
}
