//! The end of the process, and what becomes of the records that are on their way.
//!
//! Python: `logging.shutdown`, which `atexit` calls, and `sys.excepthook`.
//!
//! | how the process ends | what is written | what you do |
//! |---|---|---|
//! | `main` returns, `std::process::exit` on any thread, C's `exit` | all, within [`set_exit_timeout`] | nothing |
//! | a panic that ends `main` | all, and the panic itself | [`panic_hook`] |
//! | a panic with `panic = "abort"`, or one that cannot unwind | all, and the panic itself | [`panic_hook`] |
//! | SIGTERM, SIGINT | all, within a deadline | `Signals` (unix, feature `signal`) |
//! | `abort()`, `kill -9`, `_exit`, `exec` | what the system has taken; see below | |
//! | power goes off | what the disk has taken | |
//!
//! # What survives `kill -9`
//!
//! | output | every record of which the ledger says |
//! |---|---|
//! | a file without a buffer, a stream | `written`: it is in the system's hands when the call returns |
//! | a file with a buffer | `written`; up to the buffer's size is `queued` and lost. `flush_on(Severity::ERROR)` writes the buffer with each severe record |
//! | behind a [`Queue`](crate::Queue) | `written`; what waits is `queued` and lost |
//! | [`MemoryBuffer`](crate::MemoryBuffer), [`FlightRecorder`](crate::FlightRecorder) | `written`; what is held is lost |
//!
//! # After a fork
//! Parent and child both go on logging, nothing is written twice and nothing hangs: what was held back before the fork
//! (in buffers, queues, memories) is the parent's to write, and counts as dropped in the child. The child finds out with
//! its first record or flush ([`after_fork`] does it at once). Losses and failures that were not told yet are told by the
//! process that had them. The threads of queues, OTLP pipes, `Signals` and syncs by the clock are started anew in the child;
//! those that watch a configuration's file or listen for one stay with the parent.
//!
//! Where the parent ends without a word, as most daemonising functions make it (`_exit`), call
//! [`flush_all`](crate::flush_all) before. A fork while another thread is in the midst of logging is as safe as POSIX
//! allows: our own locks are given up for new ones; where one was held, that costs the child a tenth of a second, once.
//! What it kept is there if it was only being read. In the midst of a change it begins anew: a child that is forked while
//! another thread sets a logger's level may have the root alone, at WARN, and a writer of yours that was in the midst of a
//! write fails in the child.
//!
//! The allocator's locks are the C library's care. Those of standard output, of `tracing` and of your own handlers are not
//! ours. Where the parent was starting or ending a thread at that very moment, Rust's standard library lets the child start
//! none: nothing behind a queue is written there, and whoever waits for it does so until the deadline.
//!
//! A child that gets a signal before its first record or flush needs a second one: see `Signals`.

mod panic;
#[cfg(all(unix, feature = "signal"))]
mod signal;

pub use self::panic::{PanicHook, panic_hook};
#[cfg(all(unix, feature = "signal"))]
pub(crate) use self::signal::after_fork as restart_signals;
#[cfg(all(unix, feature = "signal"))]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use self::signal::{SignalGuard, Signals};
pub use crate::handler::{
    exit::{request_flush, set_exit_timeout},
    flush_all::flush_within,
};

/// To be called in the child after a `fork`, if one wants to: gives up what is the parent's to write. The child's first
/// record or flush does the same.
pub fn after_fork() {
    crate::fork::check();
    crate::handler::queue::after_fork();
    crate::handler::exit::after_fork();
}
