//! Encrypted streams, and peers that are not who they should be.

use std::{
    io::{self, Read as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tracing_strata::{
    NamedHandler,
    ledger::ErrorHandler,
    output::Socket,
    sink::net::{Address, Backoff, Connection, ConnectionBuilder, Tls},
};

use super::{bare, eager, in_time, listen, record, whole};
use crate::{
    places::{Bare, Dir, remembering},
    support::Give as _,
};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn server(&self) -> Identity {
        self.issue("localhost", |_| {})
    }

    /// That of a server, which has expired.
    pub(crate) fn expired(&self) -> Identity {
        self.issue("localhost", |params| params.not_after = date_time_ymd(2020, 1, 1))
    }

    /// A client's certificate and key.
    pub(crate) fn client(&self) -> (String, String) {
        let Identity { certificate, key } = self.issue("shop", |_| {});
        (certificate, key)
    }
}

pub(crate) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A peer with an identity; with an authority it wants to know who we are.
pub(crate) fn config(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap(),
            )
        }
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

pub(crate) fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> Stream {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), listener.accept().unwrap().0)
}

/// Both ends of a wire that trusts itself, for `net::each_wire`.
#[cfg(target_os = "linux")]
pub(super) struct Ends {
    pub(super) client: Tls,
    server: Arc<ServerConfig>,
}

#[cfg(target_os = "linux")]
pub(super) fn ends() -> Ends {
    let authority = Authority::new();
    Ends { client: Tls::new().ca_pem(authority.pem.as_str()), server: config(&authority.server(), None) }
}

#[cfg(target_os = "linux")]
impl Ends {
    /// The server's side, after the handshake as far as the client has gone on with it.
    pub(super) fn greet(&self, socket: TcpStream) -> impl io::Read + Send + use<> {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&self.server)).unwrap(), socket);
        stream.conn.complete_io(&mut stream.sock).map(drop).unwrap_or_default();
        stream
    }
}

/// All bytes, and how the stream ended.
pub(crate) fn all_of(stream: &mut Stream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let result = stream.read_to_end(&mut bytes).map(drop);
    (bytes, result)
}

fn tls(address: &Address, tls: Tls) -> ConnectionBuilder {
    let Address::Tcp { port, .. } = address else { panic!("{address}") };
    eager(Address::tls("localhost", *port)).tls(tls).connect_timeout(Duration::from_secs(20))
}

#[test]
fn records_arrive_and_the_peer_hears_the_end() {
    let authority = Authority::new();
    let config = config(&authority.server(), None);
    let (listener, address) = listen();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| all_of(&mut accept(&listener, &config)));
        let handler = bare(tls(&address, Tls::new().ca_pem(authority.pem.as_str()))).build_sync().unwrap();
        let big = "z".repeat(3 << 20);
        for message in ["one", "two\n", &big] {
            handler.give(&record(message)).unwrap();
        }
        drop(handler);
        let (bytes, end) = server.join().unwrap();
        let (records, rest) = whole(&bytes);
        assert!(records == ["one", "two\n", &big] && rest.is_empty());
        // Not cut off, but closed.
        end.unwrap();
    });
}

#[test]
fn a_certificate_of_ours_is_shown_and_its_absence_is_told() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let config = config(&authority.server(), Some(&clients));
    let (listener, address) = listen();
    let dir = Dir::new();
    let me = clients.issue("shop", |_| {});
    for (name, text) in [("ca", &authority.pem), ("certificate", &me.certificate), ("key", &me.key)] {
        std::fs::write(dir.path(name), text).unwrap();
    }
    let trust = Tls::new().ca_file(dir.path("ca"));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| all_of(&mut accept(&listener, &config)));
        let with = trust.clone().identity(dir.path("certificate"), dir.path("key"));
        let handler = bare(tls(&address, with)).build_sync().unwrap();
        handler.give(&record("it is me")).unwrap();
        drop(handler);
        assert_eq!(server.join().unwrap().0, b"8 it is me");

        let server = scope.spawn(|| all_of(&mut accept(&listener, &config)));
        let handler = bare(tls(&address, trust)).build_sync().unwrap();
        let error = in_time(|| handler.give(&record("who?"))).unwrap_err();
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
        assert!(server.join().unwrap().1.is_err());
    });
}

/// What a client that trusts `authority` is told of a peer.
fn refusal(authority: &Authority, identity: &Identity) -> String {
    let config = config(identity, None);
    let (listener, address) = listen();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| all_of(&mut accept(&listener, &config)));
        let (error_handler, told) = remembering();
        let socket = bare(tls(&address, Tls::new().ca_pem(authority.pem.as_str()))).build_sync().unwrap();
        let handler = NamedHandler::with_error_handler("tls", socket, error_handler);
        in_time(|| handler.emit(&record("a secret")));
        assert_eq!((handler.stats().failed, handler.stats().accepted()), (1, 1));
        let (bytes, end) = server.join().unwrap();
        assert!(bytes.is_empty() && end.is_err());
        let told = told.lock().unwrap();
        assert!(told[0].starts_with("cannot write to tls://localhost:"), "{told:?}");
        told[0].clone()
    })
}

#[test]
fn expired() {
    let authority = Authority::new();
    let old = authority.expired();
    let text = refusal(&authority, &old);
    assert!(text.contains("expired"), "{text}");
}

#[test]
fn wrong_host() {
    let authority = Authority::new();
    let text = refusal(&authority, &authority.issue("other.example", |_| {}));
    assert!(text.contains("not valid for name"), "{text}");
}

#[test]
fn other_authority() {
    let text = refusal(&Authority::new(), &Authority::new().server());
    assert!(text.contains("UnknownIssuer") || text.contains("BadSignature"), "{text}");
}

#[test]
fn the_name_that_is_asked_for_can_be_another() {
    let authority = Authority::new();
    let config = config(&authority.issue("logs.example", |_| {}), None);
    let (listener, address) = listen();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| all_of(&mut accept(&listener, &config)));
        let trust = Tls::new().ca_pem(authority.pem.as_str()).server_name("logs.example");
        bare(tls(&address, trust)).build_sync().unwrap().give(&record("hello")).unwrap();
        assert_eq!(server.join().unwrap().0, b"5 hello");
    });
}

#[test]
fn a_peer_that_speaks_no_tls() {
    let (listener, address) = listen();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            io::Write::write_all(&mut stream, b"220 mail.example ESMTP ready\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap_or_default();
        });
        let handler = bare(tls(&address, Tls::new().ca_pem(Authority::new().pem))).build_sync().unwrap();
        let error = in_time(|| handler.give(&record("hello"))).unwrap_err();
        assert!(error.to_string().contains("does not speak TLS"), "{error}");
    });
}

#[test]
fn a_handshake_that_does_not_go_on_takes_the_connect_deadline() {
    let (listener, address) = listen();
    let impatient = tls(&address, Tls::new().ca_pem(Authority::new().pem)).connect_timeout(Duration::from_millis(50));
    let handler = bare(impatient).build_sync().unwrap();
    let error = in_time(|| handler.give(&record("hello"))).unwrap_err();
    assert!(error.to_string().contains("no connection within 50ms"), "{error}");
    // Nor does one that goes on a byte at a time.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let mut drop_by_drop = b"\x16\x03\x03\x40\x00".iter().chain(std::iter::repeat(&0));
            while drop_by_drop.next().is_some_and(|byte| io::Write::write_all(&mut stream, &[*byte]).is_ok()) {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        assert!(in_time(|| handler.give(&record("hello"))).is_err());
    });
}

#[test]
fn a_peer_that_says_good_bye_is_not_written_to() {
    let authority = Authority::new();
    let config = config(&authority.server(), None);
    let (listener, address) = listen();
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut stream = accept(&listener, &config);
            let mut bytes = [0; 3];
            stream.read_exact(&mut bytes).unwrap();
            stream.conn.send_close_notify();
            stream.conn.complete_io(&mut stream.sock).unwrap();
            // It still listens, as far as TCP is concerned.
            let kept = stream.sock.try_clone().unwrap();
            closed.send(()).unwrap();
            let second = all_of(&mut accept(&listener, &config)).0;
            drop(kept);
            (bytes, second)
        });
        let handler = bare(tls(&address, Tls::new().ca_pem(authority.pem.as_str()))).build_sync().unwrap();
        handler.give(&record("1")).unwrap();
        is_closed.recv().unwrap();
        handler.give(&record("2")).unwrap();
        drop(handler);
        let (first, second) = server.join().unwrap();
        assert_eq!((&first[..], &second[..]), (&b"1 1"[..], &b"1 2"[..]));
    });
}

#[test]
fn a_reader_that_stops_takes_the_write_deadline() {
    let authority = Authority::new();
    let config = config(&authority.server(), None);
    let (listener, address) = listen();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut stream = accept(&listener, &config);
            stream.conn.complete_io(&mut stream.sock).unwrap();
            let (second, _) = listener.accept().unwrap();
            drop(second);
            all_of(&mut stream).0
        });
        let patient = tls(&address, Tls::new().ca_pem(authority.pem.as_str())).write_timeout(Duration::from_millis(50));
        let socket = bare(patient.backoff(Backoff::default().initial(super::LONG))).build_sync().unwrap();
        let handler = NamedHandler::with_error_handler("slow", socket, ErrorHandler::silent());
        in_time(|| handler.emit(&record(&"x".repeat(20 << 20))));
        in_time(|| handler.emit(&record("next")));
        assert_eq!(handler.stats().failed, 2);
        drop(TcpStream::connect(listener.local_addr().unwrap()));
        let bytes = server.join().unwrap();
        let (records, rest) = whole(&bytes);
        // Where the connection was reset first, nothing may be left to read.
        assert!(records.is_empty() && (rest.is_empty() || rest.starts_with(b"20971520 x")), "{records:?}");
    });
}

#[test]
fn t20_what_is_wrong_is_named_and_no_secret_is_shown() {
    let authority = Authority::new();
    let me = authority.server();
    let dir = Dir::new();
    let paths = [("key", me.key.as_str()), ("certificate", &me.certificate), ("text", "s3cret\n"), ("broken", BROKEN)];
    for (name, text) in paths {
        std::fs::write(dir.path(name), text).unwrap();
    }
    let key_lines: Vec<_> = me.key.lines().filter(|line| !line.starts_with("-----")).collect();
    let refused = |tls: Tls| {
        let debug = format!("{tls:?}");
        let to = Connection::builder(Address::tls("localhost", 1)).tls(tls);
        let debug = format!("{debug} {to:?}");
        let error = Socket::builder(to).format(Bare).build_sync().unwrap_err();
        let shown = format!("{error} {error:?} {debug}");
        assert!(!shown.contains("s3cret") && !key_lines.iter().any(|line| shown.contains(line)), "{shown}");
        error.to_string()
    };
    for (tls, named) in [
        (Tls::new().ca_file(dir.path("none")), "none"),
        (Tls::new().ca_file(dir.path("text")), "no certificate"),
        (Tls::new().ca_file(dir.path("broken")), "not valid PEM"),
        (Tls::new().ca_pem("s3cret"), "the PEM that was given"),
        (Tls::new().ca_pem(&*me.certificate).identity(dir.path("certificate"), dir.path("text")), "no private key"),
        (Tls::new().ca_pem(&*me.certificate).identity(dir.path("certificate"), dir.path("broken")), "no private key"),
        (Tls::new().ca_pem(&*me.certificate).identity(dir.path("key"), dir.path("key")), "no certificate"),
        (Tls::new().ca_pem(&*me.certificate).identity_pem(&*authority.pem, &*me.key), "not a pair"),
        (Tls::new().ca_pem(&*me.certificate).server_name("a b"), "server name \"a b\""),
    ] {
        let error = refused(tls);
        assert!(error.contains(named), "{named}: {error}");
    }
    let good = Tls::new().ca_pem(&*authority.pem).identity(dir.path("certificate"), dir.path("key"));
    let handler = Socket::builder(Connection::builder(Address::tls("localhost", 1)).tls(good)).build_sync().unwrap();
    let shown = format!("{handler:?}");
    assert!(!key_lines.iter().any(|line| shown.contains(line)), "{shown}");
}

const BROKEN: &str = "-----BEGIN CERTIFICATE-----\ns3cret!\n-----BEGIN PRIVATE KEY-----\ns3cret\n";
