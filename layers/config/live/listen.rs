//! Accepts configurations over TCP.

use std::{
    fmt,
    io::{self, Read},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{logging::Logging, stderr};
use crate::{Error, config::document::Config, record::silence_this_thread, unwind::catch};

/// The size limit of a configuration, in bytes.
const MAX_BYTES: u32 = 1 << 20;
/// How long a client may take to send it.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Logging {
    /// Accepts configurations over TCP for [`reload`](Self::reload): four bytes of length, big-endian, then a JSON object or
    /// an INI file. `verify` gets the bytes first and returns those to use; `None` rejects them. A configuration that cannot
    /// be applied is reported on stderr and changes nothing. Dropping the listener stops it.
    ///
    /// Python: `logging.config.listen`. Anyone who can connect can name files to write to: listen on a loopback
    /// address, and verify a signature.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn listen(
        &self,
        address: impl ToSocketAddrs + fmt::Debug,
        verify: impl Fn(Vec<u8>) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<Listener, Error> {
        let failed = |error| Error::with_source(format_args!("cannot listen on {address:?}"), error);
        let listener = TcpListener::bind(&address).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (logging, end) = (self.clone(), Arc::clone(&ended));
        let thread = thread::Builder::new().name("strata-listen".into()).spawn(move || {
            silence_this_thread();
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // A client that is gone already needs no answer.
                if let Ok(stream) = stream {
                    take(&logging, stream, &verify);
                }
            }
        });
        let thread = thread.map_err(|error| Error::with_source("cannot start the listener's thread", error))?;
        Ok(Listener { address: local, ended, thread: Some(thread) })
    }
}

fn take(logging: &Logging, mut stream: TcpStream, verify: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>) {
    let report =
        |what: &dyn fmt::Display| stderr::report(format_args!("a configuration that was sent is refused: {what}"));
    let bytes = match read(&mut stream) {
        Ok(bytes) => bytes,
        Err(error) => return report(&error),
    };
    // Foreign code may panic.
    let verified = catch(|| verify(bytes));
    let Ok(Some(bytes)) = verified else { return };
    let applied = String::from_utf8(bytes)
        .map_err(|_| Error::config("expected UTF-8"))
        .and_then(|text| match text.trim_start().starts_with('{') {
            true => Config::from_json(&text),
            false => Config::from_ini(&text),
        })
        .and_then(|config| logging.reload(&config));
    if let Err(error) = applied {
        report(&error);
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_BYTES {
        return Err(io::Error::other(format!("expected at most {MAX_BYTES} bytes, got {length}")));
    }
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Accepts configurations until it is dropped. Made by [`Logging::listen`].
#[must_use = "dropping it stops the listener"]
pub struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// The local address, with the port that was chosen for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread; if connecting fails, it has ended.
        drop(TcpStream::connect_timeout(&self.address, TIMEOUT));
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic in it.
            thread.join().unwrap_or_default();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.address).finish()
    }
}
