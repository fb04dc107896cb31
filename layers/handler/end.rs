//! The end of the process: what is held back is brought to its place, whoever ended it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Once,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::{flush_all, panicked, place, queue};
use crate::{Error, fork, record, sink, trap};

const DEADLINE: Duration = Duration::from_secs(5);

/// In milliseconds.
static AT_EXIT: AtomicU64 = AtomicU64::new(DEADLINE.as_millis() as u64);
static IS_REQUESTED: AtomicBool = AtomicBool::new(false);
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// As [`flush_all`], but for no longer than the deadline: queues drain, buffers are written, handlers are flushed, on a
/// thread that is made for it. Safe on a thread of an async runtime, in a destructor and while the process exits; what is
/// not done by the deadline goes on in the background.
///
/// Not async-signal-safe: a signal handler may call [`request_flush`] and nothing else of this crate.
///
/// # Errors
/// The first of the handlers' errors, or that the deadline has passed.
pub fn flush_within(deadline: Duration) -> Result<(), Error> {
    let (done, is_done) = mpsc::sync_channel(1);
    let work = move || {
        record::silence_this_thread();
        // Nobody waits any more where the deadline has passed.
        done.send(flush_everything(deadline)).unwrap_or_default();
    };
    match thread::Builder::new().name("strata-flush".into()).spawn(work) {
        Ok(_) => is_done
            .recv_timeout(deadline)
            .unwrap_or_else(|_| Err(Error::new(format_args!("not everything was flushed within {deadline:?}")))),
        // No thread to be had: without a deadline, then.
        Err(_) => flush_everything(deadline),
    }
}

/// Asks for a flush and returns at once: the next record, in whatever handler, starts it on a thread of its own.
///
/// It sets a flag and does nothing else, so that a signal handler may call it.
pub fn request_flush() {
    IS_REQUESTED.store(true, Ordering::Relaxed);
}

/// Starts the flush that was asked for.
#[inline]
pub(super) fn flush_if_requested() {
    if IS_REQUESTED.load(Ordering::Relaxed) {
        start_requested();
    }
}

#[cold]
fn start_requested() {
    if IS_REQUESTED.swap(false, Ordering::Relaxed) {
        let work = || {
            record::silence_this_thread();
            // The traps were told.
            flush_everything(DEADLINE).unwrap_or_default();
        };
        if thread::Builder::new().name("strata-flush".into()).spawn(work).is_err() {
            // Perhaps there is a thread to be had for the next record.
            request_flush();
        }
    }
}

fn flush_everything(deadline: Duration) -> Result<(), Error> {
    let all = || queue::drain_all(Some(deadline)).and(flush_all());
    catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|panic| Err(panicked("flush", &*panic)))
}

/// How long the exit of the process may wait for what is held back (default: 5 s). Zero: nothing is done at exit.
///
/// Once the first handler hangs somewhere, the end of `main`, `std::process::exit` on any thread and C's `exit` do what
/// [`flush_within`] does, and say on stderr how many records were not written, if any. `abort`, `_exit`, signals and
/// `exec` do not come this way.
pub fn wait_at_exit(deadline: Duration) {
    AT_EXIT.store(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Whether the process is exiting: what is not written now never will be.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// Sees to the exit of this process.
pub(super) fn expect() {
    static EXPECTED: Once = Once::new();
    EXPECTED.call_once(|| {
        // Where there is no room for it, `flush_all` at the end of `main` is all there is.
        shutdown_hooks::add_shutdown_hook(at_exit);
    });
}

extern "C" fn at_exit() {
    // A panic may not leave a function that C calls.
    catch_unwind(end).unwrap_or_default();
}

fn end() {
    let deadline = Duration::from_millis(AT_EXIT.load(Ordering::Relaxed));
    if deadline.is_zero() || !place::is_any_listed() {
        return;
    }
    fork::check();
    IS_ENDING.store(true, Ordering::Relaxed);
    // What failed was told to the traps; what matters here is what is still held.
    let why = flush_within(deadline).err();
    for (name, stats) in trap::stats().iter().filter(|(_, stats)| stats.queued > 0) {
        let records = if stats.queued == 1 { "record is" } else { "records are" };
        let why = why.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        sink::stderr_line(&format!(
            "tracing-strata: at exit: {} {records} lost in handler {name:?}{why}",
            stats.queued
        ));
    }
}
