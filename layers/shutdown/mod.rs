//! The end of the process: which records are still written, and how to make sure of it.
//!
//! Python: `logging.shutdown`, which `atexit` calls, and `sys.excepthook`.
//!
//! | how the process ends | what is written | what you do |
//! |---|---|---|
//! | `main` returns, `std::process::exit` on any thread, C's `exit` | all, within [`set_exit_timeout`] | nothing |
//! | a panic that ends `main` | all, and the panic itself | [`panic_hook`] |
//! | a panic with `panic = "abort"`, or one that cannot unwind | all, and the panic itself | [`panic_hook`] |
//! | SIGTERM, SIGINT | all, within a deadline | `Signals` (unix, feature `signal`) |
//! | `abort()`, `kill -9`, `_exit`, `exec` | what the system has; see below | |
//! | power failure | what the disk has | |
//!
//! # Beyond that
//!
//! | you want | call |
//! |---|---|
//! | to know that all is written | [`flush_all`](crate::flush_all) at the end of `main`: an error says what is not |
//! | a deadline for all | [`flush_within`], [`set_exit_timeout`] |
//! | to stop one queue | `Queue::builder().build_with_guard(…)` gives a guard: `guard.shutdown(…)`. What is logged after that, or after the guard was dropped, is counted as dropped |
//! | rotated files to be compressed before you go | `wait_for_archiving(…)` on the sink (`file.as_sink().clone()`); else the next start does it |
//!
//! # What survives `kill -9`
//!
//! | output | records that survive |
//! |---|---|
//! | a file without a buffer, a stream | those `written` in its ledger: the system has them when the call returns |
//! | a file with a buffer | those `written`; up to the buffer's size is `queued` and lost. `flush_on(Severity::ERROR)` writes the buffer with each severe record |
//! | behind a [`Queue`](crate::Queue) | those `written`; what waits is `queued` and lost |
//! | [`MemoryBuffer`](crate::MemoryBuffer), [`FlightRecorder`](crate::FlightRecorder) | those `written`; what is buffered is lost |
//!
//! # After a fork
//! Parent and child both go on logging; nothing is written twice, and nothing hangs. What was buffered before the fork
//! (in buffers, queues, memory handlers) is the parent's to write, and counts as dropped in the child. The child notices
//! the fork with its first record or flush ([`after_fork`] does it at once). Losses and failures are reported by the
//! process that had them. The threads of queues, OTLP exporters, `Signals` and timed syncs start again in the child; those
//! that watch a configuration file or listen for a configuration stay with the parent.
//!
//! If the parent ends without running exit handlers, as most daemonising functions make it (`_exit`), call
//! [`flush_all`](crate::flush_all) before the fork. A fork while another thread is logging is as safe as POSIX allows: the
//! child replaces this crate's locks by new ones; a lock that was held costs the child a tenth of a second, once. The
//! locked value survives if it was only being read. In the middle of a change it is reset: a child that is forked while
//! another thread sets a logger's level may have only the root logger, at WARN, and a writer of yours that was in the
//! middle of a write fails in the child.
//!
//! The C library takes care of the allocator's locks. This crate cannot replace the locks of standard output, of `tracing`
//! and of your own handlers. If the parent was starting or ending a thread at that very moment, Rust's standard library
//! lets the child start none: nothing behind a queue is written there, and whoever waits for it waits until the deadline.
//!
//! A child that gets a signal before its first record or flush needs a second one: see `Signals`.

mod panic;
#[cfg(all(unix, feature = "signal"))]
mod signal;

pub use self::panic::{PanicHook, panic_hook};
#[cfg(all(unix, feature = "signal"))]
pub use self::signal::{SignalGuard, Signals};
pub use crate::handler::{
    exit::{request_flush, set_exit_timeout},
    flush_all::flush_within,
};

use crate::{fork, handler::queue};

/// Discards what is the parent's to write, and starts the child's threads. Call it in the child after a `fork`; without it,
/// the child's first record or flush does the same.
pub fn after_fork() {
    fork::check();
    queue::after_fork();
    fork::restart();
}
