//! GELF over UDP: compressed, and in chunks where it is long.
//!
//! Source: [GELF via UDP](https://go2docs.graylog.org/current/getting_in_log_data/gelf.html).

use std::{
    fmt,
    sync::{
        MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::{Datagram, DatagramBuilder, Unsent};
use crate::{Error, fork::ForkMutex, format::Gelf};

/// How GELF messages become datagrams: the compression, and the size of chunks.
///
/// | option | default |
/// |---|---|
/// | [`gzip`](Self::gzip), [`zlib`](Self::zlib), [`plain`](Self::plain) | gzip |
/// | [`compress_from`](Self::compress_from) | 512 bytes: shorter messages are not compressed |
/// | [`chunk_bytes`](Self::chunk_bytes) | 1,420: one packet on nearly all networks |
///
/// A message that is longer than a chunk, compressed, is sent as up to 128 chunks with one random id. The receiver
/// reassembles them in any order, and discards a message if a chunk is lost. A message of more than 128 chunks is too long, see
/// [`Oversize`](super::Oversize).
///
/// ```
/// use tracing_strata::output::{Datagram, GelfChunks};
///
/// let graylog = Datagram::gelf("graylog.example.org", 12201)
///     .chunks(GelfChunks::new().zlib().chunk_bytes(8_154))
///     .build()?;
/// # drop(graylog);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GelfChunks {
    method: Method,
    compress_from: usize,
    chunk_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Plain,
    Gzip,
    Zlib,
}

/// The head of a chunk: `0x1e 0x0f`, the message's id, the chunk's number, the number of chunks.
const HEADER_BYTES: usize = 12;
const MAX_CHUNKS: usize = 128;

impl GelfChunks {
    /// The defaults: gzip from 512 bytes, chunks of 1,420 bytes.
    pub fn new() -> Self {
        Self { method: Method::Gzip, compress_from: 512, chunk_bytes: 1_420 }
    }

    /// Compresses with gzip.
    pub fn gzip(mut self) -> Self {
        self.method = Method::Gzip;
        self
    }

    /// Compresses with zlib: 12 bytes less for each message.
    pub fn zlib(mut self) -> Self {
        self.method = Method::Zlib;
        self
    }

    /// Compresses nothing.
    pub fn plain(mut self) -> Self {
        self.method = Method::Plain;
        self
    }

    /// The shortest message that is compressed, in bytes.
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.compress_from = bytes;
        self
    }

    /// The longest datagram, in bytes: 1,420 across networks, 8,154 within a network with larger packets.
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }
}

impl Default for GelfChunks {
    fn default() -> Self {
        Self::new()
    }
}

impl Datagram {
    /// GELF over UDP, to Graylog or another server, compressed and in [chunks](GelfChunks). No I/O.
    ///
    /// ```
    /// use tracing_strata::{format::Gelf, output::Datagram};
    ///
    /// let graylog = Datagram::gelf("graylog.example.org", 12201).format(Gelf::new().field("env", "test")).build()?;
    /// # drop(graylog);
    /// # Ok::<(), tracing_strata::Error>(())
    /// ```
    pub fn gelf(host: impl Into<String>, port: u16) -> DatagramBuilder<Gelf> {
        Datagram::udp(host, port).format(Gelf::new()).limit(usize::MAX).chunks(GelfChunks::new())
    }
}

impl<F> DatagramBuilder<F> {
    /// Sends GELF messages compressed, and in chunks where they are long. The format must be [`Gelf`] or make such messages
    /// itself.
    pub fn chunks(mut self, chunks: GelfChunks) -> Self {
        self.chunks = Some(chunks);
        self
    }
}

/// Compresses messages and splits them into chunks.
pub(super) struct Packer {
    options: GelfChunks,
    /// As many as threads have sent at once, up to `MAX_IDLE`.
    idle: ForkMutex<Vec<Compressor>>,
    seed: u64,
    count: AtomicU64,
}

/// Takes some 300 KiB, and is reused.
struct Compressor {
    gzip: Compress,
    zlib: Compress,
    crc: Crc,
    compressed: Vec<u8>,
    chunk: Vec<u8>,
}

impl Packer {
    pub(super) fn new(options: GelfChunks) -> Result<Self, Error> {
        // The longest datagram of UDP over IPv4.
        if !(64..=65_507).contains(&options.chunk_bytes) {
            let got = options.chunk_bytes;
            return Err(Error::config(format_args!("GELF chunk_bytes: expected 64 to 65507, got {got}")));
        }
        Ok(Self { options, idle: ForkMutex::default(), seed: fastrand::u64(..), count: AtomicU64::new(0) })
    }

    /// Sends a message in as many datagrams as it takes.
    pub(super) fn send(
        &self,
        message: &[u8],
        limit: usize,
        mut send: impl FnMut(&[u8]) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        let options = &self.options;
        let is_plain = message.len() < options.compress_from || options.method == Method::Plain;
        if message.len() <= options.chunk_bytes && is_plain {
            return if message.len() > limit { Err(Unsent::TooLong(message.len())) } else { send(message) };
        }
        // The lock is not held while it compresses and sends.
        let idle = self.idle().pop();
        let mut compressor = idle.unwrap_or_else(Compressor::new);
        let result = compressor.send(message, limit, options, || self.id(), &mut send);
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(compressor);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compressor>> {
        self.idle.get()
    }

    /// Unique within this handler (the steps below are invertible), and 64 random bits against other handlers. A forked
    /// child has other ids.
    fn id(&self) -> [u8; 8] {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.seed ^ u64::from(std::process::id()) << 32;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31).to_be_bytes()
    }
}

const MAX_IDLE: usize = 8;
/// A larger buffer is freed, in bytes.
const MAX_RETAINED: usize = 256 << 10;

impl Compressor {
    fn new() -> Self {
        let level = Compression::default();
        Self {
            gzip: Compress::new(level, false),
            zlib: Compress::new(level, true),
            crc: Crc::new(),
            compressed: Vec::new(),
            chunk: Vec::new(),
        }
    }

    fn send(
        &mut self,
        message: &[u8],
        limit: usize,
        options: &GelfChunks,
        id: impl FnOnce() -> [u8; 8],
        send: &mut impl FnMut(&[u8]) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        let packed = match options.method {
            _ if message.len() < options.compress_from => message,
            Method::Plain => message,
            method => {
                self.compress(message, method).map_err(Unsent::Failed)?;
                &self.compressed
            }
        };
        if packed.len() > limit {
            return Err(Unsent::TooLong(packed.len()));
        }
        if packed.len() <= options.chunk_bytes {
            return send(packed);
        }
        let part = options.chunk_bytes - HEADER_BYTES;
        let count = packed.len().div_ceil(part);
        let Some(total) = u8::try_from(count).ok().filter(|_| count <= MAX_CHUNKS) else {
            return Err(Unsent::TooLong(packed.len()));
        };
        let id = id();
        for (number, part) in (0..total).zip(packed.chunks(part)) {
            self.chunk.clear();
            self.chunk.extend_from_slice(&[0x1e, 0x0f]);
            self.chunk.extend_from_slice(&id);
            self.chunk.extend_from_slice(&[number, total]);
            self.chunk.extend_from_slice(part);
            send(&self.chunk)?;
        }
        if self.compressed.capacity() > MAX_RETAINED {
            self.compressed = Vec::new();
        }
        Ok(())
    }

    fn compress(&mut self, message: &[u8], method: Method) -> Result<(), Error> {
        let Self { gzip, zlib, crc, compressed: out, .. } = self;
        out.clear();
        if method == Method::Zlib {
            return deflate(zlib, message, out);
        }
        // RFC 1952: deflate, no flags, no time, unknown level, unknown system.
        out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        deflate(gzip, message, out)?;
        crc.reset();
        crc.update(message);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&(message.len() as u32).to_le_bytes());
        Ok(())
    }
}

fn deflate(compress: &mut Compress, message: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    compress.reset();
    // Text shrinks to a third; other data grows the buffer below.
    out.reserve(message.len() / 2 + 64);
    loop {
        let done = usize::try_from(compress.total_in()).unwrap_or(usize::MAX).min(message.len());
        match compress.compress_vec(&message[done..], out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Ok(()),
            Ok(_) => out.reserve(out.len().max(64)),
            Err(error) => return Err(Error::with_source("cannot compress the message", error)),
        }
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, io::Read as _};

    use super::*;

    fn sent(options: GelfChunks, message: &[u8]) -> Vec<Vec<u8>> {
        let packer = Packer::new(options).unwrap();
        let mut all = Vec::new();
        let result = packer.send(message, usize::MAX, |datagram| {
            all.push(datagram.to_vec());
            Ok(())
        });
        assert!(result.is_ok());
        all
    }

    #[test]
    fn what_is_pressed_is_read_by_others_and_again() {
        for length in [0, 1, 511, 512, 600, 5_000, 1_000_000] {
            let message: Vec<u8> = (0..length).map(|index: u32| (index.wrapping_mul(index) >> 3) as u8 % 64).collect();
            let mut compressor = Compressor::new();
            for method in [Method::Gzip, Method::Zlib, Method::Gzip, Method::Zlib] {
                compressor.compress(&message, method).unwrap();
                let mut read = Vec::new();
                match method {
                    Method::Gzip => flate2::read::GzDecoder::new(&*compressor.compressed).read_to_end(&mut read),
                    _ => flate2::read::ZlibDecoder::new(&*compressor.compressed).read_to_end(&mut read),
                }
                .unwrap();
                assert!(read == message, "{method:?} {length}");
            }
        }
    }

    #[test]
    fn chunks_have_their_head_and_are_no_longer_than_asked_for() {
        let message: Vec<u8> = (0..10_000_u32).map(|index| index as u8).collect();
        let all = sent(GelfChunks::new().plain().chunk_bytes(1_000), &message);
        assert_eq!(all.len(), 10_000_usize.div_ceil(988));
        let id = all[0][2..10].to_vec();
        let mut whole = Vec::new();
        for (number, chunk) in all.iter().enumerate() {
            assert!(chunk.len() <= 1_000 && chunk[..2] == [0x1e, 0x0f] && chunk[2..10] == id);
            assert_eq!(chunk[10..12], [number as u8, all.len() as u8]);
            whole.extend_from_slice(&chunk[12..]);
        }
        assert_eq!(whole, message);
        // One that just fits is whole.
        assert_eq!(sent(GelfChunks::new().plain().chunk_bytes(1_000), &message[..1_000]), [&message[..1_000]]);
    }

    #[test]
    fn a_hundred_and_twenty_eight_chunks_and_no_more() {
        let packer = Packer::new(GelfChunks::new().plain().chunk_bytes(64)).unwrap();
        let mut count = 0;
        let mut try_send = |length: usize| {
            packer.send(&vec![b'x'; length], usize::MAX, |_| {
                count += 1;
                Ok(())
            })
        };
        assert!(try_send(128 * 52).is_ok());
        assert!(matches!(try_send(128 * 52 + 1), Err(Unsent::TooLong(6_657))));
        assert_eq!(count, 128);
    }

    #[test]
    fn ids_are_unique() {
        let packers = [GelfChunks::new(), GelfChunks::new()].map(|options| Packer::new(options).unwrap());
        let ids: HashSet<_> = (0..20_000).flat_map(|_| packers.iter().map(Packer::id)).collect();
        assert_eq!(ids.len(), 40_000);
    }
}
