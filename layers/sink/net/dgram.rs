//! Datagrams to a peer that comes and goes.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
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
use crate::patience::{Patience, relieve};

/// Who gets the datagrams.
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

/// Sends datagrams to one peer. Connected, so that the system tells when nobody is there, and waits for room in a unix
/// socket's queue; found and connected again when the peer was restarted.
pub(crate) struct Datagrams {
    peer: Peer,
    deadline: Duration,
    connection: ForkMutex<Connection>,
    /// Nothing was taken until the deadline of an earlier datagram.
    stuck: AtomicBool,
    /// Datagrams that were sent, and of which the system told later that nobody took them.
    refused: AtomicU64,
    /// There is a silence.
    is_silent: AtomicBool,
    silence: ForkMutex<Option<Silence>>,
}

/// Nobody listened a short while ago.
struct Silence {
    /// When that was heard last.
    heard: Instant,
    /// Datagrams that were sent meanwhile and are counted as failed already, whatever is heard of them.
    given_up: u64,
}

#[derive(Default)]
struct Connection {
    socket: Option<Arc<Socket>>,
    /// The last look-up of the name that failed: when it may be tried again, and after which wait.
    pause: Option<(Instant, Duration)>,
    /// Where a host's name led to, and when it was looked up.
    found: Option<(SocketAddr, Instant)>,
    /// A look-up that is under way: whether the name leads elsewhere by now.
    renewal: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Connection {
    /// The addresses of a name that leads elsewhere by now. It is looked up from time to time, while datagrams are sent to
    /// where it led.
    fn moved(&mut self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let (address, since) = self.found.as_mut()?;
        match self.renewal.as_ref().map(Receiver::try_recv) {
            None if since.elapsed() >= RENEW => {
                *since = Instant::now();
                // Without a thread for it, the next time will do.
                self.renewal = look_up(host, port).ok();
                None
            }
            None | Some(Err(TryRecvError::Empty)) => None,
            Some(answer) => {
                self.renewal = None;
                // A name server that is away is no reason to stop.
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

/// The first wait after a look-up that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How old what is known of a name may become.
const RENEW: Duration = Duration::from_secs(60);
/// How many errors of earlier datagrams one datagram hears of at most.
const HEARD: u32 = 8;
/// After how long without being refused another machine is believed to listen again. Hosts answer about once a second where
/// nobody listens, however many datagrams come.
const QUIET: Duration = Duration::from_secs(3);

impl Datagrams {
    /// Nothing is opened yet. A full socket is waited for until the deadline, and so is the look-up of a name.
    pub(crate) fn new(peer: Peer, deadline: Duration) -> Self {
        Self {
            peer,
            deadline,
            connection: ForkMutex::default(),
            stuck: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            is_silent: AtomicBool::new(false),
            silence: ForkMutex::default(),
        }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Opens it now.
    pub(crate) fn connect(&self) -> io::Result<()> {
        self.socket().map(drop)
    }

    /// Sends one datagram, whole.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.transmit(|socket| match socket.send(bytes)? {
            sent if sent == bytes.len() => Ok(()),
            sent => Err(io::Error::other(format!("only {sent} of {} bytes were sent", bytes.len()))),
        })
    }

    /// Lets `attempt` send something, again where that may help.
    pub(crate) fn transmit(&self, mut attempt: impl FnMut(&Socket) -> io::Result<()>) -> io::Result<()> {
        let mut socket = self.socket()?;
        #[cfg(unix)]
        let mut patience = Patience::new(&self.stuck, self.deadline);
        let (mut heard, mut is_new) = (0, false);
        loop {
            let error = match attempt(&socket) {
                Ok(()) => {
                    #[cfg(unix)]
                    relieve(&self.stuck);
                    return if self.is_silent.load(Ordering::Relaxed) { self.listen(&socket) } else { Ok(()) };
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Interrupted => {}
                #[cfg(unix)]
                ErrorKind::WouldBlock => patience.wait(socket.as_fd())?,
                // Nobody listened when an earlier datagram arrived. This one was not sent yet.
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
                    if matches!(*socket, Socket::Udp(_)) && heard < HEARD =>
                {
                    heard += 1;
                    self.hear();
                }
                // The socket is as good as before.
                _ if is_too_long(&error) => return Err(error),
                // The peer is gone, and perhaps another has come; or this machine has other networks now.
                _ if !is_new && error.kind() != ErrorKind::TimedOut => {
                    is_new = true;
                    self.forget(&socket);
                    socket = self.socket()?;
                }
                _ => {
                    self.forget(&socket);
                    return Err(error);
                }
            }
        }
    }

    /// An earlier datagram was refused.
    #[cold]
    fn hear(&self) {
        let mut silence = self.silence();
        let Silence { heard, given_up } = silence.get_or_insert(Silence { heard: Instant::now(), given_up: 0 });
        *heard = Instant::now();
        match given_up.checked_sub(1) {
            Some(left) => *given_up = left,
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// A datagram was sent, and earlier ones had found nobody: whether this one did. On this machine that is known at
    /// once; of another one it is believed when nothing was heard for a while.
    #[cold]
    fn listen(&self, socket: &Socket) -> io::Result<()> {
        let Socket::Udp(socket) = socket else { return Ok(()) };
        let is_refused = is_refused(socket);
        let mut guard = self.silence();
        let Some(silence) = &mut *guard else { return Ok(()) };
        let since = silence.heard.elapsed();
        if is_refused {
            silence.heard = Instant::now();
            return Err(io::Error::new(ErrorKind::ConnectionRefused, "refused: nobody listened"));
        }
        if since >= QUIET || socket.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
            *guard = None;
            self.is_silent.store(false, Ordering::Relaxed);
            return Ok(());
        }
        silence.given_up += 1;
        let since = since.as_secs_f64();
        let text = format!("sent, but perhaps in vain: nobody listened {since:.1} s ago");
        Err(io::Error::new(ErrorKind::ConnectionRefused, text))
    }

    fn silence(&self) -> MutexGuard<'_, Option<Silence>> {
        self.silence.get()
    }

    /// How many datagrams that were sent turned out to be lost since this was last asked. Asks the system, too.
    pub(crate) fn take_refused(&self) -> u64 {
        let socket = self.lock().socket.clone();
        if let Some(Socket::Udp(socket)) = socket.as_deref()
            && is_refused(socket)
        {
            self.hear();
        }
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// The same without asking the system.
    #[inline]
    pub(crate) fn take_heard(&self) -> u64 {
        match self.refused.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.refused.swap(0, Ordering::Relaxed),
        }
    }

    /// Some of those that were taken are not settled yet.
    pub(crate) fn put_back(&self, refused: u64) {
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        let start_over = |connection: &mut Connection| {
            // In a child, nobody looks up what was being looked up, and what was refused is the parent's to tell.
            connection.renewal = None;
            self.refused.store(0, Ordering::Relaxed);
        };
        self.connection.lock(start_over, Connection::default)
    }

    /// The socket; it is opened if there is none. The lock is held meanwhile: others would only do the same.
    fn socket(&self) -> io::Result<Arc<Socket>> {
        let mut connection = self.lock();
        let moved = match &self.peer {
            Peer::Udp { host, port } => connection.moved(host, *port),
            #[cfg(unix)]
            Peer::Unix(_) => None,
        };
        if moved.is_none()
            && let Some(socket) = &connection.socket
        {
            return Ok(Arc::clone(socket));
        }
        let socket = Arc::new(match &self.peer {
            Peer::Udp { host, port } => Socket::Udp(self.open_udp(host, *port, moved, &mut connection)?),
            #[cfg(unix)]
            Peer::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                socket.connect(path)?;
                Socket::Unix(socket)
            }
        });
        connection.socket = Some(Arc::clone(&socket));
        Ok(socket)
    }

    fn open_udp(
        &self,
        host: &str,
        port: u16,
        known: Option<Vec<SocketAddr>>,
        connection: &mut Connection,
    ) -> io::Result<UdpSocket> {
        let found = match known {
            Some(known) => known,
            None => self.find(host, port, &mut connection.pause)?,
        };
        let is_name = literal(host).is_none();
        let mut last = None;
        for address in found {
            match self.connect_udp(address) {
                Ok(socket) => {
                    connection.found = is_name.then(|| (address, Instant::now()));
                    return Ok(socket);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into()))
    }

    /// An address costs nothing to try; a name may cost the deadline each time.
    fn find(&self, host: &str, port: u16, pause: &mut Option<(Instant, Duration)>) -> io::Result<Vec<SocketAddr>> {
        if let Some((until, _)) = *pause
            && Instant::now() < until
        {
            return Err(io::Error::new(ErrorKind::NotConnected, "the host name could not be looked up a moment ago"));
        }
        let found = resolve(host, port, self.deadline).inspect_err(|_| {
            let wait = pause.map_or(FIRST_PAUSE, |(_, wait)| (wait * 2).min(LONGEST_PAUSE));
            *pause = Some((Instant::now() + wait, wait));
        })?;
        *pause = None;
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
        // Elsewhere the system itself waits; it takes no wait of zero.
        #[cfg(not(unix))]
        socket.set_write_timeout(Some(self.deadline.max(Duration::from_millis(1))))?;
        Ok(socket)
    }

    /// The next one opens another, unless somebody has done so already.
    fn forget(&self, socket: &Arc<Socket>) {
        let mut connection = self.lock();
        if connection.socket.as_ref().is_some_and(|known| Arc::ptr_eq(known, socket)) {
            connection.socket = None;
        }
    }
}

/// Names no content: where it sends, and nothing of what.
impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("peer", &self.peer).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Whether the system tells of a socket that a datagram of it was refused, if that was not told yet.
fn is_refused(socket: &UdpSocket) -> bool {
    let error = socket.take_error().ok().flatten();
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset))
}

/// Whether a datagram is longer than the socket takes.
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

    /// As if the name had led to `before`.
    fn to(before: &UdpSocket) -> Datagrams {
        let address = before.local_addr().unwrap();
        let peer = Peer::Udp { host: "localhost".into(), port: address.port() };
        let datagrams = Datagrams::new(peer, Duration::from_secs(60));
        let socket = datagrams.connect_udp(address).unwrap();
        let mut connection = datagrams.lock();
        connection.socket = Some(Arc::new(Socket::Udp(socket)));
        connection.found = Some((address, Instant::now()));
        drop(connection);
        datagrams
    }

    fn answer(datagrams: &Datagrams, answer: io::Result<Vec<SocketAddr>>) {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(answer).unwrap();
        datagrams.lock().renewal = Some(receiver);
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
        assert!(datagrams.lock().renewal.is_none());
        // A machine that was started less than a minute ago has no such moment.
        let Some(old) = Instant::now().checked_sub(RENEW) else { return };
        if let Some((_, since)) = &mut datagrams.lock().found {
            *since = old;
        }
        datagrams.send(b"old").unwrap();
        let renewal = datagrams.lock().renewal.take().unwrap();
        assert!(!renewal.recv_timeout(Duration::from_secs(60)).unwrap().unwrap().is_empty());
        assert!(datagrams.lock().found.unwrap().1.elapsed() < RENEW);
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
