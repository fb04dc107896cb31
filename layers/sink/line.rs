//! Whole lines: what it takes that no two records share one.

use std::{
    io, mem,
    sync::atomic::{AtomicBool, Ordering},
};

/// How far a write came before it failed.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) written: usize,
    pub(super) error: io::Error,
}

/// Writes all bytes: what a short write left follows at once, an interrupted write is repeated.
#[inline]
pub(super) fn write_all(bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<(), Cut> {
    let mut written = 0;
    while written < bytes.len() {
        match write(&bytes[written..]) {
            Ok(0) => return Err(Cut { written, error: io::ErrorKind::WriteZero.into() }),
            // A user's writer may claim more than it was given.
            Ok(count) => written = written.saturating_add(count).min(bytes.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Cut { written, error }),
        }
    }
    Ok(())
}

/// Flushes; an interrupted flush is repeated.
#[inline]
pub(super) fn flush(mut flush: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match flush() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Remembers whether a place ends in a part of a record.
#[derive(Debug)]
pub(super) struct Tail(AtomicBool);

impl Tail {
    pub(super) const fn new(torn: bool) -> Self {
        Self(AtomicBool::new(torn))
    }

    #[inline]
    pub(super) fn is_torn(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, torn: bool) {
        self.0.store(torn, Ordering::Release);
    }

    /// Writes a record; after a torn one it begins with a line break.
    #[inline]
    pub(super) fn write(&self, record: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        if self.is_torn() {
            return self.finish(&[b"\n", record].concat(), write);
        }
        self.finish(record, write)
    }

    /// Writes the rest of what is begun, or all of what is not.
    #[inline]
    pub(super) fn finish(&self, line: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        // Should `write` panic, nobody knows how far it came.
        let panicking = TearOnDrop(self);
        let result = write_all(line, write);
        mem::forget(panicking);
        match result {
            Ok(()) => {
                if self.is_torn() {
                    self.set(false);
                }
                Ok(())
            }
            Err(Cut { written, error }) => {
                if let Some(last) = written.checked_sub(1) {
                    self.set(line[last] != b'\n');
                }
                Err(error)
            }
        }
    }
}

struct TearOnDrop<'a>(&'a Tail);

impl Drop for TearOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Takes `takes[n]` bytes at the nth write; 0 fails, and so does what is not listed.
    fn through(tail: &Tail, takes: &[usize], record: &[u8], out: &mut Vec<u8>) -> bool {
        let mut takes = takes.iter();
        let write = |bytes: &[u8]| match takes.next() {
            Some(0) | None => Err(io::ErrorKind::StorageFull.into()),
            Some(&count) => {
                let count = count.min(bytes.len());
                out.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        };
        tail.write(record, write).is_ok()
    }

    #[test]
    fn t41_short_writes_are_completed() {
        let (tail, mut out) = (Tail::new(false), Vec::new());
        assert!(through(&tail, &[1, 2, 99], b"record\n", &mut out));
        assert_eq!(out, b"record\n");
        assert!(!tail.is_torn());
    }

    #[test]
    fn t41_a_torn_tail_is_marked_by_a_line_break() {
        let (tail, mut out) = (Tail::new(false), Vec::new());
        assert!(!through(&tail, &[3, 0], b"record\n", &mut out));
        assert!(tail.is_torn());
        assert!(!through(&tail, &[0], b"nothing\n", &mut out));
        assert!(through(&tail, &[99], b"next\n", &mut out));
        assert_eq!(out, b"rec\nnext\n");
        assert!(!tail.is_torn());
    }

    #[test]
    fn t41_a_line_break_that_came_alone_is_enough() {
        let (tail, mut out) = (Tail::new(true), Vec::new());
        assert!(!through(&tail, &[1, 0], b"lost\n", &mut out));
        assert!(!tail.is_torn());
        assert!(through(&tail, &[99], b"next\n", &mut out));
        assert_eq!(out, b"\nnext\n");
    }

    #[test]
    fn t41_after_a_panic_the_tail_counts_as_torn() {
        let tail = Tail::new(false);
        let result = catch_unwind(AssertUnwindSafe(|| tail.write(b"record\n", |_| panic!("scripted"))));
        assert!(result.is_err());
        assert!(tail.is_torn());
    }

    #[test]
    fn a_writer_that_takes_nothing_or_too_much() {
        let tail = Tail::new(false);
        assert_eq!(tail.write(b"a\n", |_| Ok(0)).unwrap_err().kind(), io::ErrorKind::WriteZero);
        assert!(tail.write(b"a\n", |_| Ok(usize::MAX)).is_ok());
    }
}
