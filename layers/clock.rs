//! Injectable time: all records and schedules use a [`Clock`], so tests never sleep.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time. [`ManualClock`] is the one for tests.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time, which may jump, also backwards.
    fn now(&self) -> SystemTime;

    /// The time since a fixed moment in the past; it never goes back. For limits and ages.
    ///
    /// Provided: the system's monotonic clock, since its first use in this process.
    fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// The operating system's clock (the default everywhere).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// A clock that moves only when you say so. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::at(1_700_000_000);
/// let before = clock.now();
/// clock.advance(Duration::from_millis(1_500));
/// assert_eq!(clock.now().duration_since(before).unwrap(), Duration::from_millis(1_500));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
    monotonic: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that shows `seconds` after the Unix epoch.
    pub fn at(seconds: u64) -> Self {
        let clock = Self::default();
        clock.set(UNIX_EPOCH + Duration::from_secs(seconds));
        clock
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        self.nanos.fetch_add(nanos(by), Ordering::SeqCst);
        self.monotonic.fetch_add(nanos(by), Ordering::SeqCst);
    }

    /// Sets the wall-clock time, also backwards; monotonic time stays. Times before the epoch count as the epoch.
    pub fn set(&self, to: SystemTime) {
        self.nanos.store(nanos(to.duration_since(UNIX_EPOCH).unwrap_or_default()), Ordering::SeqCst);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
