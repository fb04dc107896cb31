//! What a queue tells of itself: the values, and how often.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{debug, info, warn};
use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Queue, Record, Severity, handler::queue::Overflow,
};

use super::support::{Gate, LONG, dispatch, within};

const APART: Duration = Duration::from_millis(40);

/// Shows reports while somebody wants to see them, and waits until they were looked at.
struct Desk {
    gate: Gate,
    is_watched: Arc<AtomicBool>,
    reports: mpsc::Sender<Record>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Handler for Desk {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if record.message() != "queue health" {
            return self.gate.handle(record);
        }
        if self.is_watched.load(Ordering::SeqCst) {
            self.reports.send(record.clone()).unwrap();
            // An error: nobody looks any more.
            self.go_on.lock().unwrap().recv().unwrap_or_default();
        }
        Ok(Outcome::Written)
    }
}

#[test]
fn a_report_says_what_health_says_at_that_time() {
    let (gate, is_watched) = (Gate::closed(), Arc::new(AtomicBool::new(false)));
    let ((reports, shown), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    let (gate_too, is_watched_too) = (gate.clone(), Arc::clone(&is_watched));
    let desk = Desk { gate: gate_too, is_watched: is_watched_too, reports, go_on: Mutex::new(goes_on) };
    let builder = Queue::builder().capacity(8).overflow(Overflow::DropNewest).report_every(APART);
    let (queue, guard) = builder.build_with_guard(desk).unwrap();
    within(&dispatch(queue.into_layer()), || {
        info!("in hand");
        gate.wait_for_one();
        // The next report comes when that one is handled.
        is_watched.store(true, Ordering::SeqCst);
        let began = Instant::now();
        (0..7).for_each(|_| info!("waits"));
        (0..3).for_each(|_| info!("lost"));
        warn!("lost");
        debug!("lost");
        thread::sleep(2 * APART);
        gate.open();
        let report = shown.recv_timeout(LONG).unwrap();
        let health = guard.stats();
        let number = |name: &str| report.get(name).and_then(|value| value.as_u64());
        let size = |name: &str| number(name).map(|number| number as usize);
        assert_eq!((size("depth"), health.depth), (Some(7), 7));
        assert_eq!((size("high_water"), health.high_water), (Some(8), 8));
        assert_eq!(size("bytes"), Some(health.bytes));
        assert_eq!(size("bytes_high_water"), Some(health.bytes_high_water));
        assert!(health.bytes > 7 * 100 && health.bytes_high_water > health.bytes, "{health}");
        assert_eq!((number("lost"), health.lost.total()), (Some(5), 5));
        for severity in [Severity::TRACE, Severity::DEBUG, Severity::INFO, Severity::WARN, Severity::ERROR] {
            let lost = number(&format!("lost.{}", severity.to_string().to_ascii_lowercase()));
            assert_eq!(lost.unwrap_or_default(), health.lost.at(severity), "{severity}");
        }
        assert_eq!((number("lost.info"), number("lost.warn"), number("lost.error")), (Some(3), Some(1), None));
        assert_eq!((number("waits"), health.blocked_sends), (Some(0), 0));
        // (The clock on the wall, of which it is, may be turned a little.)
        let oldest = Duration::from_millis(number("oldest_ms").unwrap());
        assert!(oldest >= APART && oldest <= began.elapsed() + APART, "{oldest:?}");
        let later = health.oldest_age.unwrap();
        assert!(later >= oldest && later <= began.elapsed() + APART, "{oldest:?}, then {later:?}");
        let busy = report.get("busy").and_then(|busy| busy.as_f64()).unwrap();
        assert!(busy > 0.0 && busy <= 1.0 && health.busy > 0.0 && health.busy <= 1.0, "{busy}");
        is_watched.store(false, Ordering::SeqCst);
        drop(go_on);
        guard.shutdown(LONG).unwrap();
    });
}

#[test]
fn reports_are_no_less_than_their_interval_apart() {
    const REPORTS: u32 = 5;
    let gate = Gate::default();
    let began = Instant::now();
    let (_queue, guard) = Queue::builder().report_every(APART).build_with_guard(gate.clone()).unwrap();
    gate.wait_for(REPORTS as usize);
    let lasted = began.elapsed();
    assert!(lasted >= REPORTS * APART, "{REPORTS} in {lasted:?}");
    guard.shutdown(LONG).unwrap();
}

/// There are no reports then: the one that hangs is the last. Those who ask are told all the same.
#[test]
fn a_queue_whose_handler_hangs_tells_those_who_ask() {
    let gate = Gate::closed();
    let (queue, guard) = Queue::builder().report_every(APART).build_with_guard(gate.clone()).unwrap();
    within(&dispatch(queue.into_layer()), || {
        gate.wait_for_one();
        let before = guard.stats();
        assert_eq!((before.depth, before.oldest_age), (0, None), "a report takes no room");
        (0..3).for_each(|_| info!("waits"));
        thread::sleep(2 * APART);
        let health = guard.stats();
        assert_eq!(health.depth, 3);
        assert!(health.oldest_age.unwrap() >= APART && health.busy > 0.0, "{health}");
        gate.open();
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!(gate.messages()[0], "queue health");
}
