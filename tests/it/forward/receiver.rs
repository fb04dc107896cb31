//! A strict receiver of the forward protocol, written from its specification: what the page does not allow is a panic. It
//! does as it is told, and remembers what it got.

use std::{
    collections::VecDeque,
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rmpv::{Value, decode::read_value};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha512};
use tracing_strata::sink::net::Address;

/// What a message is answered with; without a script it is acknowledged, if it asks for that.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Ack,
    /// Byte by byte.
    SlowAck,
    /// With the next one, behind it.
    LateAck,
    AckAndClose,
    /// Of another chunk.
    WrongAck,
    Close,
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes for ever.
    Endless(&'static [u8]),
    /// Nothing, until the receiver is dropped.
    Silence,
}

/// Seconds and nanoseconds, or seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Time {
    Nanos(u32, u32),
    Seconds(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) mode: &'static str,
    pub(crate) tag: String,
    pub(crate) entries: Vec<(Time, Vec<(String, Value)>)>,
    pub(crate) chunk: Option<String>,
    /// Which connection it came over.
    pub(crate) connection: usize,
}

/// What it asks for at the beginning.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) key: &'static str,
    pub(crate) user: Option<(&'static str, &'static str)>,
    pub(crate) keepalive: Option<bool>,
    /// It claims to know the key.
    pub(crate) lies: bool,
    /// Said in place of `HELO`.
    pub(crate) helo: Option<Vec<u8>>,
}

#[derive(Default)]
struct State {
    got: Mutex<Vec<Got>>,
    replies: Mutex<VecDeque<Reply>>,
    /// Acknowledgements that are late.
    late: Mutex<Vec<u8>>,
    access: Option<Access>,
    /// Names of clients.
    clients: Mutex<Vec<String>>,
    is_over: (Mutex<bool>, Condvar),
    connections: AtomicUsize,
    stop: AtomicBool,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    host: &'static str,
    state: Arc<State>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::serving("127.0.0.1", None, Some)
    }

    pub(crate) fn with_access(access: Access) -> Self {
        Self::serving("127.0.0.1", Some(access), Some)
    }

    pub(crate) fn encrypted(config: Arc<ServerConfig>, access: Option<Access>) -> Self {
        Self::serving("localhost", access, move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(StreamOwned::new(session, stream))
        })
    }

    fn serving<S: Read + Write>(
        host: &'static str,
        access: Option<Access>,
        wrap: impl Fn(TcpStream) -> Option<S> + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { access, ..State::default() });
        let of_thread = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (state, wrap) = (Arc::clone(&of_thread), wrap.clone());
                thread::spawn(move || {
                    if let Some(stream) = stream.ok().and_then(wrap) {
                        state.serve(stream).unwrap_or_default();
                    }
                });
            }
        });
        Self { address, host, state }
    }

    /// Its socket is served by `serve`.
    #[cfg(unix)]
    pub(crate) fn unix(path: &std::path::Path) -> Self {
        let receiver = Self::start();
        let (listener, state) = (std::os::unix::net::UnixListener::bind(path).unwrap(), Arc::clone(&receiver.state));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                thread::spawn(move || state.serve(stream.unwrap()).unwrap_or_default());
            }
        });
        receiver
    }

    pub(crate) fn address(&self) -> Address {
        match self.host {
            "localhost" => Address::tls("localhost", self.address.port()),
            host => Address::tcp(host, self.address.port()),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.replies.lock().unwrap().extend(replies);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.state.got.lock().unwrap().clone()
    }

    /// Tag and messages of each message.
    pub(crate) fn texts(&self) -> Vec<(String, Vec<String>)> {
        self.got().into_iter().map(|got| (got.tag.clone(), got.messages())).collect()
    }

    pub(crate) fn clients(&self) -> Vec<String> {
        self.state.clients.lock().unwrap().clone()
    }
}

impl Got {
    pub(crate) fn messages(&self) -> Vec<String> {
        let message = |record: &[(String, Value)]| {
            record.iter().find(|(name, _)| name == "message").and_then(|(_, text)| text.as_str().map(str::to_owned))
        };
        self.entries.iter().filter_map(|(_, record)| message(record)).collect()
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

/// The specification, where a server has a choice: its own name.
const OURS: &str = "receiver";
/// No UTF-8.
const NONCE: &[u8] = b"\xff\xfe nonce \x00";
const SALT: &[u8] = b"\x80 salt";

impl State {
    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let mut reader = BufReader::new(stream);
        if let Some(access) = &self.access
            && !self.shake_hands(access, &mut reader)?
        {
            return Ok(());
        }
        while let Ok(value) = read_value(&mut reader) {
            let got = strict(value, number);
            self.got.lock().unwrap().push(got.clone());
            let reply = self.replies.lock().unwrap().pop_front().unwrap_or(Reply::Ack);
            if !self.answer(reply, got.chunk, reader.get_mut())? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False if the client is refused.
    fn shake_hands<S: Read + Write>(&self, access: &Access, reader: &mut BufReader<S>) -> io::Result<bool> {
        if let Some(bytes) = &access.helo {
            write_all(reader.get_mut(), bytes)?;
            self.wait();
            return Ok(false);
        }
        let auth = access.user.map_or(Value::from(""), |_| Value::Binary(SALT.to_vec()));
        let mut options = vec![("nonce".into(), Value::Binary(NONCE.to_vec())), ("auth".into(), auth)];
        options.extend(access.keepalive.map(|keepalive| ("keepalive".into(), keepalive.into())));
        write(reader.get_mut(), &Value::Array(vec!["HELO".into(), Value::Map(options)]))?;

        let Ok(ping) = read_value(reader) else { return Ok(false) };
        let ping = ping.as_array().expect("PING is an array").clone();
        let [word, client, salt, proof, user, password] = &*ping else { return Ok(false) };
        assert_eq!(word.as_str(), Some("PING"));
        let (client, salt) = (client.as_str().unwrap(), salt.as_str().unwrap());
        self.clients.lock().unwrap().push(client.to_owned());
        let digest = |parts: &[&[u8]]| {
            let digest = Sha512::digest(parts.concat());
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let own = |host: &str| digest(&[salt.as_bytes(), host.as_bytes(), NONCE, access.key.as_bytes()]);
        let reason = match access.user {
            _ if access.lies => "",
            _ if client == OURS => "same hostname between input and output: invalid configuration",
            _ if proof.as_str() != Some(&own(client)) => "shared_key mismatch",
            Some((name, secret))
                if user.as_str() != Some(name)
                    || password.as_str() != Some(&digest(&[SALT, name.as_bytes(), secret.as_bytes()])) =>
            {
                "username/password mismatch"
            }
            Some(_) => "",
            None => {
                assert_eq!((user.as_str(), password.as_str()), (Some(""), Some("")));
                ""
            }
        };
        let proof = if access.lies { "0".repeat(128) } else { own(OURS) };
        let pong = match reason {
            "" => ["PONG".into(), true.into(), "".into(), OURS.into(), proof.into()],
            reason => ["PONG".into(), false.into(), reason.into(), "".into(), "".into()],
        };
        write(reader.get_mut(), &Value::Array(pong.to_vec()))?;
        Ok(reason.is_empty())
    }

    fn wait(&self) {
        drop(self.is_over.1.wait_while(self.is_over.0.lock().unwrap(), |over| !*over).unwrap());
    }

    /// False if that was the last one of the connection.
    fn answer(&self, reply: Reply, chunk: Option<String>, out: &mut impl Write) -> io::Result<bool> {
        let ack = |chunk: &str| {
            let mut bytes = Vec::new();
            let map = Value::Map(vec![("ack".into(), chunk.into())]);
            rmpv::encode::write_value(&mut bytes, &map).unwrap();
            bytes
        };
        match (reply, chunk) {
            (Reply::Ack, None) => {}
            (Reply::Ack, Some(chunk)) => {
                let late = std::mem::take(&mut *self.late.lock().unwrap());
                write_all(out, &[ack(&chunk), late].concat())?;
            }
            (Reply::LateAck, Some(chunk)) => self.late.lock().unwrap().extend(ack(&chunk)),
            (Reply::SlowAck, Some(chunk)) => {
                for byte in ack(&chunk) {
                    write_all(out, &[byte])?;
                    thread::yield_now();
                }
            }
            (Reply::WrongAck, Some(_)) => write_all(out, &ack("AAAAAAAAAAAAAAAAAAAAAA=="))?,
            (Reply::AckAndClose, chunk) => {
                chunk.map_or(Ok(()), |chunk| write_all(out, &ack(&chunk)))?;
                return Ok(false);
            }
            (Reply::Close, _) => return Ok(false),
            (Reply::Bytes(bytes), _) => {
                write_all(out, &bytes)?;
                return Ok(false);
            }
            (Reply::Endless(bytes), _) => {
                while !*self.is_over.0.lock().unwrap() {
                    write_all(out, bytes)?;
                }
            }
            (Reply::Silence, _) => self.wait(),
            (reply, None) => panic!("{reply:?}: no acknowledgement was asked for"),
        }
        Ok(true)
    }
}

fn write(out: &mut impl Write, value: &Value) -> io::Result<()> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    write_all(out, &bytes)
}

fn write_all(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// A message, of any mode.
fn strict(message: Value, connection: usize) -> Got {
    let Value::Array(mut parts) = message else { panic!("expected an array, got {message:?}") };
    let is_single = !matches!(parts.get(1), Some(Value::Array(_) | Value::Binary(_) | Value::String(_)));
    let without_option = if is_single { 3 } else { 2 };
    let option = if parts.len() > without_option { parts.pop() } else { None };
    assert_eq!(parts.len(), without_option, "{parts:?}");
    let tag = parts[0].as_str().expect("a tag in UTF-8").to_owned();
    let (mut chunk, mut size, mut compressed) = (None, None, false);
    for (name, value) in option.map(map).unwrap_or_default() {
        match &*name {
            "chunk" => chunk = Some(id(value.as_str().unwrap())),
            "size" => size = Some(value.as_u64().unwrap() as usize),
            "compressed" => compressed = value.as_str() == Some("gzip"),
            // Clients may send others.
            "fluent_signal" => {}
            name => panic!("unknown option {name:?}"),
        }
    }
    let (mode, entries) = match parts.swap_remove(1) {
        Value::Array(entries) => ("Forward", entries.into_iter().map(entry).collect()),
        Value::Binary(bytes) if compressed => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
            ("CompressedPackedForward", stream(&plain))
        }
        Value::Binary(bytes) => ("PackedForward", stream(&bytes)),
        time => ("Message", vec![entry(Value::Array(vec![time, parts.remove(1)]))]),
    };
    assert!(size.is_none_or(|size| size == entries.len()), "{size:?}");
    Got { mode, tag, entries, chunk, connection }
}

/// Base64 of 128 bits.
fn id(text: &str) -> String {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    assert!(text.len() == 24 && text.ends_with("==") && text.bytes().take(22).all(is_digit), "{text}");
    text.to_owned()
}

fn stream(mut bytes: &[u8]) -> Vec<(Time, Vec<(String, Value)>)> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        entries.push(entry(read_value(&mut bytes).unwrap()));
    }
    entries
}

fn entry(entry: Value) -> (Time, Vec<(String, Value)>) {
    let Value::Array(parts) = entry else { panic!("{entry:?}") };
    let [time, record] = <[Value; 2]>::try_from(parts).unwrap();
    let time = match time {
        Value::Ext(0, bytes) => {
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            assert!(bytes.len() == 8 && number(4) < 1_000_000_000, "{bytes:?}");
            Time::Nanos(number(0), number(4))
        }
        Value::Integer(seconds) => Time::Seconds(seconds.as_u64().unwrap()),
        other => panic!("expected a time, got {other:?}"),
    };
    (time, map(record))
}

/// Keys are texts, and none stands twice; so in maps inside.
fn map(value: Value) -> Vec<(String, Value)> {
    check(&value);
    let Value::Map(pairs) = value else { panic!("expected a map, got {value:?}") };
    pairs.into_iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), value)).collect()
}

fn check(value: &Value) {
    match value {
        Value::Map(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                assert!(key.as_str().is_some(), "{key:?}");
                assert!(pairs[..index].iter().all(|(other, _)| other != key), "{key:?} stands twice");
                check(value);
            }
        }
        Value::Array(items) => items.iter().for_each(check),
        Value::String(text) => assert!(text.as_str().is_some(), "{text:?}"),
        Value::Ext(..) => panic!("{value:?}"),
        _ => {}
    }
}
