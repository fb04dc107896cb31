//! Places where records end.
//!
//! Python: `logging.StreamHandler`, `FileHandler`, `RotatingFileHandler`, `TimedRotatingFileHandler`, `NullHandler`.
//!
//! Each is a [`Handler`](crate::Handler). Those of lines are a [`Formatted`]: a [`Format`](crate::Format), which makes
//! text of a record, before a [`Sink`](crate::Sink), which takes the bytes; [`Stream`], [`LogFile`],
//! [`RotatingFile`] and [`TimedFile`] are ways to make one.

mod formatted;
mod log_file;
mod null;
mod rotating;
mod stream;
mod timed;

pub use self::{
    formatted::Formatted,
    log_file::{LogFile, LogFileBuilder},
    null::Null,
    rotating::{RotatingFile, RotatingFileBuilder},
    stream::Stream,
    timed::TimedFile,
};
pub use crate::sink::{Grid, Rollover, Sharing, TimeOfDay, Weekday, When};
