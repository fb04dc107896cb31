//! Signals that end the process.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::{Handle, Signals as Arriving},
    low_level::emulate_default_handler,
};

use crate::{
    Error,
    caught::catch,
    fork::{self, Common, Heirloom},
    handler::{exit::report_losses, flush_all::flush_within},
    record, sink,
    text::escaped,
};

/// Brings what is held back to its place when a signal ends the process, and then lets it end. (Unix, feature `signal`.)
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::shutdown::Signals;
///
/// let signals = Signals::terminating().timeout(Duration::from_secs(3)).install()?;
/// // … the work; on SIGTERM or SIGINT the log is flushed, and the process is killed by that very signal.
/// # drop(signals);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// Nothing of it runs in the signal handler but the setting of flags: flushing is not async-signal-safe, and is done on a
/// thread of its own. A second signal, while the first is being seen to, ends the process at once.
///
/// # After a fork
/// The child has the handlers, and not the thread, which it gets with its first record or flush, or by
/// [`after_fork`](super::after_fork). A signal that comes before is seen to then; a second one ends the child at once, as
/// ever. So a child that neither logs nor calls `after_fork` needs two signals. What is done in
/// place of the default action ([`then`](Self::then)) is done in the child, too, unless the process was forked while it ran.
///
/// An application that has a graceful end of its own needs this not, or with [`then`](Self::then).
#[must_use = "signals are waited for by `spawn`"]
pub struct Signals {
    ending: Vec<i32>,
    flushing: Vec<i32>,
    deadline: Duration,
    then: Option<Then>,
}

const DEADLINE: Duration = Duration::from_secs(5);

impl Signals {
    /// SIGTERM and SIGINT.
    pub fn terminating() -> Self {
        Self { ending: vec![SIGTERM, SIGINT], flushing: Vec::new(), deadline: DEADLINE, then: None }
    }

    /// One more signal that ends the process (SIGHUP, SIGQUIT), by number.
    pub fn and(mut self, signal: i32) -> Self {
        self.ending.push(signal);
        self
    }

    /// A signal, by number, on which everything is flushed, and nothing else happens.
    pub fn flush_on(mut self, signal: i32) -> Self {
        self.flushing.push(signal);
        self
    }

    /// How long flushing may take (default: 5 s).
    pub fn timeout(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What is done after the flush in place of the signal's default action: from then on, ending the process is up to you.
    /// It gets the signal's number, on the thread that waits for signals.
    pub fn then(mut self, action: impl FnMut(i32) + Send + 'static) -> Self {
        self.then = Some(Box::new(action));
        self
    }

    /// Starts to wait. When the guard is dropped, the signals have their default actions again.
    ///
    /// # Errors
    /// The system refuses one of the signals, or the thread.
    pub fn install(self) -> Result<SignalGuard, Error> {
        fork::watch();
        let Self { ending, flushing, deadline, then } = self;
        let waiting = Arc::new(Waiting {
            ending,
            flushing,
            deadline,
            has_then: then.is_some(),
            then: Heirloom::new(then),
            at_once: Arc::default(),
            unseen: Arc::default(),
            arriving: Heirloom::default(),
            is_over: AtomicBool::new(false),
        });
        for signal in &waiting.ending {
            // In this order: it is to act on the second signal, not on the first.
            flag::register_conditional_default(*signal, Arc::clone(&waiting.at_once)).map_err(refused)?;
            flag::register(*signal, Arc::clone(&waiting.at_once)).map_err(refused)?;
            let number = usize::try_from(*signal).unwrap_or_default();
            flag::register_usize(*signal, Arc::clone(&waiting.unseen), number).map_err(refused)?;
        }
        waiting.start(None)?;
        let mut all = ALL.write();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&waiting));
        drop(all);
        Ok(SignalGuard(waiting))
    }
}

static ALL: Common<Vec<Weak<Waiting>>> = Common::first(Vec::new());

/// In a child of a fork, which has none of the threads that wait for signals.
pub(crate) fn after_fork() {
    let all: Vec<_> = ALL.read().iter().filter_map(Weak::upgrade).collect();
    all.iter().filter(|waiting| !waiting.is_over.load(Ordering::SeqCst)).for_each(Waiting::restart);
}

fn refused(error: std::io::Error) -> Error {
    Error::with_source("cannot wait for signals", error)
}

type Then = Box<dyn FnMut(i32) + Send>;

/// What the guard and the thread share.
struct Waiting {
    ending: Vec<i32>,
    flushing: Vec<i32>,
    deadline: Duration,
    has_then: bool,
    then: Heirloom<Option<Then>>,
    /// The next signal that ends the process does so at once.
    at_once: Arc<AtomicBool>,
    /// One that the thread does not know of yet, or 0.
    unseen: Arc<AtomicUsize>,
    arriving: Heirloom<Option<Handle>>,
    /// The guard is gone.
    is_over: AtomicBool,
}

impl Waiting {
    /// Starts the thread, which sees first to a signal that nobody has seen to.
    fn start(self: &Arc<Self>, first: Option<i32>) -> Result<(), Error> {
        let mut arriving = Arriving::new(self.ending.iter().chain(&self.flushing)).map_err(refused)?;
        *self.arriving.get() = Some(arriving.handle());
        // One that came meanwhile may arrive as well: that is nothing to a process that ends.
        let first = first.or_else(|| if self.has_then { None } else { self.take_unseen() });
        let waiting = Arc::clone(self);
        let work = move || {
            record::silence_this_thread();
            first.into_iter().chain(arriving.forever()).for_each(|signal| waiting.see_to(signal));
        };
        thread::Builder::new().name("strata-signals".into()).spawn(work).map(drop).map_err(refused)
    }

    fn restart(self: &Arc<Self>) {
        // What the parent is about to do is nothing to this process.
        self.at_once.store(false, Ordering::SeqCst);
        if let Err(error) = self.start(self.take_unseen()) {
            self.at_once.store(true, Ordering::SeqCst);
            sink::stderr_line(&escaped(&format!("tracing-strata: after a fork: {error}; signals end it at once")));
        }
    }

    fn take_unseen(&self) -> Option<i32> {
        i32::try_from(self.unseen.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    fn see_to(&self, signal: i32) {
        let ends = self.ending.contains(&signal);
        if ends {
            self.at_once.store(true, Ordering::SeqCst);
            self.unseen.store(0, Ordering::SeqCst);
        }
        let error = flush_within(self.deadline).err();
        let is_end = ends && !self.has_then;
        let is_said = is_end && report_losses(&format!("signal {signal}"), error.as_ref());
        if let (false, Some(error)) = (is_said, error) {
            sink::stderr_line(&escaped(&format!(
                "tracing-strata: at signal {signal}: the log is not complete: {error}"
            )));
        }
        match &mut *self.then.get() {
            _ if !ends => {}
            Some(then) => {
                self.at_once.store(false, Ordering::SeqCst);
                // Its panic was reported; the next signal is waited for all the same.
                catch(|| then(signal)).unwrap_or_default();
            }
            // Returns only if there is no such action.
            None => emulate_default_handler(signal).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("ending", &self.ending)
            .field("flushing", &self.flushing)
            .finish_non_exhaustive()
    }
}

/// As long as it is there, signals are waited for. Made by [`Signals::install`].
#[must_use = "dropping it gives the signals their default actions back"]
pub struct SignalGuard(Arc<Waiting>);

impl fmt::Debug for SignalGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalGuard").field("ending", &self.0.ending).finish_non_exhaustive()
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        self.0.at_once.store(true, Ordering::SeqCst);
        if let Some(arriving) = &*self.0.arriving.get() {
            arriving.close();
        }
    }
}
