//! The end of the process: what is held back is brought to its place, whoever ended it.

use std::{
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use super::{Flush, flush_all, panicked, place, queue};
use crate::{Error, fork, ledger, record, sink, text::escaped, unwind::catch};

const DEADLINE: Duration = Duration::from_secs(5);

/// In milliseconds.
static AT_EXIT: AtomicU64 = AtomicU64::new(DEADLINE.as_millis() as u64);
/// The next record starts a flush.
static IS_FLUSH_REQUESTED: AtomicBool = AtomicBool::new(false);
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// As [`flush_all`], but for no longer than the deadline: first what waits for no queue is flushed, then all queues drain
/// at once, for three quarters of the time at most, then again what stands behind them, whether they got done or not.
/// All of it on threads that are made for it. Safe on a thread of an async runtime, in a destructor and while the process exits; what is
/// not done by the deadline goes on in the background.
///
/// Not async-signal-safe: a signal handler may call [`request_flush`] and nothing else of this crate.
///
/// # Errors
/// As for [`flush_all`], or that the deadline has passed.
pub fn flush_within(deadline: Duration) -> Result<(), Error> {
    let caller = thread::current().id();
    let (done, is_done) = mpsc::sync_channel(1);
    let work = move || {
        record::silence_this_thread();
        // Nobody waits any more where the deadline has passed.
        done.send(flush_everything(deadline, caller)).unwrap_or_default();
    };
    match thread::Builder::new().name("strata-flush".into()).spawn(work) {
        Ok(_) => is_done
            .recv_timeout(deadline)
            .unwrap_or_else(|_| Err(Error::new(format_args!("not everything was flushed within {deadline:?}")))),
        // No thread to be had: without a deadline, then.
        Err(_) => flush_everything(deadline, caller),
    }
}

/// Asks for a flush and returns at once: the next record, in whatever handler, starts it on a thread of its own.
///
/// It sets a flag and does nothing else, so that a signal handler may call it.
pub fn request_flush() {
    IS_FLUSH_REQUESTED.store(true, Ordering::Relaxed);
}

/// Starts the flush that was asked for, and what a child of a fork needs.
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
        let work = || {
            record::silence_this_thread();
            // The traps were told.
            flush_everything(DEADLINE, thread::current().id()).unwrap_or_default();
        };
        if thread::Builder::new().name("strata-flush".into()).spawn(work).is_err() {
            // Perhaps there is a thread to be had for the next record.
            request_flush();
        }
    }
}

fn flush_everything(deadline: Duration, caller: ThreadId) -> Result<(), Error> {
    let all = || bring_all(deadline, caller);
    catch(all).unwrap_or_else(|panic| Err(panicked("flush", &panic)))
}

/// First what waits for no queue, then all queues at once, then again what stands behind queues: a queue that is stuck
/// costs nobody else anything, and never all of the time.
fn bring_all(deadline: Duration, caller: ThreadId) -> Result<(), Error> {
    if !queue::is_any() {
        return flush_all();
    }
    let began = Instant::now();
    let places = place::listed();
    let mut early = AtOnce::start(places.iter().map(|place| task(place)).collect());
    early.wait(deadline / 4);
    let (stuck, drained) = queue::drain_all((deadline / 4 * 3).saturating_sub(began.elapsed()), caller);
    early.wait((deadline / 8 * 7).saturating_sub(began.elapsed()));
    // What failed was told; to try it again would tell it again.
    let again = places.iter().zip(&early.results).filter(|(_, result)| matches!(result, Some(Ok(()))));
    let again: Vec<_> = again.map(|(place, _)| Arc::clone(place)).collect();
    let is_stuck = !stuck.is_empty() || early.results.iter().any(Option::is_none);
    let mut first = early.first_error();
    if is_stuck {
        let behind = stuck.into_iter().map(|queue| Box::new(move || queue.finish_behind()) as Task);
        let mut late = AtOnce::start(again.iter().map(|place| task(place)).chain(behind).collect());
        late.wait(deadline.saturating_sub(began.elapsed()));
        let why = drained.err().map(|error| format!(": {error}")).unwrap_or_default();
        return first.and(Err(Error::new(format_args!("not everything was flushed within {deadline:?}{why}"))));
    }
    for place in again {
        first = first.and(place.finish(&Flush::LAST));
    }
    first.and(drained).and_then(|()| place::admit_all(&places))
}

type Task = Box<dyn Fn() -> Result<(), Error> + Send + Sync>;

fn task(place: &Arc<dyn place::Reach>) -> Task {
    let place = Arc::clone(place);
    Box::new(move || place.finish(&Flush::LAST.without_waiting()))
}

/// Work on several threads, none of which waits for a queue, so that what hangs holds up nothing else.
struct AtOnce {
    results: Vec<Option<Result<(), Error>>>,
    done: mpsc::Receiver<(usize, Result<(), Error>)>,
}

/// As many may hang before others have to wait.
const THREADS: usize = 16;

impl AtOnce {
    fn start(tasks: Vec<Task>) -> Self {
        let (tell, done) = mpsc::channel();
        let results = tasks.iter().map(|_| None).collect();
        let work = Arc::new((tasks, AtomicUsize::new(0)));
        let count = work.0.len().min(THREADS);
        for number in 0..count {
            let (work, tell) = (Arc::clone(&work), tell.clone());
            let run = move || {
                while let Some((index, task)) = {
                    let index = work.1.fetch_add(1, Ordering::Relaxed);
                    work.0.get(index).map(|task| (index, task))
                } {
                    let result = catch(task);
                    let result = result.unwrap_or_else(|panic| Err(panicked("flush", &panic)));
                    // Nobody waits any more where the deadline has passed.
                    tell.send((index, result)).unwrap_or_default();
                }
            };
            let silenced = {
                let run = run.clone();
                move || {
                    record::silence_this_thread();
                    run();
                }
            };
            if thread::Builder::new().name("strata-flush".into()).spawn(silenced).is_err() {
                // One of the threads is at it; without any, this one.
                if number == 0 {
                    run();
                }
                break;
            }
        }
        Self { results, done }
    }

    fn wait(&mut self, most: Duration) {
        let began = Instant::now();
        while self.results.iter().any(Option::is_none) {
            let Ok((index, result)) = self.done.recv_timeout(most.saturating_sub(began.elapsed())) else { return };
            self.results[index] = Some(result);
        }
    }

    fn first_error(&mut self) -> Result<(), Error> {
        let failed = self.results.iter_mut().find(|result| matches!(result, Some(Err(_))));
        failed.and_then(Option::take).unwrap_or(Ok(()))
    }
}

/// How long the exit of the process may wait for what is held back (default: 5 s). Zero: nothing is done at exit.
///
/// Once the first handler hangs somewhere, the end of `main`, `std::process::exit` on any thread and C's `exit` do what
/// [`flush_within`] does, and say on stderr how many records were not written, if any. `abort`, `_exit`, signals and
/// `exec` do not come this way.
pub fn set_exit_timeout(deadline: Duration) {
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
    catch(end).unwrap_or_default();
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
    say_what_is_lost("exit", why.as_ref());
}

/// Says on stderr how many records are lost in which handler, held back or untold in its log, and why; false if none is.
pub(crate) fn say_what_is_lost(at: &str, why: Option<&Error>) -> bool {
    let why = why.map(|error| format!(" ({error})")).unwrap_or_default();
    let owed = queue::owed();
    let mut is_any = false;
    for ledger in ledger::ledgers() {
        let untold = owed.iter().filter(|(of, _)| Arc::ptr_eq(of, &ledger)).map(|(_, count)| count);
        let count = ledger.stats().queued + untold.sum::<u64>();
        if count > 0 {
            is_any = true;
            let (name, records) = (ledger.name(), if count == 1 { "record is" } else { "records are" });
            sink::stderr_line(&escaped(&format!(
                "tracing-strata: at {at}: {count} {records} lost in handler {name:?}{why}"
            )));
        }
    }
    is_any
}
