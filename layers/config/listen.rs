//! Configurations over a socket.

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

use super::{Config, Logging};
use crate::{Error, record::silence_this_thread, unwind::catch};

/// The longest configuration that is taken, in bytes.
const MAX_BYTES: u32 = 1 << 20;
/// How long somebody who has connected may take for it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Logging {
    /// Takes configurations over TCP: four bytes of length, big-endian, then a JSON object for
    /// [`reload`](Self::reload), or an INI file. `verify` gets the bytes first and gives those to be used; `None` refuses
    /// them. What cannot be applied is told on stderr, and changes nothing. Dropping the listener ends it.
    ///
    /// Python: `logging.config.listen`. Whoever can connect can name files to write to: listen on a loopback address, and
    /// verify a signature.
    ///
    /// # Errors
    /// The address cannot be listened on.
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
                // Somebody who hangs up too early is nobody.
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
    let told = |what: &dyn fmt::Display| {
        let mut line = String::new();
        for c in format!("tracing-strata: a configuration that was sent is refused: {what}").chars() {
            match crate::text::is_control(c) && c != '\n' {
                true => line.extend(c.escape_default()),
                false => line.push(c),
            }
        }
        crate::sink::stderr_line(&line);
    };
    let bytes = match read(&mut stream) {
        Ok(bytes) => bytes,
        Err(error) => return told(&error),
    };
    // Somebody else's code.
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
        told(&error);
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
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

/// Takes configurations until it is dropped. Made by [`Logging::listen`].
#[must_use = "dropping it ends the listening"]
pub struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Where it listens: the port that was found for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes it up; where nobody can connect any more, it has ended.
        drop(TcpStream::connect_timeout(&self.address, PATIENCE));
        if let Some(thread) = self.thread.take() {
            // A panic in it was told when it happened.
            thread.join().unwrap_or_default();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.address).finish()
    }
}
