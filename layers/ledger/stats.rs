//! A reading of a ledger.

use std::fmt;

/// A reading of a [`Ledger`](super::Ledger), in records unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The operating system took all bytes, or the handler says so.
    pub written: u64,
    /// Refused by the handler's own level or filters.
    pub filtered: u64,
    /// Dropped by an overflow policy, because the handler itself emitted it, or with its [receipt](super::Receipt).
    pub dropped: u64,
    /// Lost to an error or a panic. The error handler got each error.
    pub failed: u64,
    /// In a buffer or a queue, not yet written.
    pub queued: u64,
    /// Of all accepted, those with a value that was cut, panicked or failed to print.
    pub marked: u64,
    /// Errors that came without a record: of a flush, a rotation or a compression. The error handler got them.
    pub other_errors: u64,
    /// Of those written, the ones written by a [fallback](crate::HandlerExt::fallback), which has a ledger of its own.
    pub fallback_written: u64,
}

impl Stats {
    /// Adds another reading.
    #[cfg(feature = "metrics")]
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { written, filtered, dropped, failed, queued, marked, other_errors, fallback_written } = *other;
        self.written += written;
        self.filtered += filtered;
        self.dropped += dropped;
        self.failed += failed;
        self.queued += queued;
        self.marked += marked;
        self.other_errors += other_errors;
        self.fallback_written += fallback_written;
    }

    /// All records that the handler got: `written + filtered + dropped + failed + queued`.
    pub fn accepted(&self) -> u64 {
        self.written + self.filtered + self.dropped + self.failed + self.queued
    }
}

/// `12 accepted: 10 written, 1 filtered, 0 dropped, 1 failed, 0 queued`
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, filtered, dropped, failed, queued, marked, other_errors, fallback_written } = self;
        let accepted = self.accepted();
        write!(
            f,
            "{accepted} accepted: {written} written, {filtered} filtered, {dropped} dropped, {failed} failed, {queued} queued"
        )?;
        if *marked > 0 {
            write!(f, " ({marked} with marked values)")?;
        }
        if *fallback_written > 0 {
            write!(f, " ({fallback_written} by a fallback)")?;
        }
        if *other_errors > 0 { write!(f, " ({other_errors} other errors)") } else { Ok(()) }
    }
}
