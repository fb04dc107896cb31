//! Places that fail by script, to test handlers and formats against.
//!
//! The clock for such tests is [`ManualClock`](crate::clock::ManualClock), which is set to a time in a zone with
//! [`zoned_time`](super::zoned_time); a process that is killed at a point is a
//! [`TestProcess`](super::process::TestProcess).

mod handler;
mod peer;
mod sink;

pub use self::{
    handler::{Act, FaultyHandler},
    peer::{FaultyPeer, Meeting},
    sink::{Fault, FaultySink},
};
