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

/// How GELF messages become datagrams: compressed or not, and cut into chunks of which size.
///
/// | option | default |
/// |---|---|
/// | [`gzip`](Self::gzip), [`zlib`](Self::zlib), [`plain`](Self::plain) | gzip |
/// | [`compress_from`](Self::compress_from) | 512 bytes: shorter ones are sent as they are |
/// | [`chunk_bytes`](Self::chunk_bytes) | 1,420: one packet on nearly all networks |
///
/// A message that is longer than a chunk, compressed, is sent as up to 128 of them with one random id; the receiver puts
/// them together in any order, and throws a message away of which one was lost. What needs more than 128 is too long, see
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
    squeeze: Squeeze,
    from: usize,
    chunk: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Squeeze {
    Plain,
    Gzip,
    Zlib,
}

/// Before the part of a message: `0x1e 0x0f`, the message's id, the chunk's number, how many there are.
const HEAD: usize = 12;
const MOST_CHUNKS: usize = 128;

impl GelfChunks {
    /// The defaults.
    pub fn new() -> Self {
        Self { squeeze: Squeeze::Gzip, from: 512, chunk: 1_420 }
    }

    /// Compresses as gzip does.
    pub fn gzip(mut self) -> Self {
        self.squeeze = Squeeze::Gzip;
        self
    }

    /// Compresses as zlib does: 12 bytes less for each message.
    pub fn zlib(mut self) -> Self {
        self.squeeze = Squeeze::Zlib;
        self
    }

    /// Compresses nothing.
    pub fn plain(mut self) -> Self {
        self.squeeze = Squeeze::Plain;
        self
    }

    /// Messages shorter than so many bytes are not compressed.
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.from = bytes;
        self
    }

    /// The longest datagram, in bytes: 1,420 across networks, 8,154 within one that takes larger packets.
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }
}

impl Default for GelfChunks {
    fn default() -> Self {
        Self::new()
    }
}

impl Datagram {
    /// GELF over UDP to Graylog or another server that takes it, compressed and in [chunks](GelfChunks).
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
    /// Sends what the format makes as GELF messages are sent: compressed, and in chunks where it is long. The format must
    /// be [`Gelf`] or make such messages itself.
    pub fn chunks(mut self, chunks: GelfChunks) -> Self {
        self.chunks = Some(chunks);
        self
    }
}

/// Sends messages as [`GelfChunks`] says.
pub(super) struct Packer {
    how: GelfChunks,
    /// What compression needs; as many as threads have sent at once.
    spare: ForkMutex<Vec<Press>>,
    seed: u64,
    count: AtomicU64,
}

/// Compression takes some 300 KiB of memory and is used again.
struct Press {
    gzip: Compress,
    zlib: Compress,
    crc: Crc,
    /// The message, compressed.
    message: Vec<u8>,
    chunk: Vec<u8>,
}

impl Packer {
    pub(super) fn new(how: GelfChunks) -> Result<Self, Error> {
        // The longest datagram of UDP over IPv4; the shortest that can be of use.
        if !(64..=65_507).contains(&how.chunk) {
            let got = how.chunk;
            return Err(Error::config(format_args!("GELF chunk_bytes: expected 64 to 65507, got {got}")));
        }
        let spare = ForkMutex::default();
        Ok(Self { how, spare, seed: fastrand::u64(..), count: AtomicU64::new(0) })
    }

    /// Sends a message in as many datagrams as it takes.
    pub(super) fn send(
        &self,
        message: &[u8],
        limit: usize,
        mut send: impl FnMut(&[u8]) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        if message.len() <= self.how.chunk && (message.len() < self.how.from || self.how.squeeze == Squeeze::Plain) {
            return if message.len() > limit { Err(Unsent::TooLong(message.len())) } else { send(message) };
        }
        let spare = self.lock().pop();
        let mut press = spare.unwrap_or_else(Press::new);
        let result = press.send(message, limit, &self.how, || self.id(), &mut send);
        let mut spare = self.lock();
        if spare.len() < SPARE {
            spare.push(press);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Press>> {
        self.spare.get()
    }

    /// An id that no other message has: of this handler for certain (the steps below can be undone), of others as likely
    /// as 64 random bits meet. A child process after a fork goes on with other ones.
    fn id(&self) -> [u8; 8] {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.seed ^ u64::from(std::process::id()) << 32;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31).to_be_bytes()
    }
}

/// How many presses are kept.
const SPARE: usize = 8;
/// Above this a press gives its memory back, in bytes.
const KEPT: usize = 256 << 10;

impl Press {
    fn new() -> Self {
        let level = Compression::default();
        Self {
            gzip: Compress::new(level, false),
            zlib: Compress::new(level, true),
            crc: Crc::new(),
            message: Vec::new(),
            chunk: Vec::new(),
        }
    }

    fn send(
        &mut self,
        message: &[u8],
        limit: usize,
        how: &GelfChunks,
        id: impl FnOnce() -> [u8; 8],
        send: &mut impl FnMut(&[u8]) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        let packed = match how.squeeze {
            _ if message.len() < how.from => message,
            Squeeze::Plain => message,
            squeeze => {
                self.squeeze(message, squeeze).map_err(Unsent::Failed)?;
                &self.message
            }
        };
        if packed.len() > limit {
            return Err(Unsent::TooLong(packed.len()));
        }
        if packed.len() <= how.chunk {
            return send(packed);
        }
        let part = how.chunk - HEAD;
        let count = packed.len().div_ceil(part);
        let Some(total) = u8::try_from(count).ok().filter(|_| count <= MOST_CHUNKS) else {
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
        if self.message.capacity() > KEPT {
            self.message = Vec::new();
        }
        Ok(())
    }

    fn squeeze(&mut self, message: &[u8], how: Squeeze) -> Result<(), Error> {
        let Self { gzip, zlib, crc, message: out, .. } = self;
        out.clear();
        if how == Squeeze::Zlib {
            return deflate(zlib, message, out);
        }
        // RFC 1952: deflate, no flags, no time, nothing on the level, an unknown system.
        out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        deflate(gzip, message, out)?;
        crc.reset();
        crc.update(message);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&(message.len() as u32).to_le_bytes());
        Ok(())
    }
}

fn deflate(with: &mut Compress, message: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    with.reset();
    // Text becomes a third; what does not is given room as it comes.
    out.reserve(message.len() / 2 + 64);
    loop {
        let done = usize::try_from(with.total_in()).unwrap_or(usize::MAX).min(message.len());
        match with.compress_vec(&message[done..], out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Ok(()),
            Ok(_) => out.reserve(out.len().max(64)),
            Err(error) => return Err(Error::with_source("cannot compress the message", error)),
        }
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.how.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, io::Read as _};

    use super::*;

    fn sent(how: GelfChunks, message: &[u8]) -> Vec<Vec<u8>> {
        let packer = Packer::new(how).unwrap();
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
            let mut press = Press::new();
            for how in [Squeeze::Gzip, Squeeze::Zlib, Squeeze::Gzip, Squeeze::Zlib] {
                press.squeeze(&message, how).unwrap();
                let mut read = Vec::new();
                match how {
                    Squeeze::Gzip => flate2::read::GzDecoder::new(&*press.message).read_to_end(&mut read),
                    _ => flate2::read::ZlibDecoder::new(&*press.message).read_to_end(&mut read),
                }
                .unwrap();
                assert!(read == message, "{how:?} {length}");
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
        let packers = [GelfChunks::new(), GelfChunks::new()].map(|how| Packer::new(how).unwrap());
        let ids: HashSet<_> = (0..20_000).flat_map(|_| packers.iter().map(Packer::id)).collect();
        assert_eq!(ids.len(), 40_000);
    }
}
