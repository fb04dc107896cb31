//! Standard output and standard error.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::atomic::AtomicBool,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::{Lines, Sink, SinkProperties, line_state::LineState};

/// Standard output or standard error of the process, as it is at the time of each record.
///
/// On unix a record is one write(2), without std's own writer, which treats a closed stream as success. std's lock is held
/// meanwhile, and what `print!` has buffered is written first: the order is kept, and lines do not mix.
#[derive(Clone, Copy, Debug)]
pub struct StdStream {
    which: Which,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Stdout,
    Stderr,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

impl StdStream {
    /// Standard output.
    pub const fn stdout() -> Self {
        Self { which: Which::Stdout, timeout: DEFAULT_TIMEOUT }
    }

    /// Standard error.
    pub const fn stderr() -> Self {
        Self { which: Which::Stderr, timeout: DEFAULT_TIMEOUT }
    }

    /// How long one record waits for a full, non-blocking stream before it fails (default: 1 s). After a timeout, further
    /// records do not wait until the stream accepts bytes again. A blocking stream has no timeout: it blocks, as it does for
    /// every other writer.
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
        // No user code runs while std's lock is held.
        match self.which {
            Which::Stdout => {
                let stream = io::stdout();
                sys::write_record(&stream, stream.lock(), &STDOUT, self.timeout, record)
            }
            Which::Stderr => {
                let stream = io::stderr();
                sys::write_record(&stream, stream.lock(), &STDERR, self.timeout, record)
            }
        }
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
        SinkProperties { is_terminal, ..SinkProperties::default() }
    }
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

/// Writes a line to stderr and ignores failures: the last resort for reports, which must never fail, wait or recurse.
pub(crate) fn stderr_line(line: &str) {
    let line = [line.as_bytes(), b"\n"].concat();
    // If stderr fails, there is nowhere left to report it.
    StdStream::stderr().timeout(Duration::ZERO).write_record(&line).unwrap_or_default();
}

/// The state of a stream, shared by all handlers of the process. Changed only under std's lock.
struct State {
    line_state: LineState,
    /// A record has timed out, and none was written since.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only unix waits"))]
    stuck: AtomicBool,
}

impl State {
    const fn new() -> Self {
        Self { line_state: LineState::new(false), stuck: AtomicBool::new(false) }
    }
}

static STDOUT: State = State::new();
static STDERR: State = State::new();

#[cfg(unix)]
mod sys {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sink::{
        line_state,
        write_wait::{WriteWait, clear_stuck},
    };

    pub(super) fn write_record(
        stream: &impl AsFd,
        mut lock: impl Write,
        state: &State,
        timeout: Duration,
        record: &[u8],
    ) -> io::Result<()> {
        let fd = stream.as_fd();
        let mut wait = WriteWait::new(&state.stuck, timeout);
        line_state::flush(|| wait.retry_until_writable(fd, || lock.flush()))?;
        state.line_state.write(record, |bytes| {
            let count = wait.retry_until_writable(fd, || rustix::io::write(fd, bytes).map_err(io::Error::from))?;
            clear_stuck(&state.stuck);
            Ok(count)
        })
    }
}

#[cfg(not(unix))]
mod sys {
    use super::*;
    use crate::sink::line_state;

    pub(super) fn write_record<S>(
        _: &S,
        mut lock: impl Write,
        state: &State,
        _: Duration,
        record: &[u8],
    ) -> io::Result<()> {
        state.line_state.write(record, |bytes| lock.write(bytes))?;
        line_state::flush(|| lock.flush())
    }
}
