//! Lines for a sink, and the receipts that belong to them.

use std::{fmt, io, sync::Arc, time::SystemTime};

use super::Sink;
use crate::ledger::{End, Ledger, Receipt, Receipts};

/// Complete lines for [`Sink::write`], which marks each, in order, as written or dropped.
pub struct Lines<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    times: &'a [SystemTime],
    done: usize,
    /// How many of the done ones were written and not reported to the owner yet.
    written: usize,
    owner: Option<&'a mut (dyn LineOwner + 'a)>,
}

/// Owns the receipts of lines.
pub(crate) trait LineOwner {
    /// The first `count` open lines have ended. Perhaps called under a sink's lock, so receipts must end later.
    fn end(&mut self, count: usize, end: End);

    /// Moves the receipt of the first open line to the sink.
    fn take_receipt(&mut self, receipts: &mut Receipts);

    fn ledger(&self) -> Option<Arc<Ledger>>;
}

impl<'a> Lines<'a> {
    /// Lines outside of any handler: where each ends in `bytes`, and when each was made.
    ///
    /// # Panics
    /// If there are not as many times as ends, or the ends do not ascend or lie beyond the bytes.
    pub fn new(bytes: &'a [u8], ends: &'a [usize], times: &'a [SystemTime]) -> Self {
        assert!(
            ends.len() == times.len() && ends.is_sorted() && ends.last().is_none_or(|last| *last <= bytes.len()),
            "lines: expected an end within the bytes and a time for each, ascending"
        );
        Self { bytes, ends, times, done: 0, written: 0, owner: None }
    }

    /// The lines after the first `done`.
    #[inline]
    pub(crate) fn of(
        owner: &'a mut (dyn LineOwner + 'a),
        bytes: &'a [u8],
        ends: &'a [usize],
        times: &'a [SystemTime],
        done: usize,
    ) -> Self {
        Self { bytes, ends, times, done, written: 0, owner: Some(owner) }
    }

    /// How many lines are not done.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len() - self.done
    }

    /// Whether all lines are done.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn start(&self) -> usize {
        self.done.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// The first line that is not done, and when it was made.
    #[inline]
    pub fn first(&self) -> Option<(&'a [u8], SystemTime)> {
        let (end, time) = (self.ends.get(self.done)?, self.times.get(self.done)?);
        Some((&self.bytes[self.start()..*end], *time))
    }

    /// All lines that are not done: the bytes, where the first begins in them, and where each ends.
    #[inline]
    pub fn rest(&self) -> (&'a [u8], usize, &'a [usize]) {
        (self.bytes, self.start(), &self.ends[self.done..])
    }

    /// When the lines that are not done were made.
    #[inline]
    pub fn times(&self) -> &'a [SystemTime] {
        &self.times[self.done..]
    }

    /// Marks the first `count` lines that are not done as written.
    #[inline]
    pub fn written(&mut self, count: usize) {
        let count = count.min(self.len());
        self.done += count;
        self.written += count;
    }

    /// Marks the first `count` lines that are not done as dropped on purpose.
    pub fn dropped(&mut self, count: usize) {
        let count = count.min(self.len());
        self.report_written();
        self.done += count;
        if let Some(owner) = &mut self.owner {
            owner.end(count, End::Dropped);
        }
    }

    /// Writes one line after the other, for sinks that take them one by one.
    ///
    /// # Errors
    /// That of the first line that fails; the lines after it are not tried.
    #[inline]
    pub fn write_each(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        while let Some((line, _)) = self.first() {
            write(line)?;
            self.written(1);
        }
        Ok(())
    }

    /// Takes the receipt of the first line that is not done: the sink buffers the line, which is done here.
    #[inline]
    pub(crate) fn take_receipt(&mut self, receipts: &mut Receipts) {
        if self.written > 0 {
            self.report_written();
        }
        self.done += usize::from(!self.is_empty());
        match &mut self.owner {
            Some(owner) => owner.take_receipt(receipts),
            None => receipts.push(Receipt::on(None)),
        }
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.owner.as_ref()?.ledger()
    }

    /// How many lines are done, and how many of these were written and not reported to the owner.
    #[inline]
    pub(crate) fn done(self) -> (usize, usize) {
        (self.done, self.written)
    }

    #[cold]
    fn report_written(&mut self) {
        let written = std::mem::take(&mut self.written);
        if let Some(owner) = self.owner.as_mut().filter(|_| written > 0) {
            owner.end(written, End::Written);
        }
    }
}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Writes one line to a sink outside of any handler, for example in a test of the sink. No ledger counts it.
///
/// # Errors
/// As for [`Sink::write`].
pub fn write_line(sink: &(impl Sink + ?Sized), line: &[u8]) -> io::Result<()> {
    with_line(line, |lines| sink.write(lines))
}

/// A line outside of any handler. What the sink buffers of it counts as written.
pub(super) fn with_line(line: &[u8], write: impl FnOnce(&mut Lines<'_>) -> io::Result<()>) -> io::Result<()> {
    let now = SystemTime::now();
    // No record has checked for a fork on the way here.
    crate::fork::poll(Some(now));
    write(&mut Lines::new(line, &[line.len()], &[now]))
}
