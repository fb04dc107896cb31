//! Handlers that buffer records and pass them on later, if at all: [`MemoryBuffer`] and [`FlightRecorder`].
//!
//! Python: `logging.handlers.MemoryHandler`.
//!
//! Both keep the pooled record, so they copy nothing and allocate nothing in steady state. Both are bounded in records
//! and in bytes. Both pass records on in order, with their own times.
//!
//! # When it blocks
//! The thread whose record makes it necessary passes the buffered records on, with no lock held. Other threads go on
//! meanwhile: their records are buffered and passed on by that thread, too. A full [`MemoryBuffer`] waits while another
//! thread empties it, up to a [timeout](MemoryBuffer::timeout).
//!
//! # Failures
//! The target has a name, a ledger and an error handler of its own, for its errors. The ledger of the buffer counts the
//! outcome of each record there, discarded records as dropped, and buffered ones as queued.

mod buffer;
mod buffered;
mod recorder;
mod tree;

pub use self::{
    buffer::MemoryBuffer,
    recorder::{FlightRecorder, OutsideSpan, RecorderStats},
};
