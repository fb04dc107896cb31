//! Lines on their way to a sink, and whose they are.

use std::{
    fmt, io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use super::Written;
use crate::{
    fork::ForkRwLock,
    ledger::{End, Ledger, Receipt, Receipts},
};

/// Whole records, one after the other, of which a sink says what becomes of each, in order. Given to
/// [`Sink::write_lines`](super::Sink::write_lines).
pub struct Lines<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    times: &'a [SystemTime],
    /// How many are done.
    done: usize,
    /// How many of those were written, since the owner was last told of any.
    written: usize,
    owner: Option<&'a mut (dyn Owner + 'a)>,
}

/// Whose lines they are.
pub(crate) trait Owner {
    /// The first ones that have not ended did so. May be called under a sink's lock: receipts are ended later.
    fn end(&mut self, count: usize, end: End);

    /// The duty of the first one that has not ended.
    fn hold(&mut self, receipts: &mut Receipts);

    fn ledger(&self) -> Option<Arc<Ledger>>;
}

impl<'a> Lines<'a> {
    /// Lines of no handler: where each ends in `bytes`, and when each was made.
    ///
    /// # Panics
    /// There are not as many times as ends, or the ends are not ascending, or beyond the bytes.
    pub fn new(bytes: &'a [u8], ends: &'a [usize], times: &'a [SystemTime]) -> Self {
        assert!(
            ends.len() == times.len() && ends.is_sorted() && ends.last().is_none_or(|last| *last <= bytes.len()),
            "lines: expected an end within the bytes and a time for each, ascending"
        );
        Self { bytes, ends, times, done: 0, written: 0, owner: None }
    }

    /// Those behind the first `done`.
    #[inline]
    pub(crate) fn of(
        owner: &'a mut (dyn Owner + 'a),
        bytes: &'a [u8],
        ends: &'a [usize],
        times: &'a [SystemTime],
        done: usize,
    ) -> Self {
        Self { bytes, ends, times, done, written: 0, owner: Some(owner) }
    }

    /// How many are not done.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len() - self.done
    }

    /// Whether all are done.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn from(&self) -> usize {
        self.done.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// The first one that is not done, and when it was made.
    #[inline]
    pub fn first(&self) -> Option<(&'a [u8], SystemTime)> {
        let (end, time) = (self.ends.get(self.done)?, self.times.get(self.done)?);
        Some((&self.bytes[self.from()..*end], *time))
    }

    /// All that are not done: the bytes, from where they begin there, and where each ends.
    #[inline]
    pub fn rest(&self) -> (&'a [u8], usize, &'a [usize]) {
        (self.bytes, self.from(), &self.ends[self.done..])
    }

    /// When those were made that are not done.
    #[inline]
    pub fn times(&self) -> &'a [SystemTime] {
        &self.times[self.done..]
    }

    /// The first ones that are not done are at their place.
    #[inline]
    pub fn written(&mut self, count: usize) {
        let count = count.min(self.len());
        self.done += count;
        self.written += count;
    }

    /// The first ones that are not done were given up on purpose.
    pub fn dropped(&mut self, count: usize) {
        let count = count.min(self.len());
        self.tell_owner();
        self.done += count;
        if let Some(owner) = &mut self.owner {
            owner.end(count, End::Dropped);
        }
    }

    // --- within the crate

    #[inline]
    pub(crate) fn write_each(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<Written>) -> io::Result<()> {
        while let Some((line, _)) = self.first() {
            match write(line)? {
                Written::Through => self.written(1),
                Written::Dropped => self.dropped(1),
            }
        }
        Ok(())
    }

    /// The duty of the first one that is not done, which counts as done: the sink holds it.
    #[inline]
    pub(crate) fn hold(&mut self, receipts: &mut Receipts) {
        if self.written > 0 {
            self.tell_owner();
        }
        self.done += usize::from(!self.is_empty());
        match &mut self.owner {
            Some(owner) => owner.hold(receipts),
            None => receipts.push(Receipt::on(None)),
        }
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        self.owner.as_ref()?.ledger()
    }

    /// How many are done, and how many of these were written at last, which the owner was not told.
    #[inline]
    pub(crate) fn done(self) -> (usize, usize) {
        (self.done, self.written)
    }

    #[cold]
    fn tell_owner(&mut self) {
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

/// One line of no handler. What the sink holds of it counts as written.
pub(super) fn write_one(
    bytes: &[u8],
    write_lines: impl FnOnce(&mut Lines<'_>) -> io::Result<()>,
) -> io::Result<Written> {
    let now = SystemTime::now();
    // No record has looked on the way here.
    crate::fork::poll(Some(now));
    write_lines(&mut Lines::new(bytes, &[bytes.len()], &[now])).map(|()| Written::Through)
}

/// Whom a sink tells of what cost no record: the handler whose lines came first, as long as that is there.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    is_known: AtomicBool,
    ledger: ForkRwLock<Weak<Ledger>>,
}

impl Teller {
    /// Notices whose lines come.
    #[inline]
    pub(crate) fn notice(&self, ledger: impl FnOnce() -> Option<Arc<Ledger>>) {
        if !self.is_known.load(Ordering::Relaxed)
            && let Some(ledger) = ledger()
        {
            self.ledger.set(Arc::downgrade(&ledger));
            self.is_known.store(true, Ordering::Release);
        }
    }

    pub(crate) fn ledger(&self) -> Option<Arc<Ledger>> {
        let ledger = self.ledger.get().upgrade();
        if ledger.is_none() {
            self.is_known.store(false, Ordering::Relaxed);
        }
        ledger
    }
}
