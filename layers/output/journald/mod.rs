//! Sends records to the systemd journal with all their fields, by its native protocol.

mod entry;
mod memfd;
mod names;
mod stream;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use self::entry::Extra;
pub use self::stream::StreamOrJournald;
use super::{
    formatted::with_line,
    queued::{QueuedOutput, queued_output_builder},
};
use crate::{
    Delivery, Description, Error, Handler, Outcome, Record,
    format::Time,
    sink::net::{Datagrams, Peer, is_too_long},
};

/// Sends records to the systemd journal with all their fields, by its native protocol.
///
/// Python: `systemd.journal.JournalHandler` of the package systemd-python.
///
/// # Examples
/// ```no_run
/// use tracing_strata::{prelude::*, output::Journald};
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(Journald::builder().build()?.into_layer()).init();
/// tracing::warn!(disk = "/dev/sda1", free = 3, "nearly full");
/// # Ok::<(), tracing_strata::Error>(())
/// ```
/// then `journalctl -t my-program DISK=/dev/sda1 -o verbose`.
///
/// # What is sent
///
/// | journal | record |
/// |---|---|
/// | `MESSAGE` | [the message](Record::message), with its line breaks |
/// | `PRIORITY` | 7 to 0, [by the severity's number](crate::Severity::syslog) |
/// | `LEVEL` | the severity's name, or its number if it has none |
/// | `SYSLOG_IDENTIFIER` | [`identifier`](JournaldBuilder::identifier): the name of the executable |
/// | `TARGET` | the target |
/// | `CODE_FILE`, `CODE_LINE` | the call site |
/// | `CODE_FUNC` | its module path (Rust does not give the function) |
/// | `EVENT_NAME` | the event's name, if it has one |
/// | `THREAD_NAME`, `TID` | the thread that logged |
/// | `TIMESTAMP` | when it logged, with [`time`](JournaldBuilder::time); the journal adds the time of arrival |
/// | `TRACE_ID`, `SPAN_ID`, `TRACE_FLAGS` | [trace ids](Record::trace) in hexadecimal, if the record has them |
/// | `SPAN_NAME` | once for each span, the outermost first |
/// | the fields, one by one | of the event, the spans, the globals: each name once; the event wins over spans, an inner span over an outer one, spans over globals |
/// | [`field`](JournaldBuilder::field) | constant fields |
///
/// Numbers and booleans are sent as text, bytes unchanged, an error as its message with its causes in `NAME__CAUSES`
/// (once for each) and its type in `NAME__TYPE`. The journal adds `_PID`, `_EXE`, `_SYSTEMD_UNIT` and more, which no
/// application can forge.
///
/// # Names of fields
///
/// The journal takes only `A` to `Z`, `0` to `9` and `_`, a letter first, 64 bytes at most, and discards other fields. So:
///
/// | field | journal | rule |
/// |---|---|---|
/// | `user_id` | `USER_ID` | lower-case words and digits with single `_` between them: in upper case |
/// | `http.method` | `HTTP__METHOD` | a `.` between words is `__` |
/// | `message`, `priority` | `MESSAGE_`, `PRIORITY_` | a name of the table above or of the journal gets `_` appended |
/// | `MESSAGE_ID` | `MESSAGE_ID` | also `DOCUMENTATION`, `ERRNO`, `INVOCATION_ID`, `UNIT`, `USER_INVOCATION_ID`, `USER_UNIT`: unchanged, as set on purpose |
/// | `USER_ID` | `USER_ID__` | other upper-case names get `__` appended |
/// | `userId`, `_a`, `é` | `USER___49_D`, `X____5F_A`, `X____C3A9_` | other characters: `___`, hexadecimal, `_` for each run of them; at the beginning `X____` |
/// | longer than 64 bytes | | the first 43 bytes of that, `_____`, 64 bits of a hash (FNV-1a) |
///
/// Two names never become one, except names of more than 64 bytes with the same hash. No field can imitate one of ours.
///
/// # When it blocks
/// Never: the thread of its [`Queue`](crate::Queue) sends. A record is one datagram to a socket on this machine. While the
/// journal's queue is full, that thread waits up to [`timeout`](JournaldBuilder::timeout); then the record fails, and
/// further records fail without waiting until the journal takes one. The handler of
/// [`build_sync`](JournaldBuilder::build_sync) does the same on the thread that logs.
///
/// # Failures
/// [`build`](JournaldBuilder::build) fails if there is no journal, except with
/// [`open_lazily`](JournaldBuilder::open_lazily) or a [fallback](JournaldBuilder::fallback). Later a record that could not
/// be sent goes to the fallback, or fails with an error that names the socket. Each record tries again, so a restarted
/// journal is found by itself. A record too long for a datagram is sent as a sealed file in memory (memfd). Of a record
/// with more than 1000 fields the rest is left out, and `FIELDS_LEFT_OUT` has their number. What the journal discards by its
/// own limits (`RateLimitBurst=`) it reports itself.
///
/// # Differences from Python
/// - Names are made valid by a rule; Python's handler drops what does not fit.
/// - `CODE_FUNC` is a module path. `LOGGER` is called `TARGET`.
pub struct Journald {
    datagrams: Datagrams,
    extra: Extra,
    own_fields: Option<Arc<dyn JournalFields>>,
}

/// What is sent of a record in place of the table above.
pub(crate) trait JournalFields: std::fmt::Debug + Send + Sync {
    /// Calls `field` with names that the journal takes.
    ///
    /// # Errors
    /// The record cannot be sent.
    fn write(&self, record: &Record, field: &mut dyn FnMut(&str, &[u8])) -> Result<(), Error>;
}

/// Where systemd's journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
const TIMEOUT: Duration = Duration::from_secs(1);

impl Journald {
    /// The journal of this machine. No I/O; [`build`](JournaldBuilder::build) looks for the journal.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`socket`](JournaldBuilder::socket) | `/run/systemd/journal/socket` |
    /// | [`identifier`](JournaldBuilder::identifier) | the name of the executable |
    /// | [`field`](JournaldBuilder::field) | none |
    /// | [`time`](JournaldBuilder::time) | none: the journal's own time |
    /// | [`timeout`](JournaldBuilder::timeout) | 1 s |
    /// | [`open_lazily`](JournaldBuilder::open_lazily) | false: fail if there is no journal |
    /// | [`queue`](JournaldBuilder::queue) | [`Queue::builder`](crate::Queue::builder)'s limits, [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
    /// | [`fallback`](JournaldBuilder::fallback) | no fallback |
    pub fn builder() -> JournaldBuilder {
        JournaldBuilder {
            socket: SOCKET.into(),
            identifier: None,
            fields: Vec::new(),
            time: Time::none(),
            timeout: TIMEOUT,
            open_lazily: false,
            queued: QueuedOutput::default(),
            own_fields: None,
        }
    }

    /// Connects now.
    pub(crate) fn open(&self) -> Result<(), Error> {
        self.datagrams.connect().map_err(|error| self.open_error(error))
    }

    /// Checks whether there is a socket to connect to.
    #[cfg(feature = "config")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        use std::os::unix::fs::FileTypeExt as _;

        let Peer::Unix(path) = self.datagrams.peer() else { return Ok(()) };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
            Ok(_) => Err(self.open_error(std::io::ErrorKind::ConnectionRefused.into())),
            Err(error) => Err(self.open_error(error)),
        }
    }

    fn open_error(&self, error: std::io::Error) -> Error {
        let path = self.datagrams.peer().to_string();
        Error::io_at(Path::new(&path), "find a systemd journal that listens at", error)
    }

    fn send_error(&self, error: std::io::Error) -> Error {
        let doing = "send to the journal at";
        match self.datagrams.peer() {
            Peer::Unix(path) => Error::io_at(path, doing, error),
            peer => Error::io_at(Path::new(&peer.to_string()), doing, error),
        }
    }

    /// As a datagram, or as a file in memory if it is too long for one.
    fn send(&self, entry: &[u8]) -> std::io::Result<()> {
        match self.datagrams.send(entry) {
            Err(error) if is_too_long(&error) || error.raw_os_error() == Some(NO_BUFFERS) => {
                let file = memfd::sealed(entry)?;
                self.datagrams.transmit(|socket| memfd::send(socket, &file))
            }
            result => result,
        }
    }
}

/// Another error for a datagram that is too long.
const NO_BUFFERS: i32 = rustix::io::Errno::NOBUFS.raw_os_error();

impl Handler for Journald {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        with_line(|line| {
            match &self.own_fields {
                None => entry::write(&delivery, &self.extra, line.bytes_mut()),
                Some(own) => own.write(&delivery, &mut |name, value| entry::field(line.bytes_mut(), name, value))?,
            }
            self.send(line.as_bytes()).map_err(|error| self.send_error(error))
        })?;
        Ok(Outcome::Written)
    }

    fn describe(&self) -> Description {
        Description::new("journald")
    }
}

impl std::fmt::Debug for Journald {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journald").field("datagrams", &self.datagrams).finish_non_exhaustive()
    }
}

/// How records are sent to the journal. Made by [`Journald::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct JournaldBuilder {
    socket: PathBuf,
    identifier: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    time: Time,
    timeout: Duration,
    open_lazily: bool,
    queued: QueuedOutput,
    own_fields: Option<Arc<dyn JournalFields>>,
}

impl JournaldBuilder {
    queued_output_builder!(Journald, "journald", "With a fallback, the journal [may start later](Self::open_lazily).");

    /// With a fallback, a missing journal is no error.
    fn queue_defaults(mut self) -> Self {
        self.open_lazily |= self.queued.fallback.is_some();
        self
    }

    /// For `or_journal`: fails if there is no journal.
    fn build_handler(mut self) -> Result<Box<dyn Handler>, Error> {
        self.open_lazily = false;
        let queued = self.queued.clone();
        Ok(queued.build_sync(self.connect()?))
    }

    /// The socket of another journal, such as `/run/systemd/journal.NAMESPACE/socket` (`LogNamespace=`).
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = path.into();
        self
    }

    /// `SYSLOG_IDENTIFIER`: what `journalctl -t` filters by and shows before each line.
    pub fn identifier(mut self, identifier: impl Into<String>) -> Self {
        self.identifier = Some(identifier.into());
        self
    }

    /// Adds a field to every record. The name must be one that the journal takes: `A` to `Z`, `0` to `9`, `_`, a letter
    /// first, 64 bytes at most. May be called several times.
    pub fn field(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Adds `TIMESTAMP`: when the record was made. The journal keeps the time of arrival, which is later where records are
    /// queued.
    pub fn time(mut self, time: Time) -> Self {
        self.time = time;
        self
    }

    /// Sends these fields, and no others.
    #[cfg(feature = "config")]
    pub(crate) fn own_fields(mut self, fields: Arc<dyn JournalFields>) -> Self {
        self.own_fields = Some(fields);
        self
    }

    /// How long one record may wait while the journal's queue is full.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Looks for the journal with the first record: it may start later.
    pub fn open_lazily(mut self, open_lazily: bool) -> Self {
        self.open_lazily = open_lazily;
        self
    }

    fn connect(self) -> Result<Journald, Error> {
        let Self { socket, identifier, fields, time, timeout, open_lazily, own_fields, queued: _ } = self;
        let mut constant = Vec::new();
        let identifier = identifier.unwrap_or_else(|| Record::default().process_name().to_owned());
        entry::field(&mut constant, "SYSLOG_IDENTIFIER", identifier.as_bytes());
        for (name, value) in &fields {
            if !names::is_valid(name) || names::is_ours(name) {
                return Err(Error::config(format_args!(
                    "journal field {name:?}: expected A to Z, 0 to 9 and '_', a letter first, at most 64, and none of the \
                     names that records fill"
                )));
            }
            entry::field(&mut constant, name, value);
        }
        let datagrams = Datagrams::new(Peer::Unix(socket), timeout);
        let journal = Journald { datagrams, extra: Extra { constant, time }, own_fields };
        if !open_lazily {
            journal.open()?;
        }
        Ok(journal)
    }
}
