//! Signals that end the process.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag::register_conditional_default,
    iterator::{Handle, Signals as Arriving},
    low_level::emulate_default_handler,
};

use crate::{
    Error,
    caught::catch,
    handler::end::{flush_within, say_what_is_lost},
    record, sink,
    text::escaped,
};

/// Brings what is held back to its place when a signal ends the process, and then lets it end. (Unix, feature `signal`.)
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::exit::Signals;
///
/// let signals = Signals::terminating().deadline(Duration::from_secs(3)).spawn()?;
/// // … the work; on SIGTERM or SIGINT the log is flushed, and the process is killed by that very signal.
/// # drop(signals);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// Nothing of it runs in the signal handler but the setting of a flag: flushing is not async-signal-safe, and is done on a
/// thread of its own. A second signal, while the first is being seen to, ends the process at once.
///
/// An application that has a graceful end of its own needs this not, or with [`then`](Self::then).
#[must_use = "signals are waited for by `spawn`"]
pub struct Signals {
    ending: Vec<i32>,
    flushing: Vec<i32>,
    deadline: Duration,
    then: Option<Box<dyn FnMut(i32) + Send>>,
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
    pub fn deadline(mut self, deadline: Duration) -> Self {
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
    pub fn spawn(mut self) -> Result<SignalGuard, Error> {
        let refused = |error| Error::with_source("cannot wait for signals", error);
        let at_once = Arc::new(AtomicBool::new(false));
        for signal in &self.ending {
            // Before the others: it is to act on the second signal, not on the first.
            register_conditional_default(*signal, Arc::clone(&at_once)).map_err(refused)?;
        }
        let mut arriving = Arriving::new(self.ending.iter().chain(&self.flushing)).map_err(refused)?;
        let guard = SignalGuard { arriving: arriving.handle(), at_once: Arc::clone(&at_once) };
        let work = move || {
            record::silence_this_thread();
            arriving.forever().for_each(|signal| self.see_to(signal, &at_once));
        };
        thread::Builder::new().name("strata-signals".into()).spawn(work).map_err(refused)?;
        Ok(guard)
    }

    fn see_to(&mut self, signal: i32, at_once: &AtomicBool) {
        let ends = self.ending.contains(&signal);
        if ends {
            at_once.store(true, Ordering::SeqCst);
        }
        let error = flush_within(self.deadline).err();
        let is_end = ends && self.then.is_none();
        let is_said = is_end && say_what_is_lost(&format!("signal {signal}"), error.as_ref());
        if let (false, Some(error)) = (is_said, error) {
            sink::stderr_line(&escaped(&format!(
                "tracing-strata: at signal {signal}: the log is not complete: {error}"
            )));
        }
        match &mut self.then {
            _ if !ends => {}
            Some(then) => {
                at_once.store(false, Ordering::SeqCst);
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

/// As long as it is there, signals are waited for. Made by [`Signals::spawn`].
#[derive(Debug)]
#[must_use = "dropping it gives the signals their default actions back"]
pub struct SignalGuard {
    arriving: Handle,
    at_once: Arc<AtomicBool>,
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.at_once.store(true, Ordering::SeqCst);
        self.arriving.close();
    }
}
