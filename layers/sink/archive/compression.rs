//! Compression formats.

#[cfg(any(feature = "gzip", feature = "zstd"))]
use std::io::Write;
use std::{
    fs::File,
    io::{self, Read},
};

/// How to compress rotated files and requests. A background thread does it, which for files ends when it has no more;
/// logging threads never compress.
///
/// ```
/// use tracing_strata::sink::Compression;
///
/// # #[cfg(feature = "gzip")]
/// let gzip = Compression::gzip().level(9);
/// ```
///
/// # A crash
/// `app.log.1` is compressed into `app.log.PID-N.gz.part`. That file is synced to the disk and renamed to
/// `app.log.1.gz`; only then `app.log.1` is deleted. So a crash leaves the plain file or a complete compressed one. The
/// next start and the next rotation finish what was left. A compressed file keeps the time, the permissions and the
/// owner of the plain one.
///
/// # Failures
/// On a full disk or a refused permission the error handler gets the error, which counts in
/// [`other_errors`](crate::ledger::Stats::other_errors); the plain file stays, and the next rotation tries again. If
/// `app.log.1.gz` exists with other content, the file is appended to it as a further member, which readers show one
/// after the other: nothing is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Compression {
    method: Method,
    level: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// Suffixes of compressed files, whatever the features: another build may have made them.
pub(crate) const SUFFIXES: [&str; 2] = ["gz", "zst"];

impl Compression {
    /// gzip, `.gz`.
    #[cfg(feature = "gzip")]
    pub fn gzip() -> Self {
        Self { method: Method::Gzip, level: None }
    }

    /// Zstandard, `.zst`.
    #[cfg(feature = "zstd")]
    pub fn zstd() -> Self {
        Self { method: Method::Zstd, level: None }
    }

    /// The compression level: 0 to 9 for gzip (default: 6), 1 to 22 for zstd (default: 3). Other values are clamped.
    pub fn level(mut self, level: i32) -> Self {
        self.level = Some(level);
        self
    }

    /// The suffix of its files, without the dot.
    pub(crate) fn suffix(self) -> &'static str {
        match self.method {
            #[cfg(feature = "gzip")]
            Method::Gzip => SUFFIXES[0],
            #[cfg(feature = "zstd")]
            Method::Zstd => SUFFIXES[1],
        }
    }

    /// The name of its content coding.
    #[cfg(feature = "http")]
    pub(crate) fn coding(self) -> &'static str {
        match self.method {
            Method::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Method::Zstd => "zstd",
        }
    }

    #[cfg(any(feature = "forward", feature = "http"))]
    pub(crate) fn encode_bytes(self, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(bytes.len() / 4);
        self.encode_to(&mut bytes, &mut encoded)?;
        Ok(encoded)
    }

    /// Compresses all of `from` into a file and returns its length.
    #[cfg(any(feature = "gzip", feature = "zstd"))]
    pub(super) fn encode(self, from: &mut impl Read, to: &File) -> io::Result<u64> {
        self.encode_to(from, &mut io::BufWriter::with_capacity(CHUNK, to))
    }

    #[cfg(not(any(feature = "gzip", feature = "zstd")))]
    pub(super) fn encode(self, _: &mut impl Read, _: &File) -> io::Result<u64> {
        match self.method {}
    }

    /// Compresses all of `from` and returns its length.
    #[cfg(any(feature = "gzip", feature = "zstd"))]
    fn encode_to(self, from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
        match self.method {
            #[cfg(feature = "gzip")]
            Method::Gzip => {
                let level = flate2::Compression::new(self.level.unwrap_or(6).clamp(0, 9).unsigned_abs());
                let mut encoder = flate2::write::GzEncoder::new(to, level);
                let len = copy(from, &mut encoder)?;
                encoder.finish()?.flush()?;
                Ok(len)
            }
            #[cfg(feature = "zstd")]
            Method::Zstd => {
                let level = self.level.map_or(zstd::DEFAULT_COMPRESSION_LEVEL, |level| level.clamp(1, 22));
                let mut encoder = zstd::Encoder::new(to, level)?;
                encoder.include_checksum(true)?;
                let len = copy(from, &mut encoder)?;
                encoder.finish()?.flush()?;
                Ok(len)
            }
        }
    }

    /// Decompresses a file, all members.
    #[cfg_attr(not(any(feature = "gzip", feature = "zstd")), allow(unused_variables))]
    pub(super) fn decode(self, from: File) -> io::Result<Box<dyn Read>> {
        match self.method {
            #[cfg(feature = "gzip")]
            Method::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(CHUNK, from)))),
            #[cfg(feature = "zstd")]
            Method::Zstd => Ok(Box::new(zstd::Decoder::new(from)?)),
        }
    }
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
const CHUNK: usize = 64 << 10;

#[cfg(any(feature = "gzip", feature = "zstd"))]
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut len = 0;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(len),
            Ok(count) => {
                to.write_all(&chunk[..count])?;
                len += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
