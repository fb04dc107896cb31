//! Sends records to the systemd journal, by its native protocol.
//!
//! Python: `systemd.journal.JournalHandler` (of the package systemd-python; the standard library has none).
//!
//! See [`Journald`].

mod entry;
mod memfd;
mod names;
mod stream;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use self::entry::Extra;
pub use self::stream::StreamOrJournald;
use super::{
    behind::{QueuedOutput, behind_a_queue},
    formatted::with_line,
};
use crate::{
    Delivery, Description, Error, Handler, Outcome, Queue, Record,
    format::Time,
    sink::net::{Datagrams, Peer, is_too_long},
};

/// Sends records to the systemd journal with all their fields, by its native protocol.
///
/// # Examples
/// ```no_run
/// use tracing_strata::{prelude::*, output::Journald};
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(Journald::local()?.into_layer()).init();
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
/// | `CODE_FUNC` | its module path (Rust tells no function) |
/// | `EVENT_NAME` | the event's name, where it was given one |
/// | `THREAD_NAME`, `TID` | the thread that logged |
/// | `TIMESTAMP` | when it logged, if [`time`](JournaldBuilder::time) asks for it; the journal has the time of arrival by itself |
/// | `TRACE_ID`, `SPAN_ID`, `TRACE_FLAGS` | in hexadecimal, in records that have [trace ids](Record::trace) |
/// | `SPAN_NAME` | once for each span, the outermost first |
/// | the fields, one by one | the event's, the spans', the global ones: each name once, the event wins over spans, an inner span over an outer one, spans over global fields |
/// | [`field`](JournaldBuilder::field) | what was set for all records |
///
/// Numbers and truth values are sent as text, bytes as they are, an error as its message with its causes in `NAME__CAUSES`
/// (once for each) and its type in `NAME__TYPE`. The journal adds `_PID`, `_EXE`, `_SYSTEMD_UNIT` and more, which no
/// application can forge.
///
/// # Names of fields
///
/// The journal takes only `A` to `Z`, `0` to `9` and `_`, a letter first, 64 bytes at most, and throws other fields away. So:
///
/// | field | journal | rule |
/// |---|---|---|
/// | `user_id` | `USER_ID` | words of small letters and digits with single `_` between them: in capitals |
/// | `http.method` | `HTTP__METHOD` | a `.` between words is `__` |
/// | `message`, `priority` | `MESSAGE_`, `PRIORITY_` | a name that is ours or the journal's own gets `_` appended |
/// | `MESSAGE_ID` | `MESSAGE_ID` | so do `DOCUMENTATION`, `ERRNO`, `INVOCATION_ID`, `UNIT`, `USER_INVOCATION_ID`, `USER_UNIT`: set on purpose |
/// | `USER_ID` | `USER_ID__` | other names in capitals get `__` appended |
/// | `userId`, `_a`, `é` | `USER___49_D`, `X____5F_A`, `X____C3A9_` | whatever else: in stretches of `___`, hexadecimal, `_`; at the beginning `X____` |
/// | longer ones | | the first 43 bytes of that, `_____`, 64 bits of a hash (FNV-1a) |
///
/// No two names become one, but for names of more than 64 bytes with one hash. No field can pass for one of ours.
///
/// # When it blocks
/// Not at all: it sits behind a [`Queue`], unless it was made by [`build_sync`](JournaldBuilder::build_sync). A record
/// is one datagram to a socket on this machine. Where the journal's queue is full, the thread that sends waits up to
/// [`timeout`](JournaldBuilder::timeout), then the record fails, and so do further ones, without waiting, until the
/// journal has taken something.
///
/// # Failures
/// [`build`](JournaldBuilder::build) fails where no journal is there, unless it may
/// [come later](JournaldBuilder::open_lazily) or there is a [fallback](JournaldBuilder::fallback). Afterwards a record that could
/// not be sent goes to the fallback, or is an error of the handler, which names the socket; each record tries anew, so it
/// goes on by itself when the journal was restarted. A record that no datagram
/// can hold is sent as a sealed file in memory (memfd). Of a record with more than 1000 fields the rest is left out, and their
/// number is in `FIELDS_LEFT_OUT`. What the journal throws away by its own limits (`RateLimitBurst=`) it tells in itself.
///
/// # Differences from Python
/// - Names are made valid by a rule; Python's handler drops what does not fit.
/// - `CODE_FUNC` is a module path. `LOGGER` is called `TARGET`.
pub struct Journald {
    datagrams: Datagrams,
    extra: Extra,
}

/// Where systemd's journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
const DEADLINE: Duration = Duration::from_secs(1);

impl Journald {
    /// The journal of this machine, with all defaults, behind a queue.
    ///
    /// # Errors
    /// No journal is there; the queue cannot start its thread.
    pub fn local() -> Result<Queue, Error> {
        Self::builder().build()
    }

    /// The journal of this machine.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`socket`](JournaldBuilder::socket) | `/run/systemd/journal/socket` |
    /// | [`identifier`](JournaldBuilder::identifier) | the name of the executable |
    /// | [`field`](JournaldBuilder::field) | none |
    /// | [`time`](JournaldBuilder::time) | none: the journal's own time |
    /// | [`timeout`](JournaldBuilder::timeout) | 1 s |
    /// | [`open_lazily`](JournaldBuilder::open_lazily) | false: fail if no journal is there |
    /// | [`queue`](JournaldBuilder::queue) | [`Queue::builder`]'s defaults, but for `Overflow::DropNewest`: nobody waits |
    /// | [`fallback`](JournaldBuilder::fallback) | no fallback |
    pub fn builder() -> JournaldBuilder {
        JournaldBuilder {
            socket: SOCKET.into(),
            identifier: None,
            fields: Vec::new(),
            time: Time::none(),
            deadline: DEADLINE,
            delay: false,
            behind: QueuedOutput::default(),
        }
    }

    fn refused(&self, error: std::io::Error) -> Error {
        let doing = "send to the journal at";
        match self.datagrams.peer() {
            Peer::Unix(path) => Error::io_at(path, doing, error),
            peer => Error::io_at(Path::new(&peer.to_string()), doing, error),
        }
    }

    /// As a datagram, or as a file if it is too long for one.
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

/// What the system may say of a datagram that is larger than it has room for.
const NO_BUFFERS: i32 = rustix::io::Errno::NOBUFS.raw_os_error();

impl Handler for Journald {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        with_line(|line| {
            entry::write(&delivery, &self.extra, line.bytes_mut());
            self.send(line.as_bytes()).map_err(|error| self.refused(error))
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
    deadline: Duration,
    delay: bool,
    behind: QueuedOutput,
}

impl JournaldBuilder {
    behind_a_queue!(Journald, "journald", "With a fallback, the journal [may come later](Self::open_lazily).");

    /// Whether its absence is an error, or for the fallback to make good.
    fn queued(mut self) -> Self {
        self.delay |= self.behind.fallback.is_some();
        self
    }

    /// The handler for `or_journal`, which asks whether the journal is there.
    fn handler(mut self) -> Result<Box<dyn Handler>, Error> {
        self.delay = false;
        let behind = self.behind.clone();
        Ok(behind.direct(self.connect()?))
    }

    /// The socket of another journal, such as `/run/systemd/journal.NAMESPACE/socket` (`LogNamespace=`).
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = path.into();
        self
    }

    /// `SYSLOG_IDENTIFIER`: what `journalctl -t` asks for, and what stands before each line.
    pub fn identifier(mut self, identifier: impl Into<String>) -> Self {
        self.identifier = Some(identifier.into());
        self
    }

    /// A field of every record, under a name that the journal takes as it is: `A` to `Z`, `0` to `9`, `_`, a letter first,
    /// 64 bytes at most. May be set several times.
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

    /// How long one record may wait for a journal whose queue is full.
    pub fn timeout(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether the journal may come later: it is not looked for before the first record.
    pub fn open_lazily(mut self, delay: bool) -> Self {
        self.delay = delay;
        self
    }

    /// Fails if a [field](Self::field) has a name that the journal does not take or that this handler writes itself, and,
    /// without [`open_lazily`](Self::open_lazily), if no journal listens at the socket.
    fn connect(self) -> Result<Journald, Error> {
        let Self { socket, identifier, fields, time, deadline, delay, behind: _ } = self;
        let mut head = Vec::new();
        let identifier = identifier.unwrap_or_else(|| Record::default().process_name().to_owned());
        entry::field(&mut head, "SYSLOG_IDENTIFIER", identifier.as_bytes());
        for (name, value) in &fields {
            if !names::is_valid(name) || names::is_ours(name) {
                return Err(Error::config(format_args!(
                    "journal field {name:?}: expected A to Z, 0 to 9 and '_', a letter first, at most 64, and none of the \
                     names that records fill"
                )));
            }
            entry::field(&mut head, name, value);
        }
        let datagrams = Datagrams::new(Peer::Unix(socket.clone()), deadline);
        if !delay {
            datagrams
                .connect()
                .map_err(|error| Error::io_at(&socket, "find a systemd journal that listens at", error))?;
        }
        Ok(Journald { datagrams, extra: Extra { head, time } })
    }
}
