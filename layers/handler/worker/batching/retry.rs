//! When to try again.

use std::time::{Duration, Instant};

/// The attempts of one batch, since something of it ended.
pub(super) struct Retries {
    attempts: u32,
    pub(super) began: Instant,
    delay: RetryDelay,
    /// The error handler knows that this batch is retried.
    pub(super) is_reported: bool,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self { attempts: 0, began: Instant::now(), delay: RetryDelay::new(), is_reported: false }
    }

    /// Something of the batch ended.
    pub(super) fn restart(&mut self) {
        *self = Self { is_reported: self.is_reported, ..Self::new() };
    }

    /// What the receiver asks for; but one that says "at once" again and again is not believed.
    pub(super) fn next_wait(&mut self, asked: Option<Duration>) -> Duration {
        match asked {
            Some(asked) if self.attempts <= BELIEVED => asked.min(LONGEST_ASKED),
            asked => asked.unwrap_or_default().min(LONGEST_ASKED).max(self.delay.next()),
        }
    }

    pub(super) fn next_attempt(&mut self) -> u32 {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }
}

/// Capped exponential backoff with jitter.
pub(super) struct RetryDelay(Duration);

/// How often a receiver may ask for less than the back-off.
const BELIEVED: u32 = 3;
/// A receiver that asks for longer is asked again after this. It may have meant another unit.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

impl RetryDelay {
    fn new() -> Self {
        Self(FIRST)
    }

    /// A random delay, from half of the step to all of it.
    pub(super) fn next(&mut self) -> Duration {
        let step = self.0;
        self.0 = (step * 2).min(LONGEST);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_asks_for_nothing_is_not_hammered() {
        let mut retries = Retries::new();
        let waits: Vec<_> =
            (0..5).map(|_| (retries.next_attempt(), retries.next_wait(Some(Duration::ZERO))).1).collect();
        assert_eq!(waits[..3], [Duration::ZERO; 3]);
        assert!(waits[3] >= FIRST / 2 && waits[4] >= FIRST, "{waits:?}");
        assert!(retries.next_wait(Some(Duration::from_secs(60))) == Duration::from_secs(60));
        for mut retries in [Retries::new(), retries] {
            assert_eq!(retries.next_wait(Some(Duration::MAX)), Duration::from_secs(3_600), "it is asked again");
        }
    }

    #[test]
    fn steps_grow_to_a_cap() {
        let mut delay = RetryDelay::new();
        let steps: Vec<_> = (0..12).map(|_| delay.next()).collect();
        assert!(steps[0] >= FIRST / 2 && steps[0] <= FIRST);
        assert!(steps.iter().all(|step| *step <= LONGEST) && steps[11] >= LONGEST / 2);
    }
}
