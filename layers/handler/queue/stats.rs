//! How a queue is doing.

use std::{fmt, time::Duration};

use super::LossCounts;
use crate::{Record, Severity};

/// A reading of a queue. Made by [`Queue::stats`](super::Queue::stats) and
/// [`WorkerGuard::stats`](super::WorkerGuard::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Records that wait, or are in the listener's hands.
    pub depth: usize,
    /// The most that `depth` has been seen to be; never falls.
    pub high_water: usize,
    /// What the waiting records take, in bytes, each with its spans
    /// ([`max_bytes`](super::QueueBuilder::max_bytes)).
    pub bytes: usize,
    /// The most that `bytes` has been seen to be; never falls.
    pub bytes_high_water: usize,
    /// How long ago the record was captured that has waited longest; `None` if none waits.
    pub oldest_age: Option<Duration>,
    /// Records that found no room, or were left at a shutdown.
    pub lost: LossCounts,
    /// How often a caller had to wait for room ([`Overflow::Block`](super::Overflow::Block)).
    pub blocked_sends: u64,
    /// Which part of the last ten to twenty seconds the listener has been at work, handling, flushing or telling of itself:
    /// 0.0 to 1.0. (Of the present ten seconds, as far as they have gone by, and the ten before, counted from its start;
    /// of its whole life in the first ten.)
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

/// `depth 3 (high water 812), 1204 bytes, oldest 7 ms, lost 0, waits 2, busy 12 %`: without `oldest` where none waits, without
/// `waits` where nobody had to.
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
