//! Standard output and standard error.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::atomic::AtomicBool,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::{Lines, Sink, SinkProperties, line::Tail};

/// Standard output or standard error of the process, as they are at the time of each record.
///
/// On unix a record is one write(2), past std's own writer, which takes a closed stream for success. std's lock is held
/// meanwhile, and what `print!` left in its buffer is written first: the order is kept, and lines do not mix.
#[derive(Clone, Copy, Debug)]
pub struct StdStream {
    which: Which,
    deadline: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Stdout,
    Stderr,
}

/// How long a stream that takes nothing is waited for, unless said otherwise.
const DEADLINE: Duration = Duration::from_secs(1);

impl StdStream {
    /// Standard output.
    pub const fn stdout() -> Self {
        Self { which: Which::Stdout, deadline: DEADLINE }
    }

    /// Standard error.
    pub const fn stderr() -> Self {
        Self { which: Which::Stderr, deadline: DEADLINE }
    }

    /// How long one record may wait for a full, non-blocking stream until it is given up (default: 1 s). After that,
    /// further records do not wait at all until the stream has taken something. A blocking stream has no deadline: it
    /// blocks, as it does everybody else.
    pub const fn timeout(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// `stdout` or `stderr`.
    pub const fn name(&self) -> &'static str {
        match self.which {
            Which::Stdout => "stdout",
            Which::Stderr => "stderr",
        }
    }

    /// Writes one record, whole.
    pub(super) fn put(&self, record: &[u8]) -> io::Result<()> {
        // No user code runs while std's lock is held.
        match self.which {
            Which::Stdout => {
                let stream = io::stdout();
                sys::put(&stream, stream.lock(), &STDOUT, self.deadline, record)
            }
            Which::Stderr => {
                let stream = io::stderr();
                sys::put(&stream, stream.lock(), &STDERR, self.deadline, record)
            }
        }
    }
}

impl Sink for StdStream {
    #[inline]
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| self.put(line))
    }

    fn properties(&self) -> SinkProperties {
        let is_terminal = match self.which {
            Which::Stdout => io::stdout().is_terminal(),
            Which::Stderr => io::stderr().is_terminal(),
        };
        SinkProperties { is_terminal, ..SinkProperties::default() }
    }
}

/// Each `write` takes one record, whole, or fails.
impl Write for &StdStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As for `&StdStream`.
impl Write for StdStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map(|()| bytes.len())
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

/// What is known of a stream; all handlers of the process that write to it share it. Changed under std's lock only.
struct State {
    tail: Tail,
    /// It took nothing until the deadline of an earlier record.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only unix knows how to wait for it"))]
    stuck: AtomicBool,
}

impl State {
    const fn new() -> Self {
        Self { tail: Tail::new(false), stuck: AtomicBool::new(false) }
    }
}

static STDOUT: State = State::new();
static STDERR: State = State::new();

#[cfg(unix)]
mod sys {
    use std::os::fd::AsFd;

    use super::*;
    use crate::{
        patience::{Patience, relieve},
        sink::line,
    };

    pub(super) fn put(
        stream: &impl AsFd,
        mut lock: impl Write,
        state: &State,
        deadline: Duration,
        record: &[u8],
    ) -> io::Result<()> {
        let fd = stream.as_fd();
        let mut patience = Patience::new(&state.stuck, deadline);
        line::flush(|| patience.insist(fd, || lock.flush()))?;
        state.tail.write(record, |bytes| {
            let count = patience.insist(fd, || rustix::io::write(fd, bytes).map_err(io::Error::from))?;
            relieve(&state.stuck);
            Ok(count)
        })
    }
}

#[cfg(not(unix))]
mod sys {
    use super::*;
    use crate::sink::line;

    pub(super) fn put<S>(_: &S, mut lock: impl Write, state: &State, _: Duration, record: &[u8]) -> io::Result<()> {
        state.tail.write(record, |bytes| lock.write(bytes))?;
        line::flush(|| lock.flush())
    }
}
