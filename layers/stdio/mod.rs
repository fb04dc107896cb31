//! Standard output and standard error, one complete record at a time; complete lines, and waits for full streams.

pub(crate) mod line_state;
#[cfg(unix)]
pub(crate) mod write_wait;

use std::{
    io::{self, Write},
    sync::atomic::AtomicBool,
    time::Duration,
};

use self::line_state::LineState;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Stdout,
    Stderr,
}

/// Writes one complete record.
pub(crate) fn write_record(which: Which, timeout: Duration, record: &[u8]) -> io::Result<()> {
    // No user code runs while std's lock is held.
    match which {
        Which::Stdout => {
            let stream = io::stdout();
            sys::write_record(&stream, stream.lock(), &STDOUT, timeout, record)
        }
        Which::Stderr => {
            let stream = io::stderr();
            sys::write_record(&stream, stream.lock(), &STDERR, timeout, record)
        }
    }
}

/// Writes a line to stderr and ignores failures: the last resort for reports, which must never fail, wait or recurse.
pub(crate) fn stderr_line(line: &str) {
    let line = [line.as_bytes(), b"\n"].concat();
    // If stderr fails, there is nowhere left to report it.
    write_record(Which::Stderr, Duration::ZERO, &line).unwrap_or_default();
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

    use super::write_wait::{WriteWait, clear_stuck};
    use super::*;

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
