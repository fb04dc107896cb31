//! Times in whole seconds since 1970.

use std::{
    cell::Cell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

thread_local! {
    /// The last computed second: when it begins and ends, and its value. Comparing is cheaper than computing.
    static LAST: Cell<(SystemTime, SystemTime, i64)> = const { Cell::new((UNIX_EPOCH, UNIX_EPOCH, 0)) };
}

#[inline]
pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    let (from, until, second) = LAST.get();
    if from <= time && time < until { second } else { unix_seconds_uncached(time) }
}

#[cold]
fn unix_seconds_uncached(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => {
            let from = UNIX_EPOCH.checked_add(Duration::from_secs(since.as_secs()));
            if let Some((from, until)) = from.and_then(|from| Some((from, from.checked_add(Duration::from_secs(1))?))) {
                LAST.set((from, until, whole(since)));
            }
            whole(since)
        }
        Err(before) => -whole(before.duration()) - 1,
    }
}

fn whole(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_those_of_any_time_in_any_order() {
        let second = Duration::from_secs(1);
        let after = |nanos: u64| UNIX_EPOCH + Duration::from_nanos(nanos);
        for _ in 0..2 {
            for (time, expected) in [
                (after(0), 0),
                (after(999_999_999), 0),
                (after(1_000_000_000), 1),
                (after(1_999_999_999), 1),
                (UNIX_EPOCH - Duration::from_nanos(1), -1),
                (UNIX_EPOCH - second, -2),
                (after(500), 0),
                (UNIX_EPOCH + Duration::from_secs(1 << 40), 1 << 40),
                (after(1_500_000_000), 1),
            ] {
                assert_eq!(unix_seconds(time), expected, "{time:?}");
                assert_eq!(unix_seconds(time), expected, "{time:?}");
            }
        }
    }
}
