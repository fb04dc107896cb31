//! Places that fail by script, to test handlers and formats against.
//!
//! The clock for such tests is [`ManualClock`](crate::clock::ManualClock).

mod handler;
mod sink;

pub use self::{
    handler::{Act, FaultyHandler},
    sink::{Fault, FaultySink},
};
