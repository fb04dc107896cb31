//! Whether this process is a child of the one in which something was made.
//!
//! A child of `fork` has copies of all buffers and queues, and none of the threads. What was held back before the fork is
//! the parent's to write; whoever holds something back notes the [`generation`] and gives up what is of an earlier one. What
//! its other threads had locked is locked for ever, unless it is an [`Heirloom`].

mod heirloom;

use std::{
    cell::Cell,
    process,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) use self::heirloom::{Common, Heirloom};

static GENERATION: AtomicU64 = AtomicU64::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// When this thread looked last, and until when that is good enough.
    static LOOKED: Cell<(SystemTime, SystemTime)> = const { Cell::new((UNIX_EPOCH, UNIX_EPOCH)) };
}

/// A fork takes longer than this: a thread that has looked as short a time ago has not been in one meanwhile.
/// (Copying the tables of a small process takes some ten times as long; asking for the process's id, a tenth.)
const BRIEF: Duration = Duration::from_micros(5);

/// From now on forks are looked for: something holds records back.
pub(crate) fn watch() {
    check();
    IS_WATCHED.store(true, Ordering::Relaxed);
}

/// The same where it costs.
#[inline]
pub(crate) fn watch_now() {
    if !IS_WATCHED.load(Ordering::Relaxed) {
        watch();
    }
}

/// How many forks are between the first process and this one, as far as they were found out.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Finds out whether this is another process by now. `now` is the time, if it was asked for anyway.
#[inline]
pub(crate) fn look(now: Option<SystemTime>) {
    if IS_WATCHED.load(Ordering::Relaxed) {
        look_closer(now);
    }
}

#[inline]
fn look_closer(now: Option<SystemTime>) {
    let (from, until) = LOOKED.try_with(Cell::get).unwrap_or((UNIX_EPOCH, UNIX_EPOCH));
    // A clock that was set back is no reason not to look.
    if !now.is_some_and(|now| from <= now && now < until) {
        look_now(now);
    }
}

#[cold]
fn look_now(now: Option<SystemTime>) {
    check();
    if let Some(now) = now {
        let until = now.checked_add(BRIEF).unwrap_or(now);
        // A thread that is ending looks each time.
        LOOKED.try_with(|looked| looked.set((now, until))).unwrap_or_default();
    }
}

/// The id of this process, as it was last found out: asking the system costs more than rendering a record. Events look by
/// themselves, from the first call on.
#[inline]
pub(crate) fn process_id() -> u32 {
    watch_now();
    PROCESS.load(Ordering::Relaxed)
}

/// The process in which something is made has to be known.
fn note() {
    if PROCESS.load(Ordering::Relaxed) == 0 {
        check();
    }
}

/// The same as [`look`], for certain; a system call.
pub(crate) fn check() {
    let id = process::id();
    let known = PROCESS.load(Ordering::Relaxed);
    if known != id && PROCESS.compare_exchange(known, id, Ordering::AcqRel, Ordering::Relaxed).is_ok() && known != 0 {
        GENERATION.fetch_add(1, Ordering::Release);
        crate::handler::exit::note_fork();
    }
}
