//! The flush at the exit of the process, and flushes on request: a flag that the next record sees.

use std::{
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    flush_all::{flush_catching, flush_within, spawn},
    queue,
    registration::registered,
};
use crate::{Error, fork, ledger, text::escaped, unwind::catch};

const TIMEOUT: Duration = Duration::from_secs(5);

/// In milliseconds.
static EXIT_TIMEOUT: AtomicU64 = AtomicU64::new(TIMEOUT.as_millis() as u64);
/// The next record starts a flush.
static IS_FLUSH_REQUESTED: AtomicBool = AtomicBool::new(false);
static IS_EXITING: AtomicBool = AtomicBool::new(false);

/// Requests a flush and returns at once. The next record, in any handler, starts it on a thread of its own.
///
/// It sets a flag and does nothing else, so a signal handler may call it.
pub fn request_flush() {
    IS_FLUSH_REQUESTED.store(true, Ordering::Relaxed);
}

#[inline]
pub(super) fn start_requested() {
    if IS_FLUSH_REQUESTED.load(Ordering::Relaxed) || fork::is_restart_due() {
        start();
    }
}

#[cold]
fn start() {
    fork::restart();
    if IS_FLUSH_REQUESTED.swap(false, Ordering::Relaxed) {
        // The error handlers get the errors.
        let flush = || flush_catching(TIMEOUT, thread::current().id()).unwrap_or_default();
        if !spawn(flush) {
            // Perhaps the next record gets a thread.
            request_flush();
        }
    }
}

/// How long the exit of the process may wait for buffered records (default: 5 s). Zero: nothing happens at exit.
///
/// Once the first handler is in use, the end of `main`, `std::process::exit` on any thread and C's `exit` do what
/// [`flush_within`] does, and print on stderr how many records were not written, if any. `abort`, `_exit`, signals and
/// `exec` do not.
pub fn set_exit_timeout(timeout: Duration) {
    EXIT_TIMEOUT.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Whether the process is exiting: what is not written now never will be.
pub(super) fn is_exiting() -> bool {
    IS_EXITING.load(Ordering::Relaxed)
}

pub(super) fn install_exit_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // If it fails, `flush_all` at the end of `main` is all there is.
        shutdown_hooks::add_shutdown_hook(at_exit);
    });
}

extern "C" fn at_exit() {
    // A panic may not leave a function that C calls.
    catch(exit).unwrap_or_default();
}

fn exit() {
    let timeout = Duration::from_millis(EXIT_TIMEOUT.load(Ordering::Relaxed));
    if timeout.is_zero() || registered().is_empty() {
        return;
    }
    fork::check();
    IS_EXITING.store(true, Ordering::Relaxed);
    // The error handlers have the errors; what is still buffered is printed.
    let why = flush_within(timeout).err();
    report_losses("exit", why.as_ref());
}

/// Prints on stderr how many records each handler has lost or still buffers, and why. False if there are none.
pub(crate) fn report_losses(at: &str, why: Option<&Error>) -> bool {
    let why = why.map(|error| format!(" ({error})")).unwrap_or_default();
    let unreported = queue::unreported_losses();
    let mut is_any = false;
    for ledger in ledger::ledgers() {
        let lost = unreported.iter().filter(|(of, _)| Arc::ptr_eq(of, &ledger)).map(|(_, count)| count);
        let count = ledger.stats().queued + lost.sum::<u64>();
        if count > 0 {
            is_any = true;
            let (name, records) = (ledger.name(), if count == 1 { "record is" } else { "records are" });
            crate::stdio::stderr_line(&escaped(&format!(
                "tracing-strata: at {at}: {count} {records} lost in handler {name:?}{why}"
            )));
        }
    }
    is_any
}
