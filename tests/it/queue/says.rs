//! What a flush and a shutdown say: `Ok` only where nothing failed and nothing was lost in silence.

use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Queue, Severity,
    handler::queue::{Overflow, WorkerGuard},
    ledger::{ErrorHandler, Stats},
};

use super::support::{Gate, LONG, dispatch, within};

/// Logs ten records to a queue called "full".
fn ten(handler: impl Handler, ask: impl FnOnce(&WorkerGuard)) -> Stats {
    let (queue, guard) = Queue::builder().build_with_guard(handler).unwrap();
    let layer = queue.into_layer().named("full").error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..10).for_each(|number| tracing::info!("{number}"));
        ask(&guard);
    });
    ledger.stats()
}

#[cfg(target_os = "linux")]
mod full {
    use tracing_strata::output::LogFile;

    use super::*;
    use crate::places::Bare;

    const NO_SPACE: &str = "cannot flush /dev/full: No space left on device (os error 28)";

    #[test]
    fn a_shutdown_says_that_the_last_flush_failed() {
        let file = LogFile::builder("/dev/full").buffer(64 << 10).format(Bare).build().unwrap();
        let stats = ten(file, |guard| {
            // It was the last one: it stays failed.
            for _ in 0..2 {
                assert_eq!(guard.shutdown(LONG).unwrap_err().to_string(), NO_SPACE);
                assert_eq!(guard.flush(LONG).unwrap_err().to_string(), NO_SPACE);
            }
        });
        assert_eq!((stats.failed, stats.queued), (10, 0));
    }

    #[test]
    fn flush_and_shutdown_say_once_how_many_could_not_be_written() {
        let file = LogFile::builder("/dev/full").format(Bare).build().unwrap();
        let stats = ten(file, |guard| {
            let error = guard.flush(LONG).unwrap_err().to_string();
            assert_eq!(error, "queue \"full\": flush: 10 records failed");
            guard.flush(LONG).unwrap();
            tracing::info!("one more");
            let error = guard.shutdown(LONG).unwrap_err().to_string();
            assert_eq!(error, "queue \"full\": shutdown: 1 record failed");
            guard.shutdown(LONG).unwrap();
        });
        assert_eq!(stats.failed, 11);
    }
}

#[test]
fn a_shutdown_says_that_the_handler_panicked_at_its_end() {
    struct Panics;

    impl Handler for Panics {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }

        fn flush(&self, how: &Flush) -> Result<(), Error> {
            if how.is_last() {
                std::panic::resume_unwind(Box::new("scripted"));
            }
            Ok(())
        }
    }

    let stats = ten(Panics, |guard| {
        guard.flush(LONG).unwrap();
        for _ in 0..2 {
            assert_eq!(guard.shutdown(LONG).unwrap_err().to_string(), "panicked in finish(): scripted");
        }
    });
    assert_eq!(stats.written, 10);
}

#[test]
fn a_flush_says_what_was_lost_where_the_log_does_not() {
    let gate = Gate::closed();
    let queue = Queue::builder().capacity(2).overflow(Overflow::DropNewest).priority_level(Severity::CRITICAL);
    let (queue, guard) = queue.build_with_guard(gate.clone().min_level(Severity::ERROR)).unwrap();
    within(&dispatch(queue.into_layer().named("severe").error_handler(ErrorHandler::silent())), || {
        tracing::error!("in hand");
        gate.wait_for_one();
        (0..10).for_each(|_| tracing::info!("no room but for one"));
        gate.open();
        let error = guard.flush(LONG).unwrap_err().to_string();
        assert_eq!(error, "queue \"severe\": flush: 9 records lost");
        guard.flush(LONG).unwrap();
        guard.shutdown(LONG).unwrap();
        tracing::info!("too late");
        assert_eq!(guard.flush(LONG).unwrap_err().to_string(), "queue \"severe\": flush: 1 record lost");
        guard.shutdown(LONG).unwrap();
    });
}

/// What the log tells of is no error, however many more are lost meanwhile.
#[test]
fn a_flush_is_fine_where_the_log_tells_of_what_was_lost() {
    let gate = Gate::closed();
    let (queue, guard) =
        Queue::builder().capacity(2).overflow(Overflow::DropOldest).build_with_guard(gate.clone()).unwrap();
    let dispatch = dispatch(queue.into_layer());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let flood = || within(&dispatch, || (0..2_000).for_each(|_| tracing::info!("more and more")));
    within(&dispatch, || tracing::info!("in hand"));
    gate.wait_for_one();
    flood();
    gate.open();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                flood();
            }
        });
        let results: Vec<_> = (0..20).map(|_| guard.flush(LONG)).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    });
    guard.shutdown(LONG).unwrap();
    assert!(guard.stats().lost.total() > 0);
}
