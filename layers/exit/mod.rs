//! The end of the process, and what becomes of the records that are on their way.
//!
//! Python: `logging.shutdown`, which `atexit` calls, and `sys.excepthook`.
//!
//! | how the process ends | what is written | what you do |
//! |---|---|---|
//! | `main` returns, `std::process::exit` on any thread, C's `exit` | all, within [`wait_at_exit`] | nothing |
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
//! | [`Memory`](crate::Memory), [`FlightRecorder`](crate::FlightRecorder) | `written`; what is held is lost |
//!
//! # After a fork
//! See [`flush_within`] for what to call before one that ends the parent without a word (`_exit`).

mod panic;
#[cfg(all(unix, feature = "signal"))]
mod signal;

pub use self::panic::{PanicHook, panic_hook};
#[cfg(all(unix, feature = "signal"))]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use self::signal::{SignalGuard, Signals};
pub use crate::handler::end::{flush_within, request_flush, wait_at_exit};
