//! A reading of a queue.

use std::{fmt, time::Duration};

use super::LossCounts;
use crate::{Record, Severity};

/// A reading of a queue. Made by [`Queue::stats`](super::Queue::stats) and
/// [`WorkerGuard::stats`](super::WorkerGuard::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Records that wait or are being handled.
    pub depth: usize,
    /// The highest `depth` seen; never falls.
    pub high_water: usize,
    /// The size of those records, in bytes, each with its spans
    /// ([`max_bytes`](super::QueueBuilder::max_bytes)).
    pub bytes: usize,
    /// The highest `bytes` seen; never falls.
    pub bytes_high_water: usize,
    /// The age of the record that has waited longest; `None` if none waits.
    pub oldest_age: Option<Duration>,
    /// Records that did not fit, or were left at a shutdown.
    pub lost: LossCounts,
    /// How often a caller had to wait ([`Overflow::Block`](super::Overflow::Block)).
    pub blocked_sends: u64,
    /// The fraction of the last ten to twenty seconds that the worker was busy, handling, flushing or reporting: 0.0 to
    /// 1.0. (The current window of ten seconds so far and the one before, counted from its start; its whole life in the
    /// first ten.)
    pub busy: f64,
}

impl QueueStats {
    /// "queue health"
    pub(super) fn to_record(self, target: &str, queue: &str) -> Record {
        let mut record = Record::new(Severity::INFO, target, "queue health");
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        record.set("queue", queue);
        record.set("depth", number(self.depth));
        record.set("high_water", number(self.high_water));
        record.set("bytes", number(self.bytes));
        record.set("bytes_high_water", number(self.bytes_high_water));
        if let Some(age) = self.oldest_age {
            record.set("oldest_ms", u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        }
        self.lost.set_on(&mut record);
        record.set("waits", self.blocked_sends);
        record.set("busy", self.busy);
        record
    }
}

/// `depth 3 (high water 812), 1204 bytes, oldest 7 ms, lost 0, waits 2, busy 12 %`: without `oldest` where none waits,
/// without `waits` where nobody had to.
impl fmt::Display for QueueStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth, high_water, bytes, oldest_age, lost, blocked_sends, busy, .. } = self;
        write!(f, "depth {depth} (high water {high_water}), {bytes} bytes")?;
        if let Some(age) = oldest_age {
            write!(f, ", oldest {} ms", age.as_millis())?;
        }
        write!(f, ", lost {}", lost.total())?;
        if *blocked_sends > 0 {
            write!(f, ", waits {blocked_sends}")?;
        }
        write!(f, ", busy {:.0} %", busy * 100.0)
    }
}
