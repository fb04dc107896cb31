//! UTC offsets of a time zone.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

/// A zone with a cache of the offset of the last minute: offsets change on whole minutes.
#[derive(Debug)]
pub(super) struct Offsets {
    pub(super) zone: TimeZone,
    /// Minute since 1970 in the upper half, offset in seconds in the lower.
    last: AtomicU64,
}

/// 1973-01-01. Before it there were changes within a minute (the last: Liberia, 1972-01-07 00:44:30 UTC).
pub(super) const WHOLE_MINUTES: i64 = 94_694_400;

impl Offsets {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, last: AtomicU64::new(u64::MAX) }
    }

    /// Seconds east of Greenwich.
    #[inline]
    pub(super) fn at(&self, seconds: i64) -> i32 {
        // `LAST` is minute 4,223,371,679, so all of them fit and `u64::MAX` is none of them.
        let minute = (seconds / 60) as u64;
        let last = self.last.load(Ordering::Relaxed);
        if last >> 32 == minute && seconds >= WHOLE_MINUTES {
            return last as u32 as i32;
        }
        self.look_up(seconds, minute)
    }

    #[cold]
    fn look_up(&self, seconds: i64, minute: u64) -> i32 {
        let offset = Offset::seconds(self.zone.to_offset(timestamp(seconds, 0)));
        if seconds >= WHOLE_MINUTES {
            self.last.store(minute << 32 | u64::from(offset as u32), Ordering::Relaxed);
        }
        offset
    }
}

pub(super) fn timestamp(seconds: i64, nanos: u32) -> Timestamp {
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(seconds, nanos as i32).unwrap_or(nearest)
}
