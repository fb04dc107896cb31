//! Complete lines: no two records share one, also after a write that failed midway.

use std::{
    io, mem,
    sync::atomic::{AtomicBool, Ordering},
};

/// A write that failed, and how many bytes were written before.
#[derive(Debug)]
pub(crate) struct PartialWrite {
    pub(crate) written: usize,
    pub(crate) error: io::Error,
}

/// Writes all bytes; continues after short writes and retries interrupted ones.
#[inline]
pub(crate) fn write_all(bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<(), PartialWrite> {
    let mut written = 0;
    while written < bytes.len() {
        match write(&bytes[written..]) {
            Ok(0) => return Err(PartialWrite { written, error: io::ErrorKind::WriteZero.into() }),
            // A user's writer may claim more than it was given.
            Ok(count) => written = written.saturating_add(count).min(bytes.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(PartialWrite { written, error }),
        }
    }
    Ok(())
}

/// Flushes; retries an interrupted flush.
#[inline]
pub(crate) fn flush(mut flush: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Remembers whether the output ends in the middle of a line.
#[derive(Debug)]
pub(crate) struct LineState(AtomicBool);

impl LineState {
    pub(crate) const fn new(ends_mid_line: bool) -> Self {
        Self(AtomicBool::new(ends_mid_line))
    }

    #[inline]
    pub(crate) fn ends_mid_line(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, ends_mid_line: bool) {
        self.0.store(ends_mid_line, Ordering::Release);
    }

    /// Writes a record; begins with a line break if the output ends mid-line.
    #[inline]
    pub(crate) fn write(&self, record: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        if self.ends_mid_line() {
            return self.write_as_is(&[b"\n", record].concat(), write);
        }
        self.write_as_is(record, write)
    }

    /// Writes a record, or the rest of one, without a line break before it.
    #[inline]
    pub(crate) fn write_as_is(&self, line: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        // If `write` panics, it is unknown how much was written.
        let panicking = MarkOnPanic(self);
        let result = write_all(line, write);
        mem::forget(panicking);
        match result {
            Ok(()) => {
                if self.ends_mid_line() {
                    self.set(false);
                }
                Ok(())
            }
            Err(PartialWrite { written, error }) => {
                if let Some(last) = written.checked_sub(1) {
                    self.set(line[last] != b'\n');
                }
                Err(error)
            }
        }
    }
}

struct MarkOnPanic<'a>(&'a LineState);

impl Drop for MarkOnPanic<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Accepts `takes[n]` bytes at the nth write; 0 fails, and so does each write after the list.
    fn through(line_state: &LineState, takes: &[usize], record: &[u8], out: &mut Vec<u8>) -> bool {
        let mut takes = takes.iter();
        let write = |bytes: &[u8]| match takes.next() {
            Some(0) | None => Err(io::ErrorKind::StorageFull.into()),
            Some(&count) => {
                let count = count.min(bytes.len());
                out.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        };
        line_state.write(record, write).is_ok()
    }

    #[test]
    fn t41_short_writes_are_completed() {
        let (line_state, mut out) = (LineState::new(false), Vec::new());
        assert!(through(&line_state, &[1, 2, 99], b"record\n", &mut out));
        assert_eq!(out, b"record\n");
        assert!(!line_state.ends_mid_line());
    }

    #[test]
    fn t41_a_torn_tail_is_marked_by_a_line_break() {
        let (line_state, mut out) = (LineState::new(false), Vec::new());
        assert!(!through(&line_state, &[3, 0], b"record\n", &mut out));
        assert!(line_state.ends_mid_line());
        assert!(!through(&line_state, &[0], b"nothing\n", &mut out));
        assert!(through(&line_state, &[99], b"next\n", &mut out));
        assert_eq!(out, b"rec\nnext\n");
        assert!(!line_state.ends_mid_line());
    }

    #[test]
    fn t41_a_line_break_that_came_alone_is_enough() {
        let (line_state, mut out) = (LineState::new(true), Vec::new());
        assert!(!through(&line_state, &[1, 0], b"lost\n", &mut out));
        assert!(!line_state.ends_mid_line());
        assert!(through(&line_state, &[99], b"next\n", &mut out));
        assert_eq!(out, b"\nnext\n");
    }

    #[test]
    fn t41_after_a_panic_the_tail_counts_as_torn() {
        let line_state = LineState::new(false);
        let result = catch_unwind(AssertUnwindSafe(|| line_state.write(b"record\n", |_| panic!("scripted"))));
        assert!(result.is_err());
        assert!(line_state.ends_mid_line());
    }

    #[test]
    fn a_writer_that_takes_nothing_or_too_much() {
        let line_state = LineState::new(false);
        assert_eq!(line_state.write(b"a\n", |_| Ok(0)).unwrap_err().kind(), io::ErrorKind::WriteZero);
        assert!(line_state.write(b"a\n", |_| Ok(usize::MAX)).is_ok());
    }
}
