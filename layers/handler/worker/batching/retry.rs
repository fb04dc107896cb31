//! When to try again.

use std::time::{Duration, SystemTime};

/// The delays of one batch: capped exponential backoff with jitter.
pub(super) struct RetryDelay {
    next: Duration,
    /// The error handler knows that this batch is retried.
    pub(super) is_reported: bool,
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

impl RetryDelay {
    pub(super) fn new() -> Self {
        Self { next: FIRST, is_reported: false }
    }

    /// A random delay, from half of the step to all of it.
    pub(super) fn next(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_to_a_cap() {
        let mut delay = RetryDelay::new();
        let steps: Vec<_> = (0..12).map(|_| delay.next()).collect();
        assert!(steps[0] >= FIRST / 2 && steps[0] <= FIRST);
        assert!(steps.iter().all(|step| *step <= LONGEST) && steps[11] >= LONGEST / 2);
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:40 GMT", now), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
