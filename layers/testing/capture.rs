//! The records of one test.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, MutexGuard, atomic::Ordering},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing_core::{Dispatch, dispatcher};

use super::{
    Pattern, fail,
    interest::ask_all_subscribers,
    places, show,
    subscriber::{CaptureSubscriber, Shared},
};
use crate::{Loggers, Severity, record::OwnedRecord, unwind};

/// Takes the records of this test, from [`start`](Self::start) until it is dropped.
///
/// | what happens | is taken |
/// |---|---|
/// | on the thread that started it | yes |
/// | in a task of a runtime on this very thread (`#[tokio::test]`) | yes |
/// | on another thread, inside a span that was opened under it (`.instrument(span)`, `span.enter()`) | yes |
/// | in a closure from [`in_thread`](Self::in_thread), a task from [`in_task`](Self::in_task) | yes |
/// | in a task with `tracing`'s `with_current_subscriber()` | yes |
/// | on another thread otherwise, as in a test that runs beside this one | no |
///
/// Records of every level and name are taken, whatever the application's filters say, until [`at_level`](Self::at_level)
/// says otherwise. All records and spans also go on to the subscriber that the thread had, or that is set for the process
/// on a thread of the capture later: the application's handlers do what they always do. At most 1,000,000 records in 1 GiB and 100,000 spans are kept;
/// then the oldest go, and [`assert_nothing_lost`](Self::assert_nothing_lost) fails.
///
/// If the test panics, the records are printed (the last 100; all of them with `STRATA_CAPTURE=all`).
///
/// ```
/// use tracing::{info, warn};
/// use tracing_strata::{Severity, testing::{Capture, level}};
///
/// let logs = Capture::start();
/// let worker = std::thread::spawn(logs.in_thread(|| warn!(target: "shop::db", rows = 3, "slow query")));
/// worker.join().unwrap();
/// info!("done");
///
/// logs.assert_contains(level(Severity::WARN).target("shop.db").field("rows", 3));
/// assert_eq!(logs.records().len(), 2);
/// ```
///
/// It stays on the thread that started it:
///
/// ```compile_fail,E0277
/// let logs = tracing_strata::testing::Capture::start();
/// std::thread::spawn(move || drop(logs));
/// ```
pub struct Capture {
    pub(super) shared: Arc<Shared>,
    dispatch: Dispatch,
    was_panicking: bool,
    /// The thread's default subscriber is restored on the thread itself: not `Send`, but `Sync`.
    _stays: PhantomData<MutexGuard<'static, ()>>,
}

impl Capture {
    /// Begins to take records.
    ///
    /// Inside another capture, both take what happens; the outer one goes on when this one is dropped. One that is leaked
    /// goes on until its thread ends, within the bounds above. A subscriber that is set for this thread later
    /// (`set_default`) hides it as long as that is there.
    #[must_use = "a capture ends when it is dropped"]
    pub fn start() -> Self {
        ask_all_subscribers();
        let shared = Arc::new(Shared::new(everything(), everything()));
        let dispatch = Dispatch::new(CaptureSubscriber(Arc::clone(&shared)));
        places::enter(shared.id(), None, Some(dispatcher::set_default(&dispatch)));
        Self { shared, dispatch, was_panicking: thread::panicking(), _stays: PhantomData }
    }

    /// What was taken until now, in the order in which it came.
    pub fn records(&self) -> Vec<OwnedRecord> {
        self.shared.store.all().records
    }

    /// Forgets what was taken until now, spans included.
    pub fn clear(&self) {
        self.shared.store.clear();
    }

    /// A level for a logger and those below it, until what this returns is dropped.
    ///
    /// Only this capture has it: what the application's handlers get does not change.
    ///
    /// # Panics
    /// The name is longer than 256 bytes.
    pub fn at_level(&self, name: &str, level: impl Into<Severity>) -> LevelGuard<'_> {
        LevelGuard::new(self, &[&self.shared.levels], name, level.into())
    }

    /// Nothing from this logger and those below it: neither taken nor passed on to the application's handlers, until what
    /// this returns is dropped. The empty name silences all.
    ///
    /// ```
    /// let logs = tracing_strata::testing::Capture::start();
    /// let quiet = logs.silence("hyper");
    /// tracing::debug!(target: "hyper::proto", "flushed 12 bytes");
    /// drop(quiet);
    /// assert!(logs.records().is_empty());
    /// ```
    ///
    /// # Panics
    /// The name is longer than 256 bytes.
    pub fn silence(&self, name: &str) -> LevelGuard<'_> {
        LevelGuard::new(self, &[&self.shared.levels, &self.shared.passed_on], name, Severity::OFF)
    }

    // --- other threads

    /// Has what a closure does taken, on whichever thread it runs: for `std::thread`, `rayon::spawn`, `spawn_blocking`.
    pub fn in_thread<R, F: FnOnce() -> R>(&self, work: F) -> impl FnOnce() -> R + use<R, F> {
        let dispatch = self.dispatch.clone();
        move || dispatcher::with_default(&dispatch, work)
    }

    /// Has what a task does taken, on whichever thread it runs: for `tokio::spawn` on several threads.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// use tracing_strata::testing::{Capture, message};
    ///
    /// let logs = Capture::start();
    /// tokio::spawn(logs.in_task(async { tracing::info!("in a task") })).await.unwrap();
    /// logs.assert_contains(message("in a task"));
    /// # });
    /// ```
    pub fn in_task<F: Future>(&self, task: F) -> WithDispatch<F> {
        task.with_subscriber(self.dispatch.clone())
    }

    /// Waits for a record, and returns the first that fits: one that was taken already, or one that another thread logs.
    ///
    /// It blocks the thread; in a task, await [`until`](Self::until).
    ///
    /// # Panics
    /// There is none `within` this time. The message says what came nearest.
    #[track_caller]
    pub fn wait_for(&self, pattern: Pattern, within: Duration) -> OwnedRecord {
        let now = Instant::now();
        let deadline = now.checked_add(within).unwrap_or(now + Duration::from_secs(1 << 30));
        let mut seen = 0;
        loop {
            if let Some(found) = self.find_since(&mut seen, &pattern) {
                return found;
            }
            if !self.shared.store.wait(seen, deadline) {
                fail::no_match(self, &pattern, &format!("no record within {within:?} is"));
            }
        }
    }

    /// Waits for a record as [`wait_for`](Self::wait_for) does, without blocking the thread, and for ever: put your
    /// runtime's timeout around it.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// use std::time::Duration;
    /// use tracing_strata::testing::{Capture, message};
    ///
    /// let logs = Capture::start();
    /// tokio::spawn(async { tracing::info!("started") });
    /// tokio::time::timeout(Duration::from_secs(10), logs.until(message("started"))).await.unwrap();
    /// # });
    /// ```
    pub async fn until(&self, pattern: Pattern) -> OwnedRecord {
        Until { capture: self, pattern, seen: 0 }.await
    }

    fn find_since(&self, seen: &mut u64, pattern: &Pattern) -> Option<OwnedRecord> {
        let taken = self.shared.store.since(*seen);
        *seen = taken.next();
        let index = taken.records.iter().position(|record| pattern.matches(record))?;
        self.shared.store.expect([taken.first + index as u64]);
        taken.records.into_iter().nth(index)
    }

    /// The records as text that is the same in every run, one a line: for `assert_eq!` and snapshot libraries.
    ///
    /// A line has level, target, message, fields and, innermost first, the spans. Time, thread and source are left out; in
    /// texts, what looks like a time, a measured duration, a UUID, an id of 16 hexadecimal digits or more, an address in
    /// memory, a port or a source line is replaced. Records of several threads stand in the order in which they came.
    ///
    /// ```
    /// use tracing::{info, info_span};
    ///
    /// let logs = tracing_strata::testing::Capture::start();
    /// let request = info_span!("request", id = "67e55044-10b1-426f-9247-bb680e5fe0c8");
    /// request.in_scope(|| info!(target: "shop::db", rows = 3, "done in {:?}", std::time::Duration::from_micros(1_234)));
    /// assert_eq!(logs.snapshot(), "INFO shop.db: done in [duration] rows=3 < request{id=\"[uuid]\"}\n");
    /// ```
    pub fn snapshot(&self) -> String {
        show::snapshot(&self.records())
    }

    /// Whether something hides it on this thread.
    pub(super) fn is_hidden(&self) -> bool {
        !self.shared.is_default()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            // What it is printed with is user code at worst, and a second panic would end the process.
            drop(unwind::catch(|| fail::print(self)));
        }
        self.shared.end();
        places::leave(self.shared.id(), None);
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("records", &self.records().len()).finish_non_exhaustive()
    }
}

fn everything() -> Loggers {
    let loggers = Loggers::new();
    loggers.set_level("", Severity::ALL).unwrap_or_default();
    loggers
}

/// Sets a level back when it is dropped. Made by [`Capture::at_level`] and [`Capture::silence`].
#[must_use = "the level is set back when this is dropped"]
pub struct LevelGuard<'c> {
    capture: &'c Capture,
    before: Vec<(Loggers, Option<Severity>)>,
    name: String,
}

impl<'c> LevelGuard<'c> {
    #[track_caller]
    fn new(capture: &'c Capture, all: &[&Loggers], name: &str, level: Severity) -> Self {
        let set = |loggers: &&Loggers| {
            let before = loggers.level(name);
            if let Err(error) = loggers.set_level(name, level) {
                panic!("{error}");
            }
            ((*loggers).clone(), before)
        };
        let before = all.iter().map(set).collect();
        capture.shared.limits.fetch_add(1, Ordering::Release);
        Self { capture, before, name: name.to_owned() }
    }
}

impl Drop for LevelGuard<'_> {
    fn drop(&mut self) {
        self.capture.shared.limits.fetch_sub(1, Ordering::Release);
        for (loggers, before) in &self.before {
            match before {
                // It was there before, so there is room for it.
                Some(level) => loggers.set_level(&self.name, *level).unwrap_or_default(),
                None => loggers.clear_level(&self.name),
            }
        }
    }
}

impl fmt::Debug for LevelGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LevelGuard").field(&self.name).finish()
    }
}

struct Until<'c> {
    capture: &'c Capture,
    pattern: Pattern,
    seen: u64,
}

impl Future for Until<'_> {
    type Output = OwnedRecord;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<OwnedRecord> {
        let this = self.get_mut();
        loop {
            if let Some(found) = this.capture.find_since(&mut this.seen, &this.pattern) {
                return Poll::Ready(found);
            }
            if !this.capture.shared.store.wake(this.seen, context.waker()) {
                return Poll::Pending;
            }
        }
    }
}
