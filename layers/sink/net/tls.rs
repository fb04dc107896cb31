//! Encrypted streams, with `rustls`.

use std::{
    fmt, fs, io,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::stream::{Deadline, NonBlocking, timed_out};
use crate::Error;

/// Which certificate authorities to trust, and our own certificate.
///
/// TLS 1.2 and 1.3. The peer's certificate must be valid now, be signed by a trusted authority, and name the host of
/// the address. This check cannot be switched off.
///
/// ```
/// use tracing_strata::sink::net::{Address, Connection, Tls};
///
/// let tls = Tls::new().ca_file("/etc/ssl/log-ca.pem").identity("/etc/ssl/shop.pem", "/etc/ssl/shop.key");
/// let error = Connection::builder(Address::tls("logs.example.com", 6514)).tls(tls).build().unwrap_err();
/// assert!(error.to_string().contains("/etc/ssl/log-ca.pem"));
/// ```
///
/// Files are read once, when the connection is built. Neither `Debug` nor an error shows their content.
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    authorities: Vec<Source>,
    identity: Option<(Source, Source)>,
    server_name: Option<String>,
}

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Pem(Vec<u8>),
}

impl Tls {
    /// The system's certificate authorities, and no certificate of our own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificate authorities in a PEM file, instead of the system's.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(Source::File(path.into()));
        self
    }

    /// Like [`ca_file`](Self::ca_file), from memory.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(Source::Pem(pem.into()));
        self
    }

    /// Our own certificate (with the intermediate ones) and its key, from PEM files, for peers that ask for client
    /// certificates.
    pub fn identity(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some((Source::File(certificate.into()), Source::File(key.into())));
        self
    }

    /// Like [`identity`](Self::identity), from memory.
    pub fn identity_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((Source::Pem(certificate.into()), Source::Pem(key.into())));
        self
    }

    /// The name that must be in the peer's certificate, if it is not the host of the address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Reads all files.
    pub(super) fn load(self, host: &str) -> Result<ClientTls, Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Error::config(format_args!("server name {name:?}: expected the name of a host or an address"))
        })?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format_args!("TLS: {error}")))?
            .with_root_certificates(self.roots()?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate, "client certificate")?;
                let secret = key.read("key")?;
                let secret = private_key(key, &secret)?;
                builder.with_client_auth_cert(chain, secret).map_err(|_| {
                    Error::config(format_args!(
                        "the certificate of {certificate} and the key of {key} are not a pair that can be used"
                    ))
                })?
            }
        };
        Ok(ClientTls { config: Arc::new(config), name })
    }

    /// For a client that makes its own configuration.
    #[cfg(feature = "http")]
    pub(crate) fn certificates(&self) -> Result<Certificates, Error> {
        if self.server_name.is_some() {
            return Err(Error::config(
                "TLS: a server name has no effect over HTTP: expected it as the host of the URL",
            ));
        }
        let mut authorities = Vec::new();
        if self.authorities.is_empty() {
            authorities = rustls_native_certs::load_native_certs().certs;
            if authorities.is_empty() {
                return Err(no_authorities());
            }
        }
        for source in &self.authorities {
            authorities.extend(certificates(source, "certificate authority")?);
        }
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => {
                let pem = key.read("key")?;
                private_key(key, &pem)?;
                Some((certificates(certificate, "client certificate")?, pem))
            }
        };
        Ok(Certificates { authorities, identity })
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        if self.authorities.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(no_authorities());
            }
        }
        for source in &self.authorities {
            for certificate in certificates(source, "certificate authority")? {
                roots.add(certificate).map_err(|_| {
                    Error::config(format_args!("{source}: a certificate in it cannot be used as an authority"))
                })?;
            }
        }
        Ok(roots)
    }
}

/// Checked certificates; the key is PEM.
#[cfg(feature = "http")]
pub(crate) struct Certificates {
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) identity: Option<(Vec<CertificateDer<'static>>, Vec<u8>)>,
}

fn no_authorities() -> Error {
    Error::config("TLS: the system has no certificate authorities; expected some, or a `ca_file`")
}

fn private_key(source: &Source, pem: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    // The parser's message may quote the file.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        Error::config(format_args!("{source} has no private key: expected PEM (PKCS #8, PKCS #1 or SEC 1)"))
    })
}

fn certificates(source: &Source, what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = source.read(what)?;
    // The parser's message may quote the file.
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::config(format_args!("{source} is not valid PEM: expected a {what}")))?;
    if found.is_empty() {
        return Err(Error::config(format_args!("{source} has no certificate: expected a {what} in PEM")));
    }
    Ok(found)
}

impl Source {
    fn read(&self, what: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => read(path, what),
            Self::Pem(pem) => Ok(pem.clone()),
        }
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::io_at(path, &format!("read the {what}"), error))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Pem(_) => f.write_str("the PEM that was given"),
        }
    }
}

/// Shows sources, not content.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities: Vec<_> = self.authorities.iter().map(ToString::to_string).collect();
        f.debug_struct("Tls")
            .field("authorities", &authorities)
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Loaded settings.
pub(super) struct ClientTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(super) struct TlsStream {
    session: ClientConnection,
    stream: TcpStream,
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsPipe").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// How long to wait for the peer to refuse our certificate. With TLS 1.3 that happens after our side of the handshake.
const REFUSAL_GRACE: Duration = Duration::from_millis(250);

impl TlsStream {
    pub(super) fn open(stream: TcpStream, tls: &ClientTls, deadline: Deadline) -> io::Result<Self> {
        let mut session = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(io::Error::other)?;
        // Records are written completely or not at all, so the session must not limit their size.
        session.set_buffer_limit(None);
        let mut tls_stream = Self { session, stream };
        while tls_stream.session.is_handshaking() {
            tls_stream.write_pending(deadline)?;
            if tls_stream.session.is_handshaking() {
                tls_stream.read_some(deadline)?;
            }
        }
        tls_stream.write_pending(deadline)?;
        if tls_stream.session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            match tls_stream.read_some(deadline.earlier(Deadline::after(REFUSAL_GRACE))) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                result => result?,
            }
        }
        Ok(tls_stream)
    }

    fn read_some(&mut self, deadline: Deadline) -> io::Result<()> {
        self.stream.set_read_timeout(Some(deadline.remaining()?))?;
        let result = self.session.read_tls(&mut &self.stream);
        match result {
            Ok(0) => {
                return Err(closed(if self.session.is_handshaking() {
                    "the peer has closed the connection in the TLS handshake"
                } else {
                    "the peer has closed the connection"
                }));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(timed_out(error)),
        }
        self.process()
    }

    fn process(&mut self) -> io::Result<()> {
        match self.session.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => {
                // Send the peer the alert.
                if self.stream.set_write_timeout(Some(REFUSAL_GRACE)).is_ok() {
                    self.session.write_tls(&mut &self.stream).unwrap_or_default();
                }
                Err(refused(error))
            }
        }
    }

    fn write_pending(&mut self, deadline: Deadline) -> io::Result<()> {
        while self.session.wants_write() {
            self.stream.set_write_timeout(Some(deadline.remaining()?))?;
            match self.session.write_tls(&mut &self.stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(timed_out(error)),
            }
        }
        Ok(())
    }

    pub(super) fn is_alive(&mut self) -> io::Result<()> {
        for _ in 0..64 {
            match self.session.read_tls(&mut NonBlocking(&self.stream)) {
                Ok(0) => return Err(closed("the peer has closed the connection")),
                Ok(_) => self.process()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.discard()?;
        }
        Ok(())
    }

    /// Discards what the peer has sent.
    fn discard(&mut self) -> io::Result<()> {
        let mut buffer = [0; 512];
        loop {
            match io::Read::read(&mut self.session.reader(), &mut buffer) {
                Ok(0) => return Err(closed("the peer has closed the connection")),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        io::Write::write_all(&mut self.session.writer(), bytes)?;
        self.write_pending(deadline)
    }

    /// Waits for something to arrive. 0 if the peer has closed the connection.
    #[cfg(feature = "forward")]
    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        loop {
            match io::Read::read(&mut self.session.reader(), buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.read_some(deadline)?,
                result => return result,
            }
            self.write_pending(deadline)?;
        }
    }

    pub(super) fn close(mut self) {
        self.session.send_close_notify();
        // A peer that does not read any more need not get it.
        self.write_pending(Deadline::after(REFUSAL_GRACE)).unwrap_or_default();
    }
}

fn closed(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

fn refused(error: rustls::Error) -> io::Error {
    let text = match &error {
        rustls::Error::InvalidMessage(_) => "the peer does not speak TLS".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the peer has refused: TLS alert {alert:?}"),
        error => error.to_string(),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}
