//! Detects that this process is a child of `fork`.
//!
//! A child has copies of all buffers and queues, but none of the other threads. The parent writes what was buffered before
//! the fork, so each buffer notes the [`generation`] and discards what belongs to an earlier one. A lock that another thread
//! held at the fork stays locked for ever in the child, unless it is a [`ForkMutex`] or a [`ForkRwLock`]. Callbacks start
//! the threads that the child needs, see [`on_restart`].

mod lock;

use std::{
    cell::Cell,
    process, ptr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) use self::lock::{ForkMutex, ForkRwLock};

static GENERATION: AtomicU64 = AtomicU64::new(0);
/// The id of this process as of the last check; 0 before the first.
static PROCESS: AtomicU32 = AtomicU32::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
/// This is a child, and the callbacks of [`on_restart`] have not run yet.
static IS_RESTART_DUE: AtomicBool = AtomicBool::new(false);
static RESTARTS: ForkRwLock<Vec<fn()>> = ForkRwLock::for_static(Vec::new());

thread_local! {
    /// When this thread checked last, and until when that answer holds.
    static LAST_POLL: Cell<(SystemTime, SystemTime)> = const { Cell::new((UNIX_EPOCH, UNIX_EPOCH)) };
}

/// A fork takes longer than this, so a thread that checked more recently cannot have forked since. (Copying the page tables
/// of a small process takes about ten times as long; a check, a tenth.)
const POLL_INTERVAL: Duration = Duration::from_micros(5);

/// Makes [`poll`] check from now on. Call it before anything is buffered.
pub(crate) fn watch() {
    check();
    IS_WATCHED.store(true, Ordering::Relaxed);
}

/// [`watch`] for hot paths.
#[inline]
pub(crate) fn ensure_watched() {
    if !IS_WATCHED.load(Ordering::Relaxed) {
        watch();
    }
}

/// How many detected forks lie between the first process and this one.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Detects a fork, cheaply. Pass the time if you have it: then most calls make no system call.
#[inline]
pub(crate) fn poll(now: Option<SystemTime>) {
    if IS_WATCHED.load(Ordering::Relaxed) {
        poll_watched(now);
    }
}

#[inline]
fn poll_watched(now: Option<SystemTime>) {
    let (from, until) = LAST_POLL.try_with(Cell::get).unwrap_or((UNIX_EPOCH, UNIX_EPOCH));
    // If the clock was set back, check.
    if !now.is_some_and(|now| from <= now && now < until) {
        poll_now(now);
    }
}

#[cold]
fn poll_now(now: Option<SystemTime>) {
    check();
    if let Some(now) = now {
        let until = now.checked_add(POLL_INTERVAL).unwrap_or(now);
        // A thread that is ending checks each time.
        LAST_POLL.try_with(|last| last.set((now, until))).unwrap_or_default();
    }
}

/// The id of this process, as of the last check: asking the system would cost more than formatting a record. Events check
/// from the first call on.
#[inline]
pub(crate) fn process_id() -> u32 {
    ensure_watched();
    PROCESS.load(Ordering::Relaxed)
}

/// Notes the id of the process that creates the first lock, so that a fork after it is detected.
fn note_process() {
    if PROCESS.load(Ordering::Relaxed) == 0 {
        check();
    }
}

/// Detects a fork with one system call.
pub(crate) fn check() {
    let id = process::id();
    let known = PROCESS.load(Ordering::Relaxed);
    if known != id && PROCESS.compare_exchange(known, id, Ordering::AcqRel, Ordering::Relaxed).is_ok() && known != 0 {
        GENERATION.fetch_add(1, Ordering::Release);
        // The thread that forked has the state of its parent's, and ids would come twice.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        fastrand::seed(fastrand::u64(..) ^ u64::from(id) << 32 ^ u64::from(now.subsec_nanos()) ^ now.as_secs());
        // Some lock may be held here: the callbacks run later.
        IS_RESTART_DUE.store(true, Ordering::Relaxed);
    }
}

/// Registers a callback that starts threads in a child. It runs once in each child, with its first record or flush.
pub(crate) fn on_restart(callback: fn()) {
    let mut all = RESTARTS.write();
    if !all.iter().any(|known| ptr::fn_addr_eq(*known, callback)) {
        all.push(callback);
    }
}

/// Whether [`restart`] has something to do.
#[inline]
pub(crate) fn is_restart_due() -> bool {
    IS_RESTART_DUE.load(Ordering::Relaxed)
}

/// Runs the callbacks of [`on_restart`], once in each child. Hold no lock.
pub(crate) fn restart() {
    if is_restart_due() && IS_RESTART_DUE.swap(false, Ordering::Relaxed) {
        let all = RESTARTS.get();
        all.iter().for_each(|callback| callback());
    }
}
