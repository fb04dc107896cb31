//! Syslog: what is sent, and how it gets there.

mod injection;
mod message;
pub(crate) mod parser;
mod python;
mod wires;
