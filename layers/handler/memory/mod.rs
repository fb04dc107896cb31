//! Handlers that remember records and hand them on later, if at all: [`MemoryBuffer`] and [`FlightRecorder`].
//!
//! Python: `logging.handlers.MemoryHandler`.
//!
//! Both keep the pooled record, so that nothing is copied and nothing is allocated in steady state; both are bounded in
//! records and in bytes; both hand on in order, and with the time at which the event happened.
//!
//! # When it blocks
//! Records are handed on by the thread whose record made it necessary, with no lock held. Others go on meanwhile: their
//! records are remembered and handed on by that thread, too. A [`MemoryBuffer`] that is at its limit while another thread
//! empties it waits for that, up to a [deadline](MemoryBuffer::reconnect_timeout).
//!
//! # Failures
//! The target has a name, a ledger and a trap of its own: what fails there is counted and told there. The ledger of the
//! memory counts what became of a record there, what was given up as dropped, and the rest as queued.

mod buffer;
mod buffered;
mod recorder;
mod tree;

pub use self::{
    buffer::MemoryBuffer,
    recorder::{FlightRecorder, OutsideSpan, RecorderStats},
};
