//! When an unavailable peer is tried again.

use std::time::Duration;

/// When an unavailable peer is tried again: each failure makes the wait longer, up to a limit.
///
/// | | initial | factor | max | jitter | meanwhile |
/// |---|---|---|---|---|---|
/// | [`Backoff::default`] | 100 ms | × 2 | 30 s | ± 25 % | records fail, or [wait](super::ConnectionBuilder::reconnect_timeout) |
/// | [`Backoff::python`] | 1 s | × 2 | 30 s | none | records are dropped without an error |
///
/// Python: `SocketHandler.retryStart`, `retryFactor`, `retryMax`. The jitter keeps many clients from overloading one
/// peer by reconnecting at the same moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    initial: Duration,
    factor: f64,
    max: Duration,
    jitter: f64,
    pub(super) drops_silently: bool,
}

impl Backoff {
    /// Python's backoff. A record that comes before the next attempt is due or finds the peer unavailable is
    /// [dropped](crate::ledger::Stats::dropped) without an error.
    pub fn python() -> Self {
        Self { initial: Duration::from_secs(1), jitter: 0.0, drops_silently: true, ..Self::default() }
    }

    /// The wait after the first failure.
    pub fn initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// The factor by which each wait grows; less than 1 counts as 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// The longest wait.
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// The fraction by which a wait is randomly longer or shorter: 0 to 1.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = if fraction > 0.0 { fraction.min(1.0) } else { 0.0 };
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: 0.25,
            drops_silently: false,
        }
    }
}

/// The backoff of one connection. Times are since a fixed moment.
#[derive(Debug)]
pub(super) struct BackoffState {
    backoff: Backoff,
    wait: Option<Duration>,
    due: Duration,
    /// When the last failure was. A clock that is behind it was set back.
    failed_at: Duration,
}

impl BackoffState {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, wait: None, due: Duration::ZERO, failed_at: Duration::ZERO }
    }

    /// How long until the next attempt is due.
    pub(super) fn remaining(&self, now: Duration) -> Duration {
        if self.wait.is_none() || now < self.failed_at { Duration::ZERO } else { self.due.saturating_sub(now) }
    }

    /// The last wait.
    pub(super) fn wait(&self) -> Duration {
        self.wait.unwrap_or_default()
    }

    pub(super) fn failed(&mut self, now: Duration) {
        let Backoff { initial, factor, max, jitter, .. } = self.backoff;
        let wait = match self.wait {
            None => initial,
            Some(wait) => Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(max),
        };
        let wait = wait.min(max);
        self.wait = Some(wait);
        let scale = if jitter > 0.0 { 1.0 - jitter + 2.0 * jitter * fastrand::f64() } else { 1.0 };
        self.failed_at = now;
        self.due = now.saturating_add(Duration::try_from_secs_f64(wait.as_secs_f64() * scale).unwrap_or(max).min(max));
    }

    pub(super) fn succeeded(&mut self) {
        self.wait = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff, count: usize) -> Vec<Duration> {
        let mut state = BackoffState::new(backoff);
        let mut now = Duration::from_secs(1_000);
        let wait = |_| {
            state.failed(now);
            let remaining = state.remaining(now);
            now += remaining;
            assert_eq!(state.remaining(now), Duration::ZERO);
            remaining
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn rule_17_5_pythons_waits() {
        let seconds: Vec<_> = waits(Backoff::python(), 8).iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        let mut state = BackoffState::new(Backoff::python());
        let at = Duration::from_secs;
        assert_eq!(state.remaining(at(0)), at(0));
        state.failed(at(10));
        state.failed(at(11));
        assert_eq!((state.remaining(at(12)), state.remaining(at(13))), (at(1), at(0)));
        state.succeeded();
        assert_eq!(state.remaining(at(12)), at(0));
        state.failed(at(20));
        assert_eq!(state.remaining(at(20)), at(1));
    }

    #[test]
    fn ours_grow_to_the_limit_and_differ() {
        for (index, wait) in waits(Backoff::default(), 20).into_iter().enumerate() {
            let plain = Duration::from_millis(100 << index.min(9)).min(Duration::from_secs(30)).as_secs_f64();
            let wait = wait.as_secs_f64();
            assert!(wait >= plain * 0.749 && wait <= (plain * 1.251).min(30.0), "{index}: {wait}");
        }
        assert_ne!(waits(Backoff::default(), 5), waits(Backoff::default(), 5));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_make_it_wait() {
        let mut state = BackoffState::new(Backoff::python());
        state.failed(Duration::from_secs(1_000_000));
        assert_eq!(state.remaining(Duration::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn absurd_settings_do_no_harm() {
        let backoff = Backoff::default().factor(f64::NAN).jitter(f64::NAN).initial(Duration::MAX).max(Duration::MAX);
        assert_eq!(waits(backoff, 3).len(), 3);
        assert_eq!(waits(Backoff::default().factor(f64::INFINITY).jitter(9.0).initial(Duration::ZERO), 3).len(), 3);
    }
}
