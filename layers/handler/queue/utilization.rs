//! How busy the worker of a queue is.

use std::time::{Duration, Instant, SystemTime};

use crate::handler::worker::Capacity;

/// [`QueueStats::busy`](super::QueueStats::busy) covers the current window and the one before.
const WINDOW: Duration = Duration::from_secs(10);

pub(super) struct Utilization {
    /// The start of the current window.
    began: Instant,
    /// How long the worker was busy in it, until `seen`.
    worked: Duration,
    /// The same for the window before; none at first.
    before: Option<Duration>,
    /// The time is counted up to here.
    seen: Instant,
    is_at_work: bool,
    high_water: Capacity,
    /// The time of the oldest record that the worker has taken out and not handled.
    pub(super) oldest_in_hand: Option<SystemTime>,
}

impl Utilization {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            worked: Duration::ZERO,
            before: None,
            seen: now,
            is_at_work: false,
            high_water: Capacity::default(),
            oldest_in_hand: None,
        }
    }

    /// Raises the high water to what is held now, if that is more.
    pub(super) fn observe(&mut self, held: Capacity) {
        self.high_water.raise_to(held);
    }

    pub(super) fn high_water(&self) -> Capacity {
        self.high_water
    }

    #[inline]
    pub(super) fn begin_work(&mut self, now: impl FnOnce() -> Instant) {
        if !self.is_at_work {
            self.advance(now());
            self.is_at_work = true;
        }
    }

    #[inline]
    pub(super) fn end_work(&mut self, now: impl FnOnce() -> Instant) {
        if self.is_at_work {
            self.advance(now());
            self.is_at_work = false;
        }
    }

    /// The busy part of the current window and the one before: 0.0 to 1.0.
    pub(super) fn busy(&mut self, now: Instant) -> f64 {
        self.advance(now);
        let lasted = self.before.map_or(Duration::ZERO, |_| WINDOW) + (self.seen - self.began);
        let worked = self.before.unwrap_or_default() + self.worked;
        (worked.as_secs_f64() / lasted.as_secs_f64().max(1e-9)).min(1.0)
    }

    /// Counts the time until now.
    fn advance(&mut self, now: Instant) {
        // Another thread may have looked at the clock a little earlier.
        let now = now.max(self.seen);
        let mut is_first = true;
        loop {
            let left = now - self.began;
            if left < WINDOW {
                break;
            }
            if !is_first && left >= 3 * WINDOW {
                // Skips windows in which nothing changed: each is like the next.
                let windows = left.as_secs() / WINDOW.as_secs();
                self.began += WINDOW * u32::try_from(windows - 2).unwrap_or(u32::MAX);
                self.seen = self.began;
            }
            let end = self.began + WINDOW;
            self.count(end);
            self.before = Some(std::mem::take(&mut self.worked));
            self.began = end;
            is_first = false;
        }
        self.count(now);
    }

    fn count(&mut self, until: Instant) {
        if self.is_at_work {
            self.worked += until - self.seen;
        }
        self.seen = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meter that was at work in these spans of seconds, and how busy it is at the end of that time, in millionths.
    fn busy(work: &[(f64, f64)], now: f64) -> u64 {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut utilization = Utilization::new(start);
        for &(from, to) in work {
            utilization.begin_work(|| at(from));
            // Further batches of the same work.
            utilization.begin_work(|| at(from + 0.1));
            if to.is_finite() {
                utilization.end_work(|| at(to));
                utilization.end_work(|| at(to + 1.0));
            }
        }
        (utilization.busy(at(now)) * 1e6).round() as u64
    }

    const ALL: u64 = 1_000_000;
    const GOES_ON: f64 = f64::INFINITY;

    #[test]
    fn a_young_one_tells_of_its_life() {
        assert_eq!(busy(&[], 0.0), 0);
        assert_eq!(busy(&[], 4.0), 0);
        assert_eq!(busy(&[(0.0, GOES_ON)], 4.0), ALL);
        assert_eq!(busy(&[(1.0, 2.0)], 4.0), ALL / 4);
        assert_eq!(busy(&[(0.0, 1.0), (2.0, 5.0)], 8.0), ALL / 2);
    }

    #[test]
    fn it_tells_of_the_last_ten_to_twenty_seconds() {
        assert_eq!(busy(&[(0.0, 6.0)], 15.0), 400_000, "of 15 s");
        assert_eq!(busy(&[(8.0, 12.0)], 15.0), 266_667, "of 15 s");
        assert_eq!(busy(&[(0.0, 6.0)], 25.0), 0, "of those since 10 s");
        assert_eq!(busy(&[(8.0, 13.0)], 25.0), 200_000, "of those since 10 s");
        assert_eq!(busy(&[(5.0, 15.0)], 19.999_999), 500_000, "of 20 s");
        assert_eq!(busy(&[(5.0, 15.0)], 20.0), 500_000, "of those since 10 s");
        assert_eq!(busy(&[(5.0, 10.0)], 20.0), 0, "of those since 10 s");
    }

    #[test]
    fn what_was_long_ago_does_not_hide_what_is_now() {
        let day = 86_400.0;
        assert_eq!(busy(&[(0.0, 1.0), (day, GOES_ON)], day + 20.0), ALL);
        assert_eq!(busy(&[(day, GOES_ON)], day + 5.0), 333_333);
        assert_eq!(busy(&[(0.0, day)], day + 20.0), 0);
        assert_eq!(busy(&[(0.0, GOES_ON)], 400.0 * day), ALL);
        assert_eq!(busy(&[(3.0, day + 5.0)], day + 9.0), 789_474, "of 19 s");
    }

    /// Second by second, against a list of all work.
    #[test]
    fn it_is_what_a_list_of_all_work_says() {
        let start = Instant::now();
        let mut utilization = Utilization::new(start);
        let mut worked: Vec<bool> = Vec::new();
        let mut state = 7_u64;
        let mut dice = |sides: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        for _ in 0..3_000 {
            let now = start + Duration::from_secs(worked.len() as u64);
            let is_work = dice(2) == 0;
            if is_work {
                utilization.begin_work(|| now)
            } else {
                utilization.end_work(|| now)
            }
            let lasts = if dice(20) == 0 { dice(100) } else { dice(4) };
            worked.extend((0..lasts).map(|_| is_work));
            if dice(3) == 0 {
                let now = start + Duration::from_secs(worked.len() as u64);
                let recent = &worked[(worked.len() / 10).saturating_sub(1) * 10..];
                let work = recent.iter().filter(|is_work| **is_work).count();
                let expected = work as f64 / recent.len().max(1) as f64;
                assert!(
                    (utilization.busy(now) - expected).abs() < 1e-6,
                    "{} and not {expected}",
                    utilization.busy(now)
                );
            }
        }
    }
}
