//! The classes of this crate, with Python's names, keys and order of arguments: one file for each kind of handler, one
//! for formatters, one for filters. Keys that several classes share are in `files` and `connection`.

mod connection;
mod file;
mod files;
pub(super) mod filters;
pub(super) mod formatters;
mod forward;
mod http;
mod memory;
mod net;
mod null;
mod otlp;
mod queue;
mod receivers;
mod recorder;
mod rotating;
mod standard;
mod stream;
mod syslog;
mod tee;
mod third_party;

pub(super) use self::queue::set_limits;
