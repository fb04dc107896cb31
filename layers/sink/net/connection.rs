//! A persistent stream that reconnects.

use std::{
    fmt, io,
    sync::MutexGuard,
    time::{Duration, Instant, UNIX_EPOCH},
};

use super::{
    address::Address,
    backoff::{Backoff, BackoffState},
    builder::ConnectionBuilder,
    net_sink::is_other_kind,
    stream::{Deadline, Endpoint, NetStream},
};
use crate::{
    clock::Clock,
    fork::ForkMutex,
    framing::Framing,
    sink::{Lines, Sink},
};

/// A sink over a stream: TCP, a unix socket, TLS. The first record opens it, and it stays open; see
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
/// [`write_timeout`](ConnectionBuilder::write_timeout) + [`reconnect_timeout`](ConnectionBuilder::reconnect_timeout) in
/// total, whatever other threads do. While the peer is unavailable, records fail at once until the next attempt is due
/// ([`Backoff`]); with a `reconnect_timeout` they wait for it. One thread sends at a time.
///
/// A peer that caused a timeout (it accepts connections and reads nothing) also counts as unavailable. It stays suspect
/// until a connection has lasted 30 s, or as long as the last backoff if that is longer. Until then the backoff keeps
/// growing, although connecting succeeds. Without a `reconnect_timeout`, a record then waits at most a twentieth of the
/// write timeout (at least 100 ms), and for connecting a twentieth of the connect timeout or an eighth of the last
/// backoff: with the defaults 250 ms now and then, so that a [fallback](crate::HandlerExt::fallback) is of use. What
/// the system accepts for such a peer counts as written each time, perhaps some megabytes. With [`Backoff::python`] no
/// peer is suspect, as in Python.
pub struct Connection {
    endpoint: Endpoint,
    options: Options,
    clock: Option<Box<dyn Clock>>,
    slot: ForkMutex<StateSlot>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) framing: Option<Framing>,
    pub(super) backoff: Backoff,
    pub(super) connect_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) reconnect_timeout: Option<Duration>,
}

/// The state, which one thread at a time takes out.
#[derive(Debug)]
enum StateSlot {
    Free(Box<State>),
    InUse,
}

impl StateSlot {
    fn new(backoff: Backoff) -> Self {
        let backoff_state = BackoffState::new(backoff);
        let (opened_at, frame) = (Duration::ZERO, Vec::new());
        Self::Free(Box::new(State { open: None, backoff_state, last_error: None, is_suspect: false, opened_at, frame }))
    }
}

#[derive(Debug)]
struct State {
    open: Option<Open>,
    backoff_state: BackoffState,
    /// Why the peer is unavailable.
    last_error: Option<(io::ErrorKind, String)>,
    /// The peer has caused a timeout and has not shown since that it reads.
    is_suspect: bool,
    /// When the connection was opened, by the clock of the backoff.
    opened_at: Duration,
    /// The framed record.
    frame: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    stream: NetStream,
    /// The process that opened it: after fork(2) both have it.
    process: u32,
    since: Instant,
}

/// The largest frame buffer that is kept between records, in bytes.
const MAX_KEPT_BUFFER: usize = 256 << 10;
/// A peer that closes a connection sooner counts as unavailable: it accepts connections and does nothing with them.
const SHORT_LIVED: Duration = Duration::from_millis(100);
/// A connection that has lasted this long shows that its peer reads; before, buffers on the way may have hidden that it
/// does not.
const TRUSTED_AFTER: Duration = Duration::from_secs(30);
/// A suspect peer gets this part of a timeout …
const SUSPECT_DIVISOR: u32 = 20;
/// … but at least this.
const MIN_SUSPECT_TIMEOUT: Duration = Duration::from_millis(100);
/// For connecting, a suspect peer gets this part of the last backoff if that is more: connecting may really take long.
const BACKOFF_DIVISOR: u32 = 8;

impl Connection {
    /// Starts a builder.
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
        ConnectionBuilder::new(address)
    }

    pub(super) fn new(endpoint: Endpoint, options: Options, clock: Option<Box<dyn Clock>>) -> Self {
        Self { endpoint, options, clock, slot: ForkMutex::new(StateSlot::new(options.backoff)) }
    }

    /// The peer's address.
    pub fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// Whether the connection is open, as far as known. `false` while a record is being sent.
    pub fn is_open(&self) -> bool {
        match &*self.lock() {
            StateSlot::Free(state) => state.open.is_some(),
            StateSlot::InUse => false,
        }
    }

    /// Closes the connection. The next record opens it again at once.
    pub fn close(&self) {
        crate::barrier::wait();
        if let StateSlot::Free(state) = &mut *self.lock() {
            state.close();
            state.backoff_state.succeeded();
            state.is_suspect = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, StateSlot> {
        let fresh = || StateSlot::new(self.options.backoff);
        // A thread of the parent that has the state does not return it in a child.
        let reset_in_child = |slot: &mut StateSlot| {
            if matches!(slot, StateSlot::InUse) {
                *slot = fresh();
            }
        };
        self.slot.lock(reset_in_child, fresh)
    }

    fn now(&self) -> Duration {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        match &self.clock {
            Some(clock) => clock.now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            None => START.elapsed(),
        }
    }

    /// Waits until no other thread is sending.
    fn acquire(&self, deadline: Deadline) -> io::Result<StateGuard<'_>> {
        let mut slot = self.lock();
        loop {
            if let StateSlot::Free(state) = std::mem::replace(&mut *slot, StateSlot::InUse) {
                return Ok(StateGuard { connection: self, state: Some(state) });
            }
            let left = deadline
                .remaining()
                .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "other records were being sent all the time"))?;
            slot = self.slot.wait_while(slot, left, |slot| matches!(slot, StateSlot::InUse)).0;
        }
    }

    fn send(&self, record: &[u8]) -> io::Result<()> {
        let Options { framing, connect_timeout, write_timeout, .. } = self.options;
        let reconnect_timeout = self.options.reconnect_timeout.unwrap_or_default();
        let deadline = Deadline::after(connect_timeout.saturating_add(write_timeout).saturating_add(reconnect_timeout));
        let mut guard = self.acquire(deadline)?;
        let Some(state) = guard.state.as_deref_mut() else { return Err(io::ErrorKind::Other.into()) };
        state.frame.clear();
        framing.unwrap_or_default().append_frame(record, &mut state.frame)?;
        self.send_frame(state, deadline, Deadline::after(reconnect_timeout))
    }

    fn send_frame(&self, state: &mut State, deadline: Deadline, reconnect_timeout: Deadline) -> io::Result<()> {
        match state.check_peer() {
            PeerCheck::Open => match self.write(state, deadline) {
                Ok(()) => return Ok(()),
                // A peer that reads nothing will not read from another connection either.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.failed(state, error)),
                // The peer is gone; perhaps another is there already.
                Err(_) => {}
            },
            PeerCheck::ClosedEarly(error) if !self.options.backoff.drops_silently => drop(self.failed(state, error)),
            PeerCheck::ClosedEarly(_) | PeerCheck::Closed => {}
        }
        loop {
            let wait = state.backoff_state.remaining(self.now());
            if !wait.is_zero() {
                match reconnect_timeout.remaining() {
                    Ok(left) => {
                        std::thread::sleep(wait.min(left));
                        continue;
                    }
                    Err(_) => return Err(state.unavailable(wait)),
                }
            }
            match self.open_and_write(state, deadline) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let error = self.failed(state, error);
                    // Else there is time for another attempt.
                    if reconnect_timeout.remaining().is_err() || is_other_kind(&error) {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn open_and_write(&self, state: &mut State, deadline: Deadline) -> io::Result<()> {
        let full = self.options.connect_timeout;
        let suspect = (full / SUSPECT_DIVISOR).max(state.backoff_state.wait() / BACKOFF_DIVISOR);
        let timeout = self.effective_timeout(state, full, suspect);
        let stream =
            NetStream::open(&self.endpoint, deadline.earlier(Deadline::after(timeout))).map_err(|error| match error
                .kind()
            {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {timeout:?}"))
                }
                _ => error,
            })?;
        state.open = Some(Open { stream, process: crate::fork::process_id(), since: Instant::now() });
        state.opened_at = self.now();
        self.write(state, deadline)?;
        if !state.is_suspect {
            state.succeeded();
        }
        Ok(())
    }

    fn write(&self, state: &mut State, deadline: Deadline) -> io::Result<()> {
        let full = self.options.write_timeout;
        let timeout = self.effective_timeout(state, full, full / SUSPECT_DIVISOR);
        state.write(deadline.earlier(Deadline::after(timeout))).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => io::Error::new(error.kind(), format!("the peer took nothing for {timeout:?}")),
            _ => error,
        })?;
        if state.is_suspect
            && self.now().saturating_sub(state.opened_at) >= state.backoff_state.wait().max(TRUSTED_AFTER)
        {
            state.succeeded();
        }
        Ok(())
    }

    /// The full timeout, or a shorter one for a suspect peer, unless records wait anyway.
    fn effective_timeout(&self, state: &State, full: Duration, suspect: Duration) -> Duration {
        let suspect = suspect.max(MIN_SUSPECT_TIMEOUT).max(self.options.reconnect_timeout.unwrap_or_default());
        if state.is_suspect { full.min(suspect) } else { full }
    }

    fn failed(&self, state: &mut State, error: io::Error) -> io::Error {
        state.is_suspect |= error.kind() == io::ErrorKind::TimedOut && !self.options.backoff.drops_silently;
        state.failed(self.now(), error)
    }
}

enum PeerCheck {
    Open,
    Closed,
    /// It was open only for a moment.
    ClosedEarly(io::Error),
}

impl State {
    /// Whether there is a connection and the peer has not closed it.
    fn check_peer(&mut self) -> PeerCheck {
        let Some(open) = &mut self.open else { return PeerCheck::Closed };
        if open.process != crate::fork::process_id() {
            // It is the parent's: no byte may be sent here.
            self.open = None;
            return PeerCheck::Closed;
        }
        let Err(error) = open.stream.is_alive() else { return PeerCheck::Open };
        let was_short_lived = open.since.elapsed() < SHORT_LIVED;
        self.open = None;
        if was_short_lived { PeerCheck::ClosedEarly(error) } else { PeerCheck::Closed }
    }

    /// Writes the complete frame, or closes the connection.
    fn write(&mut self, deadline: Deadline) -> io::Result<()> {
        // If it panics, the connection is closed as well.
        let Some(mut open) = self.open.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        open.stream.write_all(&self.frame, deadline)?;
        self.open = Some(open);
        Ok(())
    }

    fn succeeded(&mut self) {
        self.backoff_state.succeeded();
        self.is_suspect = false;
        self.last_error = None;
    }

    fn failed(&mut self, now: Duration, error: io::Error) -> io::Error {
        self.open = None;
        self.backoff_state.failed(now);
        self.last_error = Some((error.kind(), error.to_string()));
        error
    }

    #[cold]
    fn unavailable(&self, wait: Duration) -> io::Error {
        let (kind, text) =
            self.last_error.as_ref().map_or((io::ErrorKind::NotConnected, ""), |(kind, text)| (*kind, &**text));
        io::Error::new(
            kind,
            format!("the peer is unavailable ({text}); the next attempt is due in {:.1} s", wait.as_secs_f64()),
        )
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take().filter(|open| open.process == crate::fork::process_id()) {
            open.stream.close();
        }
    }
}

/// The state, returned on drop.
struct StateGuard<'a> {
    connection: &'a Connection,
    /// Always there until then.
    state: Option<Box<State>>,
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take() {
            if state.frame.capacity() > MAX_KEPT_BUFFER {
                state.frame = Vec::new();
            }
            *self.connection.lock() = StateSlot::Free(state);
            self.connection.slot.notify_all();
        }
    }
}

impl Sink for Connection {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        while let Some((line, _)) = lines.first() {
            match self.send(line) {
                Ok(()) => lines.written(1),
                Err(_) if self.options.backoff.drops_silently => lines.dropped(1),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let StateSlot::Free(state) = &mut *self.lock() {
            state.close();
        }
    }
}

/// Without the frame, which may contain secrets.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.endpoint.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
