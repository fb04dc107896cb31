//! How a queue is doing, asked for and told by itself.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Outcome, Queue, Severity, handler::queue::Overflow};

use super::support::{Gate, LONG, dispatch, within};

#[test]
fn a_queue_tells_how_it_is_doing_time_and_again() {
    let gate = Gate::default();
    let builder = Queue::builder().name("orders").report_every(Duration::from_millis(2));
    let (queue, guard) = builder.build_with_guard(gate.clone()).unwrap();
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

/// Takes longer for a record than reports are apart.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<String>>>);

const APART: Duration = Duration::from_millis(1);

impl Handler for Slow {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        std::thread::sleep(5 * APART);
        self.0.lock().unwrap().push(record.message().to_owned());
        Ok(Outcome::Written)
    }
}

#[test]
fn however_often_reports_are_due_what_waits_comes_between_them() {
    // Sooner than one is written, and at any moment.
    [APART, Duration::from_nanos(1)].into_iter().for_each(reports_that_are_due_after);
}

fn reports_that_are_due_after(interval: Duration) {
    let slow = Slow::default();
    let (queue, guard) = Queue::builder().report_every(interval).build_with_guard(slow.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        (0..30).for_each(|number| tracing::info!("{number}"));
        guard.flush(LONG).unwrap();
        // Reports alone, now and then.
        let before = slow.0.lock().unwrap().len();
        eventually("reports", || slow.0.lock().unwrap().len() > before + 2);
        // A report is written while they come, and none of them before all are there.
        let held = slow.0.lock().unwrap();
        (0..30).for_each(|number| tracing::info!("{number}"));
        drop(held);
        guard.shutdown(LONG).unwrap();
    });
    let messages = slow.0.lock().unwrap();
    let is_report = |message: &&String| *message == "queue health";
    assert_eq!(messages.iter().filter(|message| !is_report(message)).count(), 60);
    let first = messages.iter().position(|message| message == "29").unwrap();
    // Before the first record there is nothing to come between them.
    let begin = messages.iter().position(|message| message == "0").unwrap();
    let early = messages[begin..first].windows(2).filter(|two| two.iter().all(|message| is_report(&message))).count();
    assert!(early <= 1, "two reports without a batch between them: {messages:?}");
    // (One may have begun before.)
    let last = messages.iter().rposition(is_report_owned).unwrap();
    let left = messages[last..].iter().filter(|message| !is_report(message)).count();
    assert!(left > 1, "none while the queue is shut down: {messages:?}");
}

fn is_report_owned(message: &String) -> bool {
    message == "queue health"
}

#[test]
fn a_queue_tells_nothing_of_itself_unless_asked_to() {
    let gate = Gate::default();
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
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
    let (queue, guard) = Queue::builder().build_with_guard(gate.clone()).unwrap();
    let busy = || guard.stats().busy;
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
    let (queue, guard) =
        Queue::builder().capacity(1).overflow(Overflow::DropNewest).build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("first");
        gate.wait_for_one();
        (0..3).for_each(|_| tracing::info!("lost"));
        tracing::warn!("lost");
        let shown = format!("{:?}", guard.stats());
        assert!(shown.contains("lost: LossCounts { info: 3, warn: 1 }, blocked_sends: 0"), "{shown}");
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
}
