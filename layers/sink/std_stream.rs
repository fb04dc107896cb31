//! Standard output and standard error.

use std::{
    cell::Cell,
    io::{self, IsTerminal as _, Write},
    num::NonZeroU16,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::{Lines, Sink, SinkProperties};
use crate::stdio::{self, Which};

/// Standard output or standard error of the process, as it is at the time of each record.
///
/// On unix a record is one write(2), without std's own writer, which treats a closed stream as success. std's lock is
/// held meanwhile, and what `print!` has buffered is written first: the order is kept, and lines do not mix.
#[derive(Clone, Copy, Debug)]
pub struct StdStream {
    which: Which,
    timeout: Duration,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

thread_local! {
    static HAS_WRITTEN_TO_STDERR: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread has written a record to stderr.
pub(crate) fn has_written_to_stderr() -> bool {
    HAS_WRITTEN_TO_STDERR.get()
}

impl StdStream {
    /// Standard output.
    pub const fn stdout() -> Self {
        Self { which: Which::Stdout, timeout: DEFAULT_TIMEOUT }
    }

    /// Standard error.
    pub const fn stderr() -> Self {
        Self { which: Which::Stderr, timeout: DEFAULT_TIMEOUT }
    }

    /// How long one record waits for a full, non-blocking stream before it fails (default: 1 s). After a timeout,
    /// further records do not wait until the stream accepts bytes again. A blocking stream has no timeout: it blocks,
    /// as it does for every other writer.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// `stdout` or `stderr`.
    pub const fn name(&self) -> &'static str {
        match self.which {
            Which::Stdout => "stdout",
            Which::Stderr => "stderr",
        }
    }

    /// Writes one complete record.
    pub(super) fn write_record(&self, record: &[u8]) -> io::Result<()> {
        stdio::write_record(self.which, self.timeout, record)?;
        if matches!(self.which, Which::Stderr) {
            HAS_WRITTEN_TO_STDERR.set(true);
        }
        Ok(())
    }
}

impl Sink for StdStream {
    #[inline]
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| self.write_record(line))
    }

    fn properties(&self) -> SinkProperties {
        let is_terminal = match self.which {
            Which::Stdout => io::stdout().is_terminal(),
            Which::Stderr => io::stderr().is_terminal(),
        };
        let columns = if is_terminal { columns(self.which) } else { None };
        SinkProperties { is_terminal, columns, ..SinkProperties::default() }
    }
}

/// The width of the terminal, if it says one.
#[cfg(unix)]
fn columns(which: Which) -> Option<NonZeroU16> {
    let size = match which {
        Which::Stdout => rustix::termios::tcgetwinsize(io::stdout()),
        Which::Stderr => rustix::termios::tcgetwinsize(io::stderr()),
    };
    NonZeroU16::new(size.ok()?.ws_col)
}

#[cfg(not(unix))]
fn columns(_: Which) -> Option<NonZeroU16> {
    None
}

/// Each `write` writes one complete record or fails.
impl Write for &StdStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_record(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As for `&StdStream`.
impl Write for StdStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_record(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for StdStream {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        *self
    }
}
