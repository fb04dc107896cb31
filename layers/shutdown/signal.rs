//! Flushes when a signal ends the process.

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
    iterator::{Handle, Signals as Receiver},
    low_level::emulate_default_handler,
};

use crate::{
    Error,
    fork::{self, ForkMutex, ForkRwLock},
    handler::{exit::report_losses, flush_all::flush_within},
    record,
    text::escaped,
    unwind::catch,
};

/// Flushes all handlers when a signal ends the process, then lets the process end. (Unix, feature `signal`.)
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::shutdown::Signals;
///
/// let signals = Signals::terminating().timeout(Duration::from_secs(3)).install()?;
/// // … the work. On SIGTERM or SIGINT the log is flushed, and then the signal kills the process.
/// # drop(signals);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// Flushing is not async-signal-safe, so the signal handler only sets flags, and a separate thread flushes. A second signal
/// meanwhile ends the process at once.
///
/// An application with its own graceful shutdown uses [`then`](Self::then), or does not need this at all.
///
/// # After a fork
/// The child has the signal handlers, but not the thread. That starts with the child's first record or flush, or with
/// [`after_fork`](super::after_fork), and then handles a signal that came before. So a child that neither logs nor calls
/// `after_fork` needs two signals to end. The [`then`](Self::then) action runs in the child as well, unless the process was
/// forked while it ran.
#[must_use = "`install` starts it"]
pub struct Signals {
    ending: Vec<i32>,
    flushing: Vec<i32>,
    timeout: Duration,
    then: Option<Then>,
}

const TIMEOUT: Duration = Duration::from_secs(5);

impl Signals {
    /// Handles SIGTERM and SIGINT.
    pub fn terminating() -> Self {
        Self { ending: vec![SIGTERM, SIGINT], flushing: Vec::new(), timeout: TIMEOUT, then: None }
    }

    /// Adds a signal, by number, that ends the process, such as SIGHUP or SIGQUIT.
    pub fn and(mut self, signal: i32) -> Self {
        self.ending.push(signal);
        self
    }

    /// Adds a signal, by number, that only flushes all handlers.
    pub fn flush_on(mut self, signal: i32) -> Self {
        self.flushing.push(signal);
        self
    }

    /// How long flushing may take (default: 5 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs an action after the flush, in place of the signal's default action: ending the process is up to you. The action
    /// gets the signal's number and runs on the signal thread.
    pub fn then(mut self, action: impl FnMut(i32) + Send + 'static) -> Self {
        self.then = Some(Box::new(action));
        self
    }

    /// Installs the handlers and starts the thread. Dropping the guard restores the default actions.
    ///
    /// # Errors
    /// The system refuses one of the signals, or the thread.
    pub fn install(self) -> Result<SignalGuard, Error> {
        fork::watch();
        fork::on_restart(restart_all);
        let Self { ending, flushing, timeout, then } = self;
        let shared = Arc::new(Shared {
            ending,
            flushing,
            timeout,
            has_then: then.is_some(),
            then: ForkMutex::new(then),
            exits_at_once: Arc::default(),
            pending: Arc::default(),
            receiver: ForkMutex::default(),
            is_dropped: AtomicBool::new(false),
        });
        for signal in &shared.ending {
            // In this order, the first signal sets the flag and the second one acts on it.
            flag::register_conditional_default(*signal, Arc::clone(&shared.exits_at_once)).map_err(refused)?;
            flag::register(*signal, Arc::clone(&shared.exits_at_once)).map_err(refused)?;
            let number = usize::try_from(*signal).unwrap_or_default();
            flag::register_usize(*signal, Arc::clone(&shared.pending), number).map_err(refused)?;
        }
        shared.start(None)?;
        let mut all = ALL.write();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&shared));
        drop(all);
        Ok(SignalGuard(shared))
    }
}

static ALL: ForkRwLock<Vec<Weak<Shared>>> = ForkRwLock::for_static(Vec::new());

/// In a child of a fork, which lacks the signal threads.
fn restart_all() {
    let all: Vec<_> = ALL.read().iter().filter_map(Weak::upgrade).collect();
    all.iter().filter(|shared| !shared.is_dropped.load(Ordering::SeqCst)).for_each(Shared::restart);
}

fn refused(error: std::io::Error) -> Error {
    Error::with_source("cannot wait for signals", error)
}

type Then = Box<dyn FnMut(i32) + Send>;

/// Shared by the guard and the thread.
struct Shared {
    ending: Vec<i32>,
    flushing: Vec<i32>,
    timeout: Duration,
    /// Whether there is an action, even while it runs.
    has_then: bool,
    then: ForkMutex<Option<Then>>,
    /// The next signal that ends the process does so at once.
    exits_at_once: Arc<AtomicBool>,
    /// The signal that the thread has not handled yet, or 0.
    pending: Arc<AtomicUsize>,
    receiver: ForkMutex<Option<Handle>>,
    /// The guard was dropped.
    is_dropped: AtomicBool,
}

impl Shared {
    /// Starts the thread. It first handles the signal `first`, or one that came before.
    fn start(self: &Arc<Self>, first: Option<i32>) -> Result<(), Error> {
        let mut receiver = Receiver::new(self.ending.iter().chain(&self.flushing)).map_err(refused)?;
        *self.receiver.get() = Some(receiver.handle());
        // The receiver may deliver it a second time: the process is ending anyway.
        let first = first.or_else(|| if self.has_then { None } else { self.take_pending() });
        let shared = Arc::clone(self);
        let work = move || {
            record::silence_this_thread();
            first.into_iter().chain(receiver.forever()).for_each(|signal| shared.handle(signal));
        };
        thread::Builder::new().name("strata-signals".into()).spawn(work).map(drop).map_err(refused)
    }

    fn restart(self: &Arc<Self>) {
        // This was set by a signal to the parent.
        self.exits_at_once.store(false, Ordering::SeqCst);
        if let Err(error) = self.start(self.take_pending()) {
            self.exits_at_once.store(true, Ordering::SeqCst);
            crate::stdio::stderr_line(&escaped(&format!(
                "tracing-strata: after a fork: {error}; signals end the process at once"
            )));
        }
    }

    fn take_pending(&self) -> Option<i32> {
        i32::try_from(self.pending.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    fn handle(&self, signal: i32) {
        let ends = self.ending.contains(&signal);
        if ends {
            self.exits_at_once.store(true, Ordering::SeqCst);
            self.pending.store(0, Ordering::SeqCst);
        }
        let error = flush_within(self.timeout).err();
        let is_end = ends && !self.has_then;
        let is_reported = is_end && report_losses(&format!("signal {signal}"), error.as_ref());
        if let (false, Some(error)) = (is_reported, error) {
            crate::stdio::stderr_line(&escaped(&format!(
                "tracing-strata: at signal {signal}: the log is not complete: {error}"
            )));
        }
        match &mut *self.then.get() {
            _ if !ends => {}
            Some(then) => {
                self.exits_at_once.store(false, Ordering::SeqCst);
                // The panic hook reports a panic of it; the thread goes on.
                catch(|| then(signal)).unwrap_or_default();
            }
            // Returns only if the signal has no default action.
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

/// Handles signals until it is dropped. Made by [`Signals::install`].
#[must_use = "dropping it restores the default actions"]
pub struct SignalGuard(Arc<Shared>);

impl fmt::Debug for SignalGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalGuard").field("ending", &self.0.ending).finish_non_exhaustive()
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.0.is_dropped.store(true, Ordering::SeqCst);
        self.0.exits_at_once.store(true, Ordering::SeqCst);
        if let Some(receiver) = &*self.0.receiver.get() {
            receiver.close();
        }
    }
}
