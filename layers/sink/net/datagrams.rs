//! Datagrams to one peer, which may restart.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixDatagram,
    },
    path::PathBuf,
};

use super::resolve::{literal, look_up, resolve};
use crate::fork::ForkMutex;
#[cfg(unix)]
use crate::stdio::write_wait::{WriteWait, clear_stuck};

/// The receiver of the datagrams.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Udp {
        host: String,
        port: u16,
    },
    #[cfg(unix)]
    Unix(PathBuf),
}

/// `udp 127.0.0.1:12201`, `udp [::1]:12201`, or a path.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { host, port } => match literal(host) {
                Some(address) => write!(f, "udp {}", SocketAddr::new(address, *port)),
                None => write!(f, "udp {host}:{port}"),
            },
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Sends datagrams to one peer. The socket is connected, so that the system reports when nobody listens and waits for
/// room in the queue of a unix socket. It is resolved and connected again when the peer was restarted.
pub(crate) struct Datagrams {
    peer: Peer,
    timeout: Duration,
    /// How long a datagram may wait for the socket of a peer on this machine.
    reconnect_timeout: Duration,
    state: ForkMutex<SocketState>,
    /// A datagram has timed out, and none was sent since.
    stuck: AtomicBool,
    /// How many sent datagrams the system reported as refused later.
    refused: AtomicU64,
    has_refusal_window: AtomicBool,
    refusal_window: ForkMutex<Option<RefusalWindow>>,
}

/// Open while a datagram was refused recently.
struct RefusalWindow {
    last_refused: Instant,
    /// Datagrams sent meanwhile that already count as failed, whatever the system reports.
    assumed_lost: u64,
}

#[derive(Default)]
struct SocketState {
    socket: Option<Arc<Socket>>,
    /// After a failed look-up of the name: when it may be tried again, and the delay until then.
    retry_lookup: Option<(Instant, Duration)>,
    /// The address of a host name, and when it was looked up.
    found: Option<(SocketAddr, Instant)>,
    /// A running look-up: whether the name has another address by now.
    pending_lookup: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl SocketState {
    /// The addresses of a name if they no longer include the current one. The name is looked up at intervals, while
    /// datagrams go to the current address.
    fn changed_addresses(&mut self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let (address, since) = self.found.as_mut()?;
        match self.pending_lookup.as_ref().map(Receiver::try_recv) {
            None if since.elapsed() >= RESOLVE_INTERVAL => {
                *since = Instant::now();
                // If no thread can be started, the next interval tries again.
                self.pending_lookup = look_up(host, port).ok();
                None
            }
            None | Some(Err(TryRecvError::Empty)) => None,
            Some(answer) => {
                self.pending_lookup = None;
                // An unavailable name server is no reason to stop.
                answer.ok()?.ok().filter(|found| !found.is_empty() && !found.contains(address))
            }
        }
    }
}

/// A connected, non-blocking socket.
pub(crate) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

impl Socket {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(bytes),
            #[cfg(unix)]
            Self::Unix(socket) => socket.send(bytes),
        }
    }
}

#[cfg(unix)]
impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

/// The delay after the first failed look-up; it doubles each time.
const MIN_LOOKUP_DELAY: Duration = Duration::from_secs(1);
const MAX_LOOKUP_DELAY: Duration = Duration::from_secs(30);
/// How often a name is looked up again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait before a unix socket that is away is tried again; that costs little.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(10);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(250);
/// How many errors of earlier datagrams one send handles at most.
const MAX_REFUSALS: u32 = 8;
/// After this time without a refusal, another machine is assumed to listen again. Hosts send refusals about once a
/// second, however many datagrams come.
const REFUSAL_WINDOW: Duration = Duration::from_secs(3);

impl Datagrams {
    /// Opens nothing yet. The timeout applies to a full socket and to the look-up of a name.
    pub(crate) fn new(peer: Peer, timeout: Duration) -> Self {
        Self {
            peer,
            timeout,
            reconnect_timeout: Duration::ZERO,
            state: ForkMutex::default(),
            stuck: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            has_refusal_window: AtomicBool::new(false),
            refusal_window: ForkMutex::default(),
        }
    }

    /// A datagram to a unix socket waits so long for a peer that is away. Over UDP nobody knows that a peer is away before
    /// a datagram is lost.
    #[cfg(unix)]
    pub(crate) fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        if matches!(self.peer, Peer::Unix(_)) {
            self.reconnect_timeout = timeout;
        }
        self
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Opens the socket now.
    pub(crate) fn connect(&self) -> io::Result<()> {
        self.socket().map(drop)
    }

    /// Sends one complete datagram.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.transmit(|socket| match socket.send(bytes)? {
            sent if sent == bytes.len() => Ok(()),
            sent => Err(io::Error::other(format!("only {sent} of {} bytes were sent", bytes.len()))),
        })
    }

    /// Calls `attempt` to send something, and again if that may help.
    pub(crate) fn transmit(&self, mut attempt: impl FnMut(&Socket) -> io::Result<()>) -> io::Result<()> {
        match self.transmit_now(&mut attempt) {
            Err(error) if !self.reconnect_timeout.is_zero() && is_away(&error) => self.wait_for_peer(error, attempt),
            result => result,
        }
    }

    /// The peer is away: tries again until it is back.
    #[cold]
    fn wait_for_peer(
        &self,
        mut error: io::Error,
        mut attempt: impl FnMut(&Socket) -> io::Result<()>,
    ) -> io::Result<()> {
        let (began, mut delay) = (Instant::now(), MIN_RECONNECT_DELAY);
        while is_away(&error) {
            let left = self.reconnect_timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(delay.min(left));
            delay = (delay * 2).min(MAX_RECONNECT_DELAY);
            match self.transmit_now(&mut attempt) {
                Ok(()) => return Ok(()),
                Err(next) => error = next,
            }
        }
        Err(error)
    }

    fn transmit_now(&self, attempt: &mut impl FnMut(&Socket) -> io::Result<()>) -> io::Result<()> {
        let mut socket = self.socket()?;
        #[cfg(unix)]
        let mut wait = WriteWait::new(&self.stuck, self.timeout);
        let (mut last_refused, mut is_reopened) = (0, false);
        loop {
            let error = match attempt(&socket) {
                Ok(()) => {
                    #[cfg(unix)]
                    clear_stuck(&self.stuck);
                    return if self.has_refusal_window.load(Ordering::Relaxed) {
                        self.check_delivery(&socket)
                    } else {
                        Ok(())
                    };
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Interrupted => {}
                #[cfg(unix)]
                ErrorKind::WouldBlock => wait.wait(socket.as_fd())?,
                // An earlier datagram was refused. This one was not sent yet.
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
                    if matches!(*socket, Socket::Udp(_)) && last_refused < MAX_REFUSALS =>
                {
                    last_refused += 1;
                    self.note_refusal();
                }
                // The socket is still usable.
                _ if is_too_long(&error) => return Err(error),
                // The peer is gone, and perhaps another is there; or this machine's network has changed.
                _ if !is_reopened && error.kind() != ErrorKind::TimedOut => {
                    is_reopened = true;
                    self.discard_socket(&socket);
                    socket = self.socket()?;
                }
                _ => {
                    self.discard_socket(&socket);
                    return Err(error);
                }
            }
        }
    }

    /// An earlier datagram was refused.
    #[cold]
    fn note_refusal(&self) {
        let mut refusal_window = self.refusal_window();
        let RefusalWindow { last_refused, assumed_lost } =
            refusal_window.get_or_insert(RefusalWindow { last_refused: Instant::now(), assumed_lost: 0 });
        *last_refused = Instant::now();
        match assumed_lost.checked_sub(1) {
            Some(left) => *assumed_lost = left,
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.has_refusal_window.store(true, Ordering::Relaxed);
    }

    /// A datagram was sent after earlier ones were refused. Returns an error if nobody listens yet: known at once on
    /// this machine, assumed of another machine until nothing was refused for a while.
    #[cold]
    fn check_delivery(&self, socket: &Socket) -> io::Result<()> {
        let Socket::Udp(socket) = socket else { return Ok(()) };
        let is_refused = is_refused(socket);
        let mut guard = self.refusal_window();
        let Some(refusal_window) = &mut *guard else { return Ok(()) };
        let since = refusal_window.last_refused.elapsed();
        if is_refused {
            refusal_window.last_refused = Instant::now();
            return Err(io::Error::new(ErrorKind::ConnectionRefused, "refused: nobody listened"));
        }
        if since >= REFUSAL_WINDOW || socket.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
            *guard = None;
            self.has_refusal_window.store(false, Ordering::Relaxed);
            return Ok(());
        }
        refusal_window.assumed_lost += 1;
        let since = since.as_secs_f64();
        let text = format!("sent, but perhaps in vain: nobody listened {since:.1} s ago");
        Err(io::Error::new(ErrorKind::ConnectionRefused, text))
    }

    fn refusal_window(&self) -> MutexGuard<'_, Option<RefusalWindow>> {
        self.refusal_window.get()
    }

    /// How many sent datagrams were refused since the last call. Asks the system, too.
    pub(crate) fn take_refused(&self) -> u64 {
        let socket = self.lock().socket.clone();
        if let Some(Socket::Udp(socket)) = socket.as_deref() {
            if is_refused(socket) {
                self.note_refusal();
            }
        }
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// [`take_refused`](Self::take_refused) without asking the system.
    #[inline]
    pub(crate) fn take_known_refused(&self) -> u64 {
        match self.refused.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.refused.swap(0, Ordering::Relaxed),
        }
    }

    /// Puts back refusals that could not be counted yet.
    pub(crate) fn restore_refused(&self, refused: u64) {
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, SocketState> {
        let start_over = |state: &mut SocketState| {
            // In a child of a fork, the look-up thread does not run, and the parent reports the refusals.
            state.pending_lookup = None;
            self.refused.store(0, Ordering::Relaxed);
        };
        self.state.lock(start_over, SocketState::default)
    }

    /// The socket, opened if there is none. The lock is held meanwhile: other threads would only do the same.
    fn socket(&self) -> io::Result<Arc<Socket>> {
        let mut state = self.lock();
        let changed_addresses = match &self.peer {
            Peer::Udp { host, port } => state.changed_addresses(host, *port),
            #[cfg(unix)]
            Peer::Unix(_) => None,
        };
        if changed_addresses.is_none() {
            if let Some(socket) = &state.socket {
                return Ok(Arc::clone(socket));
            }
        }
        let socket = Arc::new(match &self.peer {
            Peer::Udp { host, port } => Socket::Udp(self.open_udp(host, *port, changed_addresses, &mut state)?),
            #[cfg(unix)]
            Peer::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                socket.connect(path)?;
                Socket::Unix(socket)
            }
        });
        state.socket = Some(Arc::clone(&socket));
        Ok(socket)
    }

    fn open_udp(
        &self,
        host: &str,
        port: u16,
        known: Option<Vec<SocketAddr>>,
        state: &mut SocketState,
    ) -> io::Result<UdpSocket> {
        let found = match known {
            Some(known) => known,
            None => self.find(host, port, &mut state.retry_lookup)?,
        };
        let is_name = literal(host).is_none();
        let mut last = None;
        for address in found {
            match self.connect_udp(address) {
                Ok(socket) => {
                    state.found = is_name.then(|| (address, Instant::now()));
                    return Ok(socket);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into()))
    }

    /// Resolves the host. An address costs nothing; a name may cost the timeout each time.
    fn find(
        &self,
        host: &str,
        port: u16,
        retry_lookup: &mut Option<(Instant, Duration)>,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Some((until, _)) = *retry_lookup {
            if Instant::now() < until {
                return Err(io::Error::new(
                    ErrorKind::NotConnected,
                    "the host name could not be looked up a moment ago",
                ));
            }
        }
        let found = resolve(host, port, self.timeout).inspect_err(|_| {
            let wait = retry_lookup.map_or(MIN_LOOKUP_DELAY, |(_, wait)| (wait * 2).min(MAX_LOOKUP_DELAY));
            *retry_lookup = Some((Instant::now() + wait, wait));
        })?;
        *retry_lookup = None;
        Ok(found)
    }

    fn connect_udp(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let from = match to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(from)?;
        socket.connect(to)?;
        #[cfg(unix)]
        socket.set_nonblocking(true)?;
        // Elsewhere the system itself waits; it rejects a zero timeout.
        #[cfg(not(unix))]
        socket.set_write_timeout(Some(self.timeout.max(Duration::from_millis(1))))?;
        Ok(socket)
    }

    /// The next datagram opens a new socket, unless another thread has done so already.
    fn discard_socket(&self, socket: &Arc<Socket>) {
        let mut state = self.lock();
        if state.socket.as_ref().is_some_and(|known| Arc::ptr_eq(known, socket)) {
            state.socket = None;
        }
    }
}

/// Shows the peer, but no content.
impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("peer", &self.peer).field("deadline", &self.timeout).finish_non_exhaustive()
    }
}

/// Whether a socket is not there, or nobody has it open.
fn is_away(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | NotConnected | BrokenPipe)
}

/// Whether the system reports a refused datagram of this socket, once.
fn is_refused(socket: &UdpSocket) -> bool {
    let error = socket.take_error().ok().flatten();
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset))
}

/// Whether a datagram is longer than the socket accepts.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error());
    // WSAEMSGSIZE
    #[cfg(not(unix))]
    return error.raw_os_error() == Some(10_040);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn server() -> UdpSocket {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        server
    }

    fn came(server: &UdpSocket) -> Vec<u8> {
        let mut bytes = [0; 16];
        let length = server.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    /// As if the name had the address of `before`.
    fn to(before: &UdpSocket) -> Datagrams {
        let address = before.local_addr().unwrap();
        let peer = Peer::Udp { host: "localhost".into(), port: address.port() };
        let datagrams = Datagrams::new(peer, Duration::from_secs(60));
        let socket = datagrams.connect_udp(address).unwrap();
        let mut state = datagrams.lock();
        state.socket = Some(Arc::new(Socket::Udp(socket)));
        state.found = Some((address, Instant::now()));
        drop(state);
        datagrams
    }

    fn answer(datagrams: &Datagrams, answer: io::Result<Vec<SocketAddr>>) {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(answer).unwrap();
        datagrams.lock().pending_lookup = Some(receiver);
    }

    #[test]
    fn a_name_that_leads_elsewhere_by_now_is_followed() {
        let (before, after) = (server(), server());
        let datagrams = to(&before);
        let (old, new) = (before.local_addr().unwrap(), after.local_addr().unwrap());
        for kept in [Ok(vec![]), Ok(vec![new, old]), Err(ErrorKind::NotFound.into())] {
            answer(&datagrams, kept);
            datagrams.send(b"stays").unwrap();
            assert_eq!(came(&before), b"stays");
        }
        answer(&datagrams, Ok(vec![new]));
        datagrams.send(b"moves").unwrap();
        datagrams.send(b"again").unwrap();
        assert_eq!((came(&after), came(&after)), (b"moves".to_vec(), b"again".to_vec()));
    }

    #[test]
    fn what_is_known_of_a_name_is_renewed_when_it_is_old() {
        let before = server();
        let datagrams = to(&before);
        datagrams.send(b"young").unwrap();
        assert!(datagrams.lock().pending_lookup.is_none());
        // A machine that was started less than a minute ago has no such moment.
        let Some(old) = Instant::now().checked_sub(RESOLVE_INTERVAL) else { return };
        if let Some((_, since)) = &mut datagrams.lock().found {
            *since = old;
        }
        datagrams.send(b"old").unwrap();
        let pending_lookup = datagrams.lock().pending_lookup.take().unwrap();
        assert!(!pending_lookup.recv_timeout(Duration::from_secs(60)).unwrap().unwrap().is_empty());
        assert!(datagrams.lock().found.unwrap().1.elapsed() < RESOLVE_INTERVAL);
    }

    /// An address is not looked up, then or later.
    #[test]
    fn an_address_is_what_it_is() {
        let server = server();
        let peer = Peer::Udp { host: "127.0.0.1".into(), port: server.local_addr().unwrap().port() };
        let datagrams = Datagrams::new(peer, Duration::ZERO);
        datagrams.send(b"one").unwrap();
        assert!(datagrams.lock().found.is_none());
        assert_eq!(came(&server), b"one");
    }
}
