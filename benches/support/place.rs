//! Where the lines go.

use std::{
    cell::Cell,
    fs::{File, OpenOptions},
    hint::black_box,
    io,
    path::{Path, PathBuf},
};

use tracing_strata::sink::{Lines, Sink};
use tracing_subscriber::fmt::MakeWriter;

/// A place, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// [`Null`].
    Null,
    /// A file, one `write(2)` a line.
    Lines,
    /// A file, through a buffer of [`BUFFER`] bytes.
    Buffer,
}

/// Size of the buffer in front of a file.
pub(crate) const BUFFER: usize = 64 * 1024;

/// Takes the bytes and drops them. (`io::sink()` would not do: the standard library knows it and skips the formatting.)
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Null;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// How many bytes this thread has given to [`Null`].
pub(crate) fn taken() -> u64 {
    TAKEN.with(Cell::get)
}

#[inline]
fn take(bytes: &[u8]) {
    let bytes = black_box(bytes);
    TAKEN.with(|taken| taken.set(taken.get() + bytes.len() as u64));
}

impl io::Write for Null {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        take(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Null {
    type Writer = Self;

    #[inline]
    fn make_writer(&self) -> Self {
        Self
    }
}

impl Sink for Null {
    #[inline]
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            take(line);
            Ok(())
        })
    }
}

/// An empty file of this process, opened for appending.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::create(path)?;
    OpenOptions::new().append(true).open(path)
}

/// A name for a file of this process, in the build's own folder.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("foundation-{}.log", std::process::id()))
}
