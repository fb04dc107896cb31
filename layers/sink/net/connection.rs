//! A stream that is kept, and opened again when it breaks.

use std::{
    fmt, io,
    sync::MutexGuard,
    time::{Duration, Instant, UNIX_EPOCH},
};

#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{
    address::Address,
    dgram::{Datagrams, Peer},
    framing::Framing,
    pipe::{Deadline, Dial, Pipe},
    retry::{Backoff, Schedule},
    wire::Wire,
};
use crate::{
    Error,
    clock::Clock,
    fork::ForkMutex,
    sink::{Sink, Written},
};

/// A sink over a stream: TCP, a unix socket, TLS. Opened with the first record and kept; see
/// [what a stream promises](super#what-a-stream-promises).
///
/// ```
/// use std::{io::Read as _, net::TcpListener};
/// use tracing_strata::{Severity, Record, format::Json, output::Formatted, prelude::*, sink::net::{Address, Connection, Framing}};
///
/// let peer = TcpListener::bind("127.0.0.1:0")?;
/// let address = Address::tcp("127.0.0.1", peer.local_addr()?.port());
/// let connection = Connection::builder(address).framing(Framing::Lines).build()?;
/// let handler = Formatted::new(Json::new(), connection).terminator("").named("wire");
/// handler.emit(&Record::new(Severity::INFO, "app", "over the wire"));
/// drop(handler);
///
/// let mut text = String::new();
/// peer.accept()?.0.read_to_string(&mut text)?;
/// assert!(text.contains("over the wire") && text.ends_with('\n'));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # When it blocks
/// A record waits at most [`connect_timeout`](ConnectionBuilder::connect_timeout) +
/// [`write_timeout`](ConnectionBuilder::write_timeout) + [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout), all in all and
/// whatever other threads do. While a peer is away, records fail at once until the next try is due ([`Backoff`]); with
/// patience they wait for it. Threads take turns.
///
/// A peer that let a deadline pass (it hangs: it takes connections and reads nothing) counts as away, too, and is in doubt
/// until a connection has lasted for 30 s, or for as long as the last wait if that is longer. Until then the waits go on
/// growing, although connecting succeeds, and without patience a record waits for a twentieth of the write deadline at
/// most (but for 100 ms), and for a twentieth of the connect deadline or an eighth of the last wait: with the defaults
/// 250 ms now and then, so that a [fallback](crate::HandlerExt::fallback) is of use. What the system takes for such a peer
/// counts as written each time, some megabytes perhaps. With [`Backoff::python`] there is no doubt, as in Python.
pub struct Connection {
    dial: Dial,
    options: Options,
    clock: Option<Box<dyn Clock>>,
    turn: ForkMutex<Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    framing: Option<Framing>,
    retry: Backoff,
    connect_deadline: Duration,
    write_deadline: Duration,
    patience: Option<Duration>,
}

/// What one thread at a time has.
#[derive(Debug)]
enum Turn {
    Free(Box<State>),
    Taken,
}

impl Turn {
    fn new(retry: Backoff) -> Self {
        let schedule = Schedule::new(retry);
        let (opened, frame) = (Duration::ZERO, Vec::new());
        Self::Free(Box::new(State { pipe: None, schedule, last: None, is_in_doubt: false, opened, frame }))
    }
}

#[derive(Debug)]
struct State {
    pipe: Option<Open>,
    schedule: Schedule,
    /// Why the peer is away.
    last: Option<(io::ErrorKind, String)>,
    /// It has let a deadline pass, and has not shown since that it reads.
    is_in_doubt: bool,
    /// When the connection was opened, by the schedule's clock.
    opened: Duration,
    /// A record as it travels.
    frame: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    pipe: Pipe,
    /// Whose it is: after fork(2) both processes have it.
    process: u32,
    since: Instant,
}

/// What a connection keeps between records at most, in bytes.
const KEPT: usize = 256 << 10;
/// One that was closed sooner than this counts as a peer that is away: it takes connections and does nothing with them.
const SHORT: Duration = Duration::from_millis(100);
/// A connection that has lasted for so long shows that its peer reads. Buffers on the way take records for a while of one
/// that does not.
const TRUST: Duration = Duration::from_secs(30);
/// Which part of a deadline a peer in doubt gets, and how much of it at least.
const IN_DOUBT: u32 = 20;
const LEAST: Duration = Duration::from_millis(100);
/// Which part of the last wait a peer in doubt gets for connecting, where that is more: it may really take long.
const OF_WAIT: u32 = 8;

impl Connection {
    /// How to reach a peer.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`framing`](ConnectionBuilder::framing) | as a [`Socket`](crate::output::Socket)'s format [says](crate::Format::framing), else [`Framing::Lines`] |
    /// | [`connect_timeout`](ConnectionBuilder::connect_timeout) | 5 s; 1 s with [`Backoff::python`] |
    /// | [`write_timeout`](ConnectionBuilder::write_timeout) | 5 s |
    /// | [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout) | none |
    /// | [`backoff`](ConnectionBuilder::backoff) | 100 ms, × 2, up to 30 s, ± 25 % |
    /// | `tls` (feature `tls`) | the system's certificate authorities, no certificate of our own |
    pub fn builder(address: Address) -> ConnectionBuilder {
        ConnectionBuilder {
            address,
            options: Options {
                framing: None,
                retry: Backoff::default(),
                connect_deadline: Duration::from_secs(5),
                write_deadline: Duration::from_secs(5),
                patience: None,
            },
            clock: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Where the peer is.
    pub fn address(&self) -> &Address {
        &self.dial.address
    }

    /// Whether the connection is open, for all that is known. `false` while a record is being sent.
    pub fn is_open(&self) -> bool {
        match &*self.lock() {
            Turn::Free(state) => state.pipe.is_some(),
            Turn::Taken => false,
        }
    }

    /// Closes the connection; the next record opens it again, at once.
    pub fn close(&self) {
        crate::barrier::wait();
        if let Turn::Free(state) = &mut *self.lock() {
            state.hang_up();
            state.schedule.succeeded();
            state.is_in_doubt = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        let fresh = || Turn::new(self.options.retry);
        // A thread of the parent's that has it will not give it back in a child.
        let start_over = |turn: &mut Turn| {
            if matches!(turn, Turn::Taken) {
                *turn = fresh();
            }
        };
        self.turn.lock(start_over, fresh)
    }

    fn now(&self) -> Duration {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        match &self.clock {
            Some(clock) => clock.now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            None => START.elapsed(),
        }
    }

    /// Waits for the turn.
    fn take(&self, deadline: Deadline) -> io::Result<Taken<'_>> {
        let mut turn = self.lock();
        loop {
            if let Turn::Free(state) = std::mem::replace(&mut *turn, Turn::Taken) {
                return Ok(Taken { connection: self, state: Some(state) });
            }
            let left = deadline
                .left()
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "other records were being sent all the time"))?;
            turn = self.turn.wait_while(turn, left, |turn| matches!(turn, Turn::Taken)).0;
        }
    }

    fn send(&self, record: &[u8]) -> io::Result<()> {
        let Options { framing, connect_deadline, write_deadline, .. } = self.options;
        let patience = self.options.patience.unwrap_or_default();
        let deadline = Deadline::after(connect_deadline.saturating_add(write_deadline).saturating_add(patience));
        let mut taken = self.take(deadline)?;
        let Some(state) = taken.state.as_deref_mut() else { return Err(io::ErrorKind::Other.into()) };
        state.frame.clear();
        framing.unwrap_or_default().put(record, &mut state.frame)?;
        self.send_frame(state, deadline, Deadline::after(patience))
    }

    fn send_frame(&self, state: &mut State, deadline: Deadline, patience: Deadline) -> io::Result<()> {
        match state.look() {
            Look::Open => match self.write(state, deadline) {
                Ok(()) => return Ok(()),
                // A peer that takes nothing will not take it over another connection either.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.failed(state, error)),
                // It is gone; perhaps another is there already.
                Err(_) => {}
            },
            Look::ClosedSoon(error) if !self.options.retry.drops_silently => drop(self.failed(state, error)),
            Look::ClosedSoon(_) | Look::Closed => {}
        }
        loop {
            let wait = state.schedule.left(self.now());
            if !wait.is_zero() {
                match patience.left() {
                    Ok(left) => {
                        std::thread::sleep(wait.min(left));
                        continue;
                    }
                    Err(_) => return Err(state.away(wait)),
                }
            }
            match self.open_and_write(state, deadline) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let error = self.failed(state, error);
                    // Its patience is shorter than any wait, or there is time for another try.
                    if patience.left().is_err() {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn open_and_write(&self, state: &mut State, deadline: Deadline) -> io::Result<()> {
        let most = self.options.connect_deadline;
        let most = self.at_most(state, most, (most / IN_DOUBT).max(state.schedule.wait() / OF_WAIT));
        let pipe =
            Pipe::open(&self.dial, deadline.earlier(Deadline::after(most))).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {most:?}"))
                }
                _ => error,
            })?;
        state.pipe = Some(Open { pipe, process: crate::fork::process_id(), since: Instant::now() });
        state.opened = self.now();
        self.write(state, deadline)?;
        if !state.is_in_doubt {
            state.succeeded();
        }
        Ok(())
    }

    fn write(&self, state: &mut State, deadline: Deadline) -> io::Result<()> {
        let most = self.options.write_deadline;
        let most = self.at_most(state, most, most / IN_DOUBT);
        state.write(deadline.earlier(Deadline::after(most))).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => io::Error::new(error.kind(), format!("the peer took nothing for {most:?}")),
            _ => error,
        })?;
        if state.is_in_doubt && self.now().saturating_sub(state.opened) >= state.schedule.wait().max(TRUST) {
            state.succeeded();
        }
        Ok(())
    }

    /// A deadline; that of a peer in doubt, unless records are to wait anyway.
    fn at_most(&self, state: &State, deadline: Duration, in_doubt: Duration) -> Duration {
        let in_doubt = in_doubt.max(LEAST).max(self.options.patience.unwrap_or_default());
        if state.is_in_doubt { deadline.min(in_doubt) } else { deadline }
    }

    fn failed(&self, state: &mut State, error: io::Error) -> io::Error {
        state.is_in_doubt |= error.kind() == io::ErrorKind::TimedOut && !self.options.retry.drops_silently;
        state.failed(self.now(), error)
    }
}

enum Look {
    Open,
    Closed,
    /// It was open for a moment only.
    ClosedSoon(io::Error),
}

impl State {
    /// Whether there is a connection, and whether the peer has left it.
    fn look(&mut self) -> Look {
        let Some(open) = &mut self.pipe else { return Look::Closed };
        if open.process != crate::fork::process_id() {
            // The parent's; not a byte may come from here.
            self.pipe = None;
            return Look::Closed;
        }
        let Err(error) = open.pipe.is_alive() else { return Look::Open };
        let was_short = open.since.elapsed() < SHORT;
        self.pipe = None;
        if was_short { Look::ClosedSoon(error) } else { Look::Closed }
    }

    /// Writes the frame whole, or closes the connection.
    fn write(&mut self, deadline: Deadline) -> io::Result<()> {
        // Should it panic, the connection is gone as well.
        let Some(mut open) = self.pipe.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        open.pipe.write_all(&self.frame, deadline)?;
        self.pipe = Some(open);
        Ok(())
    }

    fn succeeded(&mut self) {
        self.schedule.succeeded();
        self.is_in_doubt = false;
        self.last = None;
    }

    fn failed(&mut self, now: Duration, error: io::Error) -> io::Error {
        self.pipe = None;
        self.schedule.failed(now);
        self.last = Some((error.kind(), error.to_string()));
        error
    }

    #[cold]
    fn away(&self, wait: Duration) -> io::Error {
        let (kind, text) =
            self.last.as_ref().map_or((io::ErrorKind::NotConnected, ""), |(kind, text)| (*kind, &**text));
        io::Error::new(kind, format!("the peer is away ({text}); the next try is due in {:.1} s", wait.as_secs_f64()))
    }

    fn hang_up(&mut self) {
        if let Some(open) = self.pipe.take().filter(|open| open.process == crate::fork::process_id()) {
            open.pipe.close();
        }
    }
}

/// The turn; given back when it is dropped.
struct Taken<'a> {
    connection: &'a Connection,
    /// Always there until then.
    state: Option<Box<State>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take() {
            if state.frame.capacity() > KEPT {
                state.frame = Vec::new();
            }
            *self.connection.lock() = Turn::Free(state);
            self.connection.turn.notify_all();
        }
    }
}

impl Sink for Connection {
    fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        match self.send(bytes) {
            Ok(()) => Ok(Written::Through),
            Err(_) if self.options.retry.drops_silently => Ok(Written::Dropped),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Turn::Free(state) = &mut *self.lock() {
            state.hang_up();
        }
    }
}

/// Without what a format or a token may have put into a frame.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.dial.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// How a peer is reached. Made by [`Connection::builder`], or from an [`Address`] with all defaults. Outputs take it, also
/// for datagrams, where only the write deadline matters: how long a full socket is waited for.
#[must_use]
pub struct ConnectionBuilder {
    address: Address,
    options: Options,
    clock: Option<Box<dyn Clock>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl ConnectionBuilder {
    /// Where a record ends (default: as the [format](crate::Format::framing) says, else [`Framing::Lines`]).
    pub fn framing(mut self, framing: Framing) -> Self {
        self.options.framing = Some(framing);
        self
    }

    /// How long finding the host's address, connecting and the TLS handshake may take together.
    pub fn connect_timeout(mut self, deadline: Duration) -> Self {
        self.options.connect_deadline = deadline;
        self
    }

    /// What records of this peer are framed with where nobody has said otherwise.
    pub(crate) fn default_framing(mut self, framing: Framing) -> Self {
        self.options.framing.get_or_insert(framing);
        self
    }

    /// How long records wait where nobody has said otherwise; not at all with [`Backoff::python`].
    pub(crate) fn default_patience(mut self, patience: Duration) -> Self {
        if !self.options.retry.drops_silently {
            self.options.patience.get_or_insert(patience);
        }
        self
    }

    /// Takes the framing of the format where the user chose none.
    ///
    /// # Errors
    /// The chosen framing would change the format's records.
    pub(crate) fn framing_of(self, of_format: Option<Framing>) -> Result<Self, Error> {
        let Some(of_format) = of_format else { return Ok(self) };
        match self.options.framing {
            Some(chosen @ (Framing::Lines | Framing::Nul)) if of_format == Framing::None => {
                Err(Error::config(format_args!(
                    "{}: records of this format tell by themselves where they end, and {chosen:?} would change bytes in \
                     them: expected Framing::None, or no framing",
                    self.address
                )))
            }
            _ => Ok(self.default_framing(of_format)),
        }
    }

    pub(crate) fn chosen_framing(&self) -> Framing {
        self.options.framing.unwrap_or_default()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// How long it may take until the system has taken all bytes of a record. After that the connection is closed.
    pub fn write_timeout(mut self, deadline: Duration) -> Self {
        self.options.write_deadline = deadline;
        self
    }

    /// How long a record may wait for a peer that is away; connecting is tried again meanwhile. For a handler behind a
    /// [queue](crate::Queue), which then holds the records that come: its bound is the answer to how many.
    pub fn reconnect_timeout(mut self, patience: Duration) -> Self {
        self.options.patience = Some(patience);
        self
    }

    /// When a peer that is away is tried again. [`Backoff::python`] also sets the connect deadline to Python's 1 s.
    pub fn backoff(mut self, retry: Backoff) -> Self {
        if retry.drops_silently {
            self.options.connect_deadline = Duration::from_secs(1);
        }
        self.options.retry = retry;
        self
    }

    /// Whom to trust and who we are, for [`Address::Tls`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The clock of the [schedule](Self::backoff) (default: one that only goes forward).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// The connection; it is opened with the first record.
    ///
    /// # Errors
    /// The address leads nowhere or is none of a stream; for TLS, what [`Tls`](super::Tls) says.
    pub fn build(self) -> Result<Connection, Error> {
        let Self { address, options, clock, .. } = self;
        address.check()?;
        if matches!(address, Address::Udp { .. } | Address::UnixDatagram(_)) {
            return Err(Error::config(format_args!(
                "{address}: expected the address of a stream (tcp, tls, unix-stream)"
            )));
        }
        #[cfg(not(feature = "tls"))]
        if matches!(address, Address::Tls { .. }) {
            return Err(Error::config(format_args!("{address}: TLS needs the feature \"tls\" of tracing-strata")));
        }
        #[cfg(feature = "tls")]
        let tls = match &address {
            Address::Tls { host, .. } => Some(self.tls.unwrap_or_default().load(host)?),
            _ => None,
        };
        Ok(Connection {
            dial: Dial {
                address,
                #[cfg(feature = "tls")]
                tls,
            },
            options,
            clock,
            turn: ForkMutex::new(Turn::new(options.retry)),
        })
    }
}

impl ConnectionBuilder {
    /// A sink to whatever the address leads to.
    pub(crate) fn build_wire(self) -> Result<Wire, Error> {
        self.address.check()?;
        let deadline = self.options.write_deadline;
        match &self.address {
            Address::Udp { host, port } => {
                Ok(Wire::datagrams(Datagrams::new(Peer::Udp { host: host.clone(), port: *port }, deadline)))
            }
            #[cfg(unix)]
            Address::UnixDatagram(path) => Ok(Wire::datagrams(Datagrams::new(Peer::Unix(path.clone()), deadline))),
            #[cfg(unix)]
            Address::Unix(path) => {
                let datagrams = Datagrams::new(Peer::Unix(path.clone()), deadline);
                Ok(Wire::either(datagrams, self.build()?))
            }
            _ => Ok(Wire::stream(self.build()?)),
        }
    }
}

impl From<Address> for ConnectionBuilder {
    fn from(address: Address) -> Self {
        Connection::builder(address)
    }
}

impl fmt::Debug for ConnectionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("address", &self.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
