//! Places where records end.
//!
//! Python: `logging.StreamHandler`, `FileHandler`, `NullHandler`, `handlers.WatchedFileHandler`, `handlers.RotatingFileHandler`,
//! `handlers.TimedRotatingFileHandler`, `handlers.DatagramHandler`, `handlers.SocketHandler`, `handlers.SysLogHandler`.
//!
//! Each is a [`Handler`](crate::Handler). Those of lines are a [`Formatted`]: a [`Format`](crate::Format), which makes
//! text of a record, before a [`Sink`](crate::Sink), which takes the bytes; [`Stream`], [`LogFile`],
//! [`RotatingFile`] and [`TimedFile`] are ways to make one.

mod behind;
mod datagram;
mod formatted;
mod gather;
#[cfg(target_os = "linux")]
mod journald;
mod log_file;
mod null;
mod rotating;
mod socket;
mod stream;
mod syslog;
mod timed;
mod watched_file;

#[cfg(feature = "config")]
pub(crate) use self::behind::PATIENCE;
#[cfg(feature = "gelf")]
pub use self::datagram::GelfChunks;
#[cfg(target_os = "linux")]
pub use self::journald::{Journald, JournaldBuilder, StreamOrJournald};
pub use self::{
    datagram::{Datagram, DatagramBuilder, Oversize},
    formatted::Formatted,
    log_file::{LogFile, LogFileBuilder},
    null::Null,
    rotating::{RotatingFile, RotatingFileBuilder},
    socket::{Socket, SocketBuilder},
    stream::Stream,
    syslog::{Syslog, SyslogBuilder},
    timed::TimedFile,
    watched_file::WatchedFile,
};
pub use crate::sink::{Alignment, FileLocking, RotatedFile, TimeOfDay, Weekday, When};
