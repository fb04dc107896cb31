//! Where a handler's errors go, and what became of each record.
//!
//! Python: `Handler.handleError` and `logging.raiseExceptions`. No error ever reaches the application: a full disk, a closed
//! pipe or a panic in a handler is counted in the [`Ledger`], and the [`ErrorHandler`] gets it.

mod counters;
mod error_handler;
mod receipt;
mod reporter;
mod stats;
mod thread_slot;

pub(crate) use self::{
    counters::{Counters, ENDS, End, Total},
    receipt::{Completion, FallbackPath, FallbackRecord, Receipts, Resolution},
    stats::ledgers,
};
pub use self::{
    error_handler::{ErrorHandler, Failure},
    receipt::Receipt,
    stats::{Ledger, Stats, stats},
};
