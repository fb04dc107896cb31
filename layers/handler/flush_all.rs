//! Flushes everything, with or without a timeout.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use super::{
    Flush, queue,
    registration::{Flushable, registered},
};
use crate::{
    Error, ledger, record,
    unwind::{catch, panicked},
};

/// Flushes every handler in use: in a registry (also the global one), in a [`Tee`](super::Tee), on a logger, or as a
/// [`NamedHandler`](super::NamedHandler). The newest comes first, so that a handler that passes records to an older one
/// is flushed before it.
///
/// Call it at the end of `main` to learn what went wrong. Without a call, the exit of the process does the same
/// ([`set_exit_timeout`](crate::shutdown::set_exit_timeout)), as a global subscriber is never dropped. Failures that
/// the default error handler has counted but not printed are printed.
///
/// Python: what `logging.shutdown` does at exit.
///
/// ```
/// # fn work() {}
/// fn main() {
///     // … the subscriber is set up …
///     work();
///     if let Err(error) = tracing_strata::flush_all() {
///         eprintln!("the log is not complete: {error}");
///     }
/// }
/// ```
///
/// # Errors
/// The handlers' first error; all handlers are flushed, and their error handlers get all errors. If there is none, but
/// records failed since the last call, or were lost without a mention in the handler's own log: how many. Records that
/// an overflow policy dropped and the log mentions are no error.
///
/// A custom handler that [took](crate::Delivery::take) records and returns `Ok` from its [flush](super::Handler::flush)
/// while it still has them is believed. They are `queued` in its [`Stats`](crate::ledger::Stats), and reported at exit.
pub fn flush_all() -> Result<(), Error> {
    let registrations = registered();
    let mut results: Vec<_> = registrations.iter().map(|registration| registration.final_flush(&Flush::LAST)).collect();
    if ledger::ledgers().iter().any(|ledger| ledger.stats().queued > 0) {
        // One may have passed records to another that was flushed before. A second try where the first failed would
        // report the failure again.
        for (registration, result) in registrations.iter().zip(&mut results).filter(|(_, result)| result.is_ok()) {
            *result = registration.final_flush(&Flush::LAST);
        }
    }
    results.into_iter().fold(Ok(()), Result::and).and_then(|()| check_losses(&registrations))
}

fn check_losses(registrations: &[Arc<dyn Flushable>]) -> Result<(), Error> {
    registrations.iter().map(|registration| registration.check_losses()).fold(Ok(()), Result::and)
}

/// [`flush_all`] within a timeout. First it flushes what needs no queue, then drains all queues at once, for three
/// quarters of the time at most, then flushes the handlers behind them, drained or not. All of it happens on new
/// threads, so it is safe on a thread of an async runtime, in a destructor, and while the process exits. What is not
/// done in time goes on in the background.
///
/// Not async-signal-safe: a signal handler may call [`request_flush`](crate::shutdown::request_flush) and nothing else
/// of this crate.
///
/// # Errors
/// As for [`flush_all`], or that the time is up.
pub fn flush_within(timeout: Duration) -> Result<(), Error> {
    let caller = thread::current().id();
    let (sender, result) = mpsc::sync_channel(1);
    let work = move || {
        // After the timeout nobody receives it.
        sender.send(flush_catching(timeout, caller)).unwrap_or_default();
    };
    if spawn(work) {
        let late = |_| Err(Error::new(format_args!("not everything was flushed within {timeout:?}")));
        result.recv_timeout(timeout).unwrap_or_else(late)
    } else {
        // Without a thread there is no timeout.
        flush_catching(timeout, caller)
    }
}

/// Starts a thread that flushes. False if there is none to be had.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> bool {
    let work = move || {
        record::silence_this_thread();
        work();
    };
    thread::Builder::new().name("strata-flush".into()).spawn(work).is_ok()
}

/// Flushes in stages and catches panics. The thread `caller` waits for it.
pub(super) fn flush_catching(timeout: Duration, caller: ThreadId) -> Result<(), Error> {
    catch(|| flush_in_stages(timeout, caller)).unwrap_or_else(|panic| Err(panicked("flush", &panic)))
}

/// A queue that hangs holds up no other handler, and never uses up all of the time.
fn flush_in_stages(timeout: Duration, caller: ThreadId) -> Result<(), Error> {
    if !queue::is_any() {
        return flush_all();
    }
    let began = Instant::now();
    let registrations = registered();
    let mut first_round = ParallelFlush::start(registrations.iter().map(task).collect());
    first_round.wait(timeout / 4);
    let (undrained, drained) = queue::drain_all((timeout / 4 * 3).saturating_sub(began.elapsed()), caller);
    first_round.wait((timeout / 8 * 7).saturating_sub(began.elapsed()));
    // A second try where the first failed would report the failure again.
    let again = registrations.iter().zip(&first_round.results).filter(|(_, result)| matches!(result, Some(Ok(()))));
    let again: Vec<_> = again.map(|(registration, _)| registration).collect();
    let is_incomplete = !undrained.is_empty() || first_round.results.iter().any(Option::is_none);
    if is_incomplete {
        let behind = undrained.into_iter().map(|queue| Box::new(move || queue.flush_handler()) as Task);
        let mut second_round = ParallelFlush::start(again.into_iter().map(task).chain(behind).collect());
        second_round.wait(timeout.saturating_sub(began.elapsed()));
        let why = drained.err().map(|error| format!(": {error}")).unwrap_or_default();
        let incomplete = Error::new(format_args!("not everything was flushed within {timeout:?}{why}"));
        return first_round.first_error().and(Err(incomplete));
    }
    let flushed = again.into_iter().map(|registration| registration.final_flush(&Flush::LAST));
    flushed.fold(first_round.first_error(), Result::and).and(drained).and_then(|()| check_losses(&registrations))
}

type Task = Box<dyn Fn() -> Result<(), Error> + Send + Sync>;

fn task(registration: &Arc<dyn Flushable>) -> Task {
    let registration = Arc::clone(registration);
    Box::new(move || registration.final_flush(&Flush::LAST.without_waiting()))
}

/// Flushes on several threads, none of which waits for a queue: one that hangs holds up no other.
struct ParallelFlush {
    results: Vec<Option<Result<(), Error>>>,
    done: mpsc::Receiver<(usize, Result<(), Error>)>,
}

/// How many flushes may hang before others have to wait.
const THREADS: usize = 16;

impl ParallelFlush {
    fn start(tasks: Vec<Task>) -> Self {
        let (sender, done) = mpsc::channel();
        let results = tasks.iter().map(|_| None).collect();
        let work = Arc::new((tasks, AtomicUsize::new(0)));
        for number in 0..work.0.len().min(THREADS) {
            let (work, sender) = (Arc::clone(&work), sender.clone());
            let run = move || {
                while let Some((index, task)) = {
                    let index = work.1.fetch_add(1, Ordering::Relaxed);
                    work.0.get(index).map(|task| (index, task))
                } {
                    let result = catch(task).unwrap_or_else(|panic| Err(panicked("flush", &panic)));
                    // After the timeout nobody receives it.
                    sender.send((index, result)).unwrap_or_default();
                }
            };
            if !spawn(run.clone()) {
                // The threads so far do the rest; without any, this one does.
                if number == 0 {
                    run();
                }
                break;
            }
        }
        Self { results, done }
    }

    fn wait(&mut self, timeout: Duration) {
        let began = Instant::now();
        while self.results.iter().any(Option::is_none) {
            let Ok((index, result)) = self.done.recv_timeout(timeout.saturating_sub(began.elapsed())) else { return };
            self.results[index] = Some(result);
        }
    }

    fn first_error(&mut self) -> Result<(), Error> {
        let failed = self.results.iter_mut().find(|result| matches!(result, Some(Err(_))));
        failed.and_then(Option::take).unwrap_or(Ok(()))
    }
}
