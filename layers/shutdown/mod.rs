//! The end of the process: which records are still written, and how to make sure of that.
//!
//! Python: `logging.shutdown`, which `atexit` calls, and `sys.excepthook`.
//!
//! | how the process ends | what is written | what you do |
//! |---|---|---|
//! | `main` returns, `std::process::exit` on any thread, C's `exit` | all, within the timeout of [`set_exit_timeout`] | nothing |
//! | a panic that ends `main` | all, and the panic itself | [`panic_hook`] |
//! | a panic with `panic = "abort"`, or one that cannot unwind | all, and the panic itself | [`panic_hook`] |
//! | SIGTERM, SIGINT | all, within a timeout | `Signals` (Unix, feature `signal`) |
//! | `abort()`, `kill -9`, `_exit`, `exec` | what the operating system has, see below | |
//! | power failure | what the disk has | |
//!
//! # More control
//!
//! | you want | call |
//! |---|---|
//! | to know that all is written | [`flush_all`](crate::flush_all) at the end of `main`: its error names what is not |
//! | a timeout for all handlers | [`flush_within`], [`set_exit_timeout`] |
//! | to stop one queue | `guard.shutdown(…)` on the guard of `Queue::builder().build_with_guard(…)`. Later records are counted as dropped, as they are once the guard is dropped |
//! | rotated files to be compressed before the end | `wait_for_archiving(…)` on the sink (`file.as_sink().clone()`). Otherwise the next start compresses them |
//!
//! # What survives `kill -9`
//!
//! | output | records that survive |
//! |---|---|
//! | a file without a buffer, a stream | those `written` in its ledger: the operating system has them when the call returns |
//! | a file with a buffer | those `written`. Those `queued`, up to the buffer's size, are lost; `flush_on(Severity::ERROR)` writes the buffer with each severe record |
//! | behind a [`Queue`](crate::Queue) | those `written`. Those `queued` are lost |
//! | [`MemoryBuffer`](crate::MemoryBuffer), [`FlightRecorder`](crate::FlightRecorder) | those `written`. Those buffered are lost |
//!
//! # After a fork
//! Parent and child both keep logging. Nothing is written twice, and nothing hangs. The parent writes what was buffered
//! before the fork in buffers, queues and memory handlers; in the child it counts as dropped. The child notices the fork
//! with its first record or flush, or at once with [`after_fork`]. Each process reports its own losses and failures. The
//! threads of queues, OTLP exporters, `Signals` and timed syncs start again in the child. Those that watch a configuration
//! file or listen for a configuration do not.
//!
//! If the parent ends with `_exit`, as most functions that daemonize make it, exit handlers do not run: call
//! [`flush_all`](crate::flush_all) before the fork.
//!
//! A fork while another thread is logging is as safe as POSIX allows. The child replaces those of this crate's locks that
//! were held, which takes a tenth of a second each, once. A value that was only being read survives. One that was being
//! changed is reset: if another thread was setting a logger's level, the child may have only the root logger, at WARN; a
//! writer of yours that was in the middle of a write fails in the child.
//!
//! The C library takes care of the allocator's locks. This crate cannot replace the locks of standard output, `tracing` and
//! your own handlers. If the parent was starting or ending a thread at that moment, Rust's standard library lets the child
//! start none. Then nothing behind a queue is written there, and waiting for it ends with the timeout.
//!
//! A child that gets a signal before its first record or flush needs a second one, see `Signals`.

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

/// Call this in the child after a `fork`: it discards what the parent writes, and starts the child's threads. Otherwise the
/// child's first record or flush does so.
pub fn after_fork() {
    fork::check();
    queue::after_fork();
    fork::restart();
}
