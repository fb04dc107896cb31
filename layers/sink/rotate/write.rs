//! Writing records, one by one or many at once, and rotating between them.

use std::{io, sync::atomic::Ordering};

use super::{
    super::{Lines, Sink as _},
    rotation::Step,
    rotator::{MAX_ATTEMPTS, Rotator, SIZE_UNKNOWN},
    unix_time::unix_seconds,
};

impl Rotator {
    /// A buffer batches by itself, and a file that other processes may rotate is checked for each record.
    pub(super) fn supports_batching(&self) -> bool {
        !self.is_shared() && self.base.properties().supports_batching
    }

    /// Writes all lines, into the same files as one by one.
    #[inline]
    pub(super) fn write_all(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        while !lines.is_empty() {
            if lines.len() > 1 && self.supports_batching() && self.write_batch(lines)? {
                continue;
            }
            // Perhaps it does not go into the open file.
            let result = self.write_next(lines);
            self.base.after_write(usize::from(result.is_ok()));
            result?;
        }
        Ok(())
    }

    /// Writes the first lines, as many as go into the open file. Returns whether there were any.
    fn write_batch(&self, lines: &mut Lines<'_>) -> io::Result<bool> {
        let before = lines.len();
        // The clock may be user code, so it is not asked while the file is locked.
        let clock = match (&self.settings.schedule, &self.settings.clock) {
            // The time is not used.
            (None, _) => Some(0),
            (Some(_), clock) => clock.as_ref().map(|clock| unix_seconds(clock.now())),
        };
        let ((_, from, ends), times) = (lines.rest(), lines.times());
        let admit = || {
            let mut from = from;
            let admitted = ends.iter().zip(times).take_while(|(end, time)| {
                let len = (**end - from) as u64;
                from = **end;
                self.reserve(len, clock.unwrap_or_else(|| unix_seconds(**time)))
            });
            admitted.count()
        };
        let result = self.base.write_batch_if(lines, admit);
        let written = before - lines.len();
        // Before a rotation, so that the right file is synced.
        self.base.after_write(written);
        result.map(|()| written > 0).map_err(|error| self.size_unknown(error))
    }

    /// Writes the first line.
    #[inline]
    fn write_next(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let Some((record, time)) = lines.first() else { return Ok(()) };
        let len = record.len() as u64;
        let now = match (&self.settings.schedule, &self.settings.clock) {
            (None, _) => 0,
            (Some(_), Some(clock)) => unix_seconds(clock.now()),
            // The record's time costs nothing.
            (Some(_), None) => unix_seconds(time),
        };
        if self.is_shared() {
            return self.write_shared(lines, len, now);
        }
        match self.base.write_if(lines, || self.reserve(len, now)) {
            Ok(true) => Ok(()),
            Ok(false) => self.rotate_and_write(lines, len, now),
            Err(error) => Err(self.size_unknown(error)),
        }
    }

    /// Whether a record goes into the open file. If so, counts its size.
    #[inline]
    pub(super) fn reserve(&self, len: u64, now: i64) -> bool {
        if now < self.valid_from.load(Ordering::Relaxed) || now >= self.valid_until.load(Ordering::Relaxed) {
            return false;
        }
        if self.max_bytes == u64::MAX {
            return true;
        }
        let before = self.size.fetch_add(len, Ordering::Relaxed);
        if self.fits(before, len) {
            return true;
        }
        self.size.fetch_sub(len, Ordering::Relaxed);
        false
    }

    /// A file stays below the limit, except that an empty file takes one longer record.
    #[inline]
    pub(super) fn fits(&self, size: u64, len: u64) -> bool {
        let len = if self.settings.fills_up { 0 } else { len };
        size == 0 || size.saturating_add(len) < self.max_bytes || self.is_excluded.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn size_unknown(&self, error: io::Error) -> io::Error {
        self.size.store(SIZE_UNKNOWN, Ordering::Relaxed);
        error
    }

    #[cold]
    fn rotate_and_write(&self, lines: &mut Lines<'_>, len: u64, now: i64) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            let Step::Retry = self.rotate(Some((len, now))) else { break };
            if self.base.write_if(lines, || self.reserve(len, now)).map_err(|error| self.size_unknown(error))? {
                return Ok(());
            }
        }
        // Into the open file, whatever its size and the time.
        let count = || {
            self.size.fetch_add(len, Ordering::Relaxed);
            true
        };
        self.base.write_if(lines, count).map(drop).map_err(|error| self.size_unknown(error))
    }
}
