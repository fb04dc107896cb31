//! Tests of what is logged: what a test asserts, and what it says when that is wrong.
//!
//! `cargo run --example test_your_logs`; the same functions would be `#[test]`s.

use std::{
    panic::{self, AssertUnwindSafe},
    thread,
    time::Duration,
};

use tracing::{debug, error, info, info_span};
use tracing_strata::{
    Severity,
    testing::{Capture, at_least, level, message, target},
};

/// What is tested: it logs from two threads.
fn pay(order: u64, amount: u64) {
    let payment = info_span!("payment", order);
    let gateway = payment.clone();
    let request = thread::spawn(move || {
        let _payment = gateway.entered();
        debug!(target: "shop::gateway", amount, "request sent");
        if amount > 100 {
            error!(target: "shop::gateway", amount, limit = 100, "refused");
        }
    });
    request.join().expect("the gateway does not panic");
    payment.in_scope(|| info!(target: "shop::pay", "done"));
}

fn a_small_payment_logs_no_error() {
    let logs = Capture::start();
    pay(1, 20);
    logs.assert_none(at_least(Severity::WARN));
    logs.assert_order([message("request sent"), message("done")]);
    logs.assert_span("payment").has_field("order", 1);
}

fn a_large_payment_is_refused() {
    let logs = Capture::start();
    let strict = logs.fail_on(Severity::WARN);
    pay(2, 500);
    logs.wait_for(level(Severity::ERROR).target("shop.gateway").field("order", 2), Duration::from_secs(10));
    drop(strict);
    let snapshot = "\
DEBUG shop.gateway: request sent amount=500 < payment{order=2}
ERROR shop.gateway: refused amount=500 limit=100 < payment{order=2}
INFO shop.pay: done < payment{order=2}
";
    assert_eq!(logs.snapshot(), snapshot);
}

fn a_test_that_is_wrong() {
    let logs = Capture::start();
    pay(3, 500);
    logs.assert_contains(target("shop.gateway").message("refused").field("limit", 200));
}

fn main() {
    a_small_payment_logs_no_error();
    a_large_payment_is_refused();
    println!("Two tests passed, without a word. One that is wrong:\n");
    panic::set_hook(Box::new(|panic| println!("{panic}")));
    let failed = panic::catch_unwind(AssertUnwindSafe(a_test_that_is_wrong));
    assert!(failed.is_err());
}
