//! Outputs: where records go.
//!
//! Python: `logging.StreamHandler`, `FileHandler`, `NullHandler`, and from `logging.handlers` `WatchedFileHandler`,
//! `RotatingFileHandler`, `TimedRotatingFileHandler`, `DatagramHandler`, `HTTPHandler`, `SocketHandler`, `SysLogHandler`.
//!
//! Each output is a [`Handler`](crate::Handler). Outputs of lines are a [`Formatted`]: a [`Format`](crate::Format) makes
//! text of a record, and a [`Sink`](crate::Sink) writes its bytes. [`Stream`], [`LogFile`] and [`RotatingFile`] are names
//! for it with our sinks.
//!
//! Outputs that take many records at once, such as services and databases, are a [`Batched`]: a [`Batch`] sends.
//!
//! Constructors do no I/O: `Stream::stdout()`, `LogFile::builder(path)`, `Datagram::udp(host, port)`. A builder's
//! `build()` checks the options, opens what the output needs, and returns the handler.

mod batch_writer;
mod batched;
mod datagram;
mod formatted;
#[cfg(feature = "forward")]
mod forward;
#[cfg(feature = "http")]
mod http;
#[cfg(target_os = "linux")]
mod journald;
mod log_file;
mod null;
mod queued;
mod rotating;
mod socket;
mod stream;
mod syslog;

#[cfg(feature = "gelf")]
pub use self::datagram::GelfChunks;
#[cfg(feature = "forward")]
pub use self::forward::{FluentForward, FluentForwardBuilder, ForwardMode};
#[cfg(feature = "http")]
pub use self::http::{
    BetterStack, Datadog, Elasticsearch, Http, HttpBody, HttpBuilder, Logstash, Loki, Sematext, SplunkHec, Webhook,
};
#[cfg(all(feature = "config", target_os = "linux"))]
pub(crate) use self::journald::JournalFields;
#[cfg(target_os = "linux")]
pub use self::journald::{Journald, JournaldBuilder, StreamOrJournald};
#[cfg(feature = "config")]
pub(crate) use self::queued::RECONNECT_TIMEOUT;
pub use self::{
    batched::{Answer, Attempt, Batch, Batched, BatchedBuilder, Verdict},
    datagram::{Datagram, DatagramBuilder, Oversize},
    formatted::Formatted,
    log_file::{LogFile, LogFileBuilder},
    null::Null,
    rotating::{RotatingFile, RotatingFileBuilder},
    socket::{Socket, SocketBuilder},
    stream::Stream,
    syslog::{Syslog, SyslogBuilder},
};
pub use crate::sink::{Alignment, FileLocking, RotatedFile, TimeOfDay, Weekday, When};
