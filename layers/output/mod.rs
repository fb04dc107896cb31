//! Places where records end.
//!
//! Python: `logging.StreamHandler`, `FileHandler`, `NullHandler`.
//!
//! Each is a [`Handler`](crate::Handler). Those of lines are a [`Formatted`]: a [`Format`](crate::Format), which makes
//! text of a record, before a [`Sink`](crate::Sink), which takes the bytes; [`Stream`] and [`LogFile`] are ways to make
//! one.

mod formatted;
mod log_file;
mod null;
mod queued;
mod stream;
mod syslog;

pub use self::{
    formatted::Formatted,
    log_file::{LogFile, LogFileBuilder},
    null::Null,
    stream::Stream,
    syslog::{Syslog, SyslogBuilder},
};
