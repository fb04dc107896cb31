//! A server of HTTP for tests, on loopback, that does as it is told and remembers what it got.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a request is answered with; without a script all is well.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, with headers and a body.
    Status(u16, &'static [(&'static str, &'static str)], &'static str),
    /// As `Status`, and the connection is closed without a word about it.
    OkAndClose,
    /// The connection is closed after the request was read.
    Close,
    /// These bytes, and the connection is closed.
    Bytes(&'static [u8]),
    /// A part of the answer, then a reset.
    Reset,
    /// These bytes for ever.
    Endless(&'static [u8], &'static [u8]),
    /// No answer, until the receiver is dropped.
    Silence,
    /// A status, and a body that never ends coming, byte by byte.
    SlowBody(u16),
}

pub(crate) fn status(code: u16) -> Reply {
    Reply::Status(code, &[], "no")
}

#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case, each once.
    pub(crate) headers: HashMap<String, String>,
    /// Decompressed.
    pub(crate) body: String,
    /// Which connection it came over.
    pub(crate) connection: usize,
}

type Judge = Arc<dyn Fn(&Got) -> Option<Reply> + Send + Sync>;

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Got>>,
    replies: Mutex<VecDeque<Reply>>,
    judge: Mutex<Option<Judge>>,
    is_over: (Mutex<bool>, Condvar),
    connections: AtomicUsize,
    stop: AtomicBool,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::serving("http", Some)
    }

    pub(crate) fn encrypted(config: Arc<ServerConfig>) -> Self {
        Self::serving("https", move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(StreamOwned::new(session, stream))
        })
    }

    fn serving<S: Read + Write>(
        scheme: &'static str,
        wrap: impl Fn(TcpStream) -> Option<S> + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let of_thread = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (state, wrap) = (Arc::clone(&of_thread), wrap.clone());
                thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let raw = stream.try_clone().unwrap();
                    let number = state.connections.fetch_add(1, Ordering::Relaxed);
                    if let Some(stream) = wrap(stream) {
                        state.serve(stream, &raw, number).unwrap_or_default();
                    }
                });
            }
        });
        Self { address, scheme, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// What the next requests are answered with.
    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.replies.lock().unwrap().extend(replies);
    }

    /// Decides about all requests that no script is for.
    pub(crate) fn judge(&self, judge: impl Fn(&Got) -> Option<Reply> + Send + Sync + 'static) {
        *self.state.judge.lock().unwrap() = Some(Arc::new(judge));
    }

    pub(crate) fn requests(&self) -> Vec<Got> {
        self.state.requests.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.requests().into_iter().map(|got| got.body).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        *self.state.is_over.0.lock().unwrap() = true;
        self.state.is_over.1.notify_all();
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn serve(&self, stream: impl Read + Write, raw: &TcpStream, connection: usize) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(got) = read(&mut reader, connection) {
            self.requests.lock().unwrap().push(got.clone());
            let scripted = self.replies.lock().unwrap().pop_front();
            // Under no lock: it may take its time.
            let judge = self.judge.lock().unwrap().clone();
            let reply = scripted.or_else(|| judge?(&got));
            if !self.answer(reply.unwrap_or(Reply::Status(200, &[], "")), reader.get_mut(), raw)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False if that was the last one of the connection.
    fn answer(&self, reply: Reply, out: &mut impl Write, raw: &TcpStream) -> io::Result<bool> {
        let is_over = || *self.is_over.0.lock().unwrap();
        match reply {
            Reply::Status(code, headers, body) => {
                let mut head = format!("HTTP/1.1 {code} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head += &format!("{name}: {value}\r\n");
                }
                out.write_all(format!("{head}\r\n{body}").as_bytes())?;
                out.flush()?;
                return Ok(true);
            }
            Reply::OkAndClose => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?,
            Reply::Close => {}
            Reply::Bytes(bytes) => out.write_all(bytes)?,
            Reply::Reset => {
                out.write_all(b"HTTP/1.1 200 OK\r\ncontent-le")?;
                out.flush()?;
                rustix::net::sockopt::set_socket_linger(raw, Some(Duration::ZERO))?;
            }
            Reply::Endless(first, rest) => {
                out.write_all(first)?;
                while !is_over() {
                    out.write_all(rest)?;
                }
            }
            Reply::Silence => drop(self.is_over.1.wait_while(self.is_over.0.lock().unwrap(), |over| !*over).unwrap()),
            Reply::SlowBody(code) => {
                out.write_all(format!("HTTP/1.1 {code} X\r\ncontent-length: 1000\r\n\r\n").as_bytes())?;
                while !is_over() {
                    out.write_all(b".")?;
                    out.flush()?;
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
        out.flush()?;
        Ok(false)
    }
}

fn read(reader: &mut impl BufRead, connection: usize) -> Option<Got> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                let twice = headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
                assert_eq!(twice, None, "{name} stands twice");
            }
            None => break,
        }
    }
    let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut plain = String::new();
    match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => drop(flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut plain).unwrap()),
        Some("zstd") => drop(zstd::Decoder::new(&body[..]).unwrap().read_to_string(&mut plain).unwrap()),
        Some(other) => panic!("{other}"),
        // A character for each byte.
        None if headers.get("content-type").is_some_and(|of| of == "application/x-protobuf") => {
            plain.extend(body.into_iter().map(char::from));
        }
        None => plain = String::from_utf8(body).unwrap(),
    }
    Some(Got { method, path, headers, body: plain, connection })
}
