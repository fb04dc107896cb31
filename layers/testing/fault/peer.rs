//! A network peer that misbehaves by script.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// What happens to one connection.
#[derive(Clone)]
#[non_exhaustive]
pub enum Meeting {
    /// It is read until the other side closes it.
    Read,
    /// It is closed (FIN) once so many bytes were read.
    CloseAfter(usize),
    /// It is reset (RST) once so many bytes were read.
    ResetAfter(usize),
    /// It is taken, and nothing is read.
    Stall,
    /// It is read and answered; made by [`Meeting::answer`].
    Answer(Answerer),
}

/// See [`Meeting::answer`].
type Answerer = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

impl Meeting {
    /// Whenever bytes arrive, `answer` gets all since its last answer, and returns one, or `None` to wait for more.
    pub fn answer(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::Answer(Arc::new(answer))
    }
}

impl fmt::Debug for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("Read"),
            Self::CloseAfter(bytes) => write!(f, "CloseAfter({bytes})"),
            Self::ResetAfter(bytes) => write!(f, "ResetAfter({bytes})"),
            Self::Stall => f.write_str("Stall"),
            Self::Answer(_) => f.write_str("Answer"),
        }
    }
}

/// A TCP peer on the loopback interface whose connections follow a script, one [`Meeting`] each; after the last one all are
/// read. It can go away and come back, at the same port. Dropping it closes all.
///
/// ```
/// use tracing_strata::{
///     Record, Severity, format::Text, ledger::ErrorHandler, output::Socket, prelude::*,
///     sink::net::{Address, Backoff, Connection, Framing}, testing::fault::FaultyPeer,
/// };
///
/// let peer = FaultyPeer::bind([])?;
/// let backoff = Backoff::default().initial(std::time::Duration::ZERO);
/// let to = Address::tcp("127.0.0.1", peer.address().port());
/// let to = Connection::builder(to).framing(Framing::Lines).backoff(backoff);
/// let socket = Socket::builder(to).format(Text::plain()).build_sync()?.named("socket");
/// socket.set_error_handler(ErrorHandler::silent());
/// let emit = |text| socket.emit(&Record::new(Severity::INFO, "shop", text));
///
/// emit("first");
/// peer.wait_for(|received| received.concat().ends_with(b"first\n"));
/// peer.go_away();
/// while socket.stats().failed == 0 {
///     emit("lost, once the system has noticed");
/// }
/// peer.come_back()?;
/// emit("second");
/// peer.wait_for(|received| received.concat().ends_with(b"second\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FaultyPeer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Meeting>,
    /// Of each connection.
    received: Vec<Vec<u8>>,
    /// Changes whenever the peer goes away: older connections end.
    era: u64,
    is_listening: bool,
    /// Connections that have not ended.
    open: usize,
}

/// How often a connection looks whether the peer has gone away.
const LOOK: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

impl FaultyPeer {
    /// Listens at a free port.
    ///
    /// # Errors
    /// The system has none.
    pub fn bind(script: impl IntoIterator<Item = Meeting>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let peer = Self { shared: Arc::default(), address: listener.local_addr()? };
        peer.then(script);
        peer.listen(listener)?;
        Ok(peer)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds to the script.
    pub fn then(&self, script: impl IntoIterator<Item = Meeting>) {
        self.shared.state().script.extend(script);
    }

    /// Closes all connections. New ones are refused until it [comes back](Self::come_back).
    pub fn go_away(&self) {
        self.leave();
        drop(self.shared.wait_while("it is still there", |state| state.is_listening || state.open > 0));
    }

    /// Without a wait, which may fail.
    fn leave(&self) {
        let mut state = self.shared.state();
        state.era += 1;
        let is_listening = state.is_listening;
        drop(state);
        self.shared.changed.notify_all();
        if is_listening {
            // Wakes the listener, which sees that its era is over.
            drop(TcpStream::connect(self.address));
        }
    }

    /// Listens again.
    ///
    /// # Errors
    /// Another program has taken the port.
    pub fn come_back(&self) -> io::Result<()> {
        if self.shared.state().is_listening { Ok(()) } else { self.listen(TcpListener::bind(self.address)?) }
    }

    /// What each connection has received.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.shared.state().received.clone()
    }

    /// Waits until what was received is as expected.
    ///
    /// # Panics
    /// It is not, after a minute.
    pub fn wait_for(&self, is_there: impl Fn(&[Vec<u8>]) -> bool) {
        drop(self.shared.wait_while("something else was received", |state| !is_there(&state.received)));
    }

    fn listen(&self, listener: TcpListener) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let era = {
            let mut state = shared.state();
            state.is_listening = true;
            state.era
        };
        let accept = move || {
            for stream in listener.incoming() {
                let mut state = shared.state();
                if state.era != era {
                    break;
                }
                let Ok(stream) = stream else {
                    // One that went before it was taken, or too many open files.
                    drop(state);
                    thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let meeting = state.script.pop_front().unwrap_or(Meeting::Read);
                state.received.push(Vec::new());
                state.open += 1;
                shared.changed.notify_all();
                let number = state.received.len() - 1;
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let open = Open(shared);
                    open.0.meet(stream, &meeting, number, era);
                });
            }
            drop(listener);
            shared.state().is_listening = false;
            shared.changed.notify_all();
        };
        thread::Builder::new().name("faulty peer".into()).spawn(accept).map(drop)
    }
}

/// A connection, until it ends: also by a panic in an answer.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().open -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for FaultyPeer {
    fn drop(&mut self) {
        if thread::panicking() { self.leave() } else { self.go_away() }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, what: &str, is_so: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.state(), LONG, |state| is_so(state));
        let (state, time) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!time.timed_out(), "after a minute, {what}: {:?}", state.received);
        state
    }

    fn meet(&self, mut stream: TcpStream, meeting: &Meeting, number: usize, era: u64) {
        // A connection that has ended already is read as one.
        drop(stream.set_read_timeout(Some(LOOK)));
        drop(stream.set_write_timeout(Some(LONG)));
        let most = match meeting {
            Meeting::CloseAfter(bytes) | Meeting::ResetAfter(bytes) => *bytes,
            Meeting::Stall => 0,
            Meeting::Read | Meeting::Answer(_) => usize::MAX,
        };
        let (mut count, mut answered, mut chunk) = (0, 0, [0; 16 << 10]);
        while self.state().era == era {
            let room = chunk.len().min(most - count);
            match meeting {
                Meeting::Stall => {
                    drop(self.changed.wait_timeout_while(self.state(), LONG, |state| state.era == era));
                    continue;
                }
                Meeting::ResetAfter(_) if room == 0 => return reset(&stream),
                _ if room == 0 => return,
                _ => {}
            }
            match stream.read(&mut chunk[..room]) {
                Ok(0) => return,
                Ok(length) => {
                    count += length;
                    let mut state = self.state();
                    let received = &mut state.received[number];
                    received.extend_from_slice(&chunk[..length]);
                    let answer = match meeting {
                        Meeting::Answer(answer) => answer(&received[answered..]),
                        _ => None,
                    };
                    answered = if answer.is_some() { received.len() } else { answered };
                    drop(state);
                    self.changed.notify_all();
                    if answer.is_some_and(|answer| stream.write_all(&answer).is_err()) {
                        return;
                    }
                }
                Err(error) if is_wait(error.kind()) => {}
                Err(_) => return,
            }
        }
    }
}

fn is_wait(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Has the connection reset when it is dropped.
#[cfg(unix)]
fn reset(stream: &TcpStream) {
    // One that has ended needs no reset.
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap_or_default();
}

/// Windows resets a connection that is closed with unread bytes.
#[cfg(not(unix))]
fn reset(_: &TcpStream) {}
