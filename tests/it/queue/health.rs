//! How a queue is doing, asked for and told by itself.

use std::time::{Duration, Instant};

use tracing_strata::{Queue, Severity, handler::queue::Overflow, prelude::*};

use super::support::{Gate, LONG, dispatch, within};

#[test]
fn a_queue_tells_how_it_is_doing_time_and_again() {
    let gate = Gate::default();
    let builder = Queue::builder().named("orders").report_every(Duration::from_millis(2));
    let (queue, guard) = builder.spawn(gate.clone()).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        gate.wait_for(2);
        tracing::info!("between them");
        guard.flush(LONG).unwrap();
        gate.wait_for(gate.records().len() + 2);
        guard.shutdown(LONG).unwrap();
    });
    let records = gate.records();
    let (reports, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.message() == "queue health");
    assert_eq!(others.iter().map(|record| record.message()).collect::<Vec<_>>(), ["between them"]);
    assert!(reports.len() >= 4);
    for report in reports {
        assert_eq!((report.severity(), report.target()), (Severity::INFO, "tracing_strata::queue"));
        let text = |name: &str| report.get(name).unwrap_or_else(|| panic!("no {name}")).to_string();
        assert_eq!((text("queue"), text("lost"), text("waits")), ("orders".into(), "0".into(), "0".into()));
        assert!((0.0..=1.0).contains(&text("busy").parse::<f64>().unwrap()));
        for name in ["depth", "high_water", "bytes", "bytes_high_water"] {
            text(name).parse::<u64>().unwrap();
        }
    }
    // They are on the account as all others are.
    assert_eq!((ledger.stats().written, ledger.stats().accepted()), (records.len() as u64, records.len() as u64));
}

#[test]
fn a_queue_tells_nothing_of_itself_unless_asked_to() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().spawn(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        (0..100).for_each(|_| tracing::info!("a record"));
        guard.shutdown(LONG).unwrap();
    });
    assert!(gate.messages().iter().all(|message| message == "a record"));
}

/// Until it comes true; a clock goes on, so it does.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn busy_is_the_part_of_the_time_at_work() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().spawn(gate.clone()).unwrap();
    let busy = || guard.health().busy;
    within(&dispatch(queue.into_layer()), || {
        assert_eq!(busy().to_bits(), 0.0_f64.to_bits());
        tracing::info!("a long one");
        gate.wait_for_one();
        let first = busy();
        assert!(first > 0.0 && first <= 1.0);
        eventually("it rises while a record is handled", || busy() > first);
        gate.open();
        guard.flush(LONG).unwrap();
        let worked = busy();
        assert!(worked > 0.0 && worked < 1.0);
        eventually("it falls while there is nothing to do", || busy() < worked);
        guard.shutdown(LONG).unwrap();
    });
}

#[test]
fn losses_are_shown_by_name() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().capacity(1).overflow(Overflow::DropNewest).spawn(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("first");
        gate.wait_for_one();
        (0..3).for_each(|_| tracing::info!("lost"));
        tracing::warn!("lost");
        let shown = format!("{:?}", guard.health());
        assert!(shown.contains("lost: Lost { info: 3, warn: 1 }, waits: 0"), "{shown}");
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
}
