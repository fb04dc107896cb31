//! The classes of this crate, with Python's names, keys and order of arguments: a file for each kind of handler, and one for
//! formatters and filters each.

mod connection;
mod file;
mod files;
pub(super) mod filters;
pub(super) mod formatters;
mod memory;
mod net;
mod null;
mod otlp;
mod queue;
mod recorder;
mod rotating;
mod standard;
mod stream;
mod syslog;
mod tee;
mod third_party;

pub(super) use self::queue::set_limits;
