//! What a queue holds in bytes: records with the spans they happened in.

use tracing::{field::Empty, info, info_span};
use tracing_strata::{Queue, handler::queue::Overflow, prelude::*};

use super::support::{Gate, LONG, dispatch, within};

const MOST: usize = 256 << 10;
const BODY: usize = 60_000;

/// A queue of 256 KiB whose handler is closed; gives how many records of `log`, each with a body of its own, it kept.
fn kept(log: impl Fn(&str)) -> usize {
    let gate = Gate::closed();
    let builder = Queue::builder().max_bytes(MOST).overflow(Overflow::DropOldest);
    let (queue, guard) = builder.build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        info!("in hand");
        gate.wait_for_one();
        let body = "x".repeat(BODY);
        (0..50).for_each(|_| log(&body));
        let health = guard.stats();
        assert!(health.bytes <= MOST && health.bytes_high_water <= MOST, "{health}");
        assert_eq!(health.depth as u64 + health.lost.total(), 51, "{health}");
        gate.open();
        guard.shutdown(LONG).unwrap();
        health.depth - 1
    })
}

#[test]
fn the_fields_of_spans_are_in_the_bytes_of_their_records() {
    let of_its_own = kept(|body| info_span!("request", body).in_scope(|| info!("m")));
    assert!((1..=MOST / BODY).contains(&of_its_own), "{of_its_own}");
    let further_out = kept(|body| {
        let _request = info_span!("request", body).entered();
        info_span!("query").in_scope(|| info!("m"));
    });
    assert!((1..=MOST / BODY).contains(&further_out), "{further_out}");
    let explicit = kept(|body| {
        let request = info_span!("request", body);
        info!(parent: &request, "m");
    });
    assert!((1..=MOST / BODY).contains(&explicit), "{explicit}");
}

#[test]
fn what_a_span_recorded_late_is_in_the_bytes_of_records_that_have_it() {
    let late = kept(|body| {
        let request = info_span!("request", body = Empty);
        let _request = request.enter();
        request.record("body", body);
        info_span!("query").in_scope(|| info!("m"));
    });
    assert!((1..=MOST / BODY).contains(&late), "{late}");
}

#[test]
fn records_without_spans_weigh_themselves_only() {
    assert_eq!(kept(|_| info!("m")), 50);
    let itself = kept(|body| info!(body, "m"));
    assert!((2..=MOST / BODY).contains(&itself), "{itself}");
}
