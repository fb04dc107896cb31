//! The running system: what is configured now, and how to change it.

mod adjust;
mod builder;
mod by_name;
mod changes;
mod handle;
mod reload;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_core::{Dispatch, dispatcher::WeakDispatch};
use tracing_subscriber::{Layer, registry::LookupSpan};

pub use self::{builder::LoggingBuilder, changes::Changes, handle::HandlerHandle};
use super::{
    Setup,
    build::{Hung, Prepared},
    document::Config,
    formatters::Formatter,
    node::Node,
    sieve::{ConfigFilter, Way},
};
use crate::{
    Delivery, Description, Error, Fields, Flush, Handler, HandlerExt as _, HandlerLayer, Loggers, Outcome, Severity,
    fork::Heirloom,
    loggers::{Explanation, Router},
};

/// A configured system: a layer for the subscriber, and the handle to change it while it runs. Cheap to clone; clones are
/// the same system.
///
/// Everything here may be called from any thread at any time. A change is prepared in full, then put in place at once: a
/// record goes either the old way or the new way, and none is lost or doubled. A handler whose declaration stays the same
/// keeps its file, its queue and its ledger; of such a one, level, filters and format are put in place one after the other,
/// so that a record at that very moment can meet the new format and the old level. Handlers that are replaced end when the
/// last record in them is done; what they hold back is brought to its place.
///
/// ```
/// use tracing_strata::{Severity, config::{Config, Logging}};
/// use tracing_subscriber::prelude::*;
///
/// let logging = Logging::new();
/// let subscriber = tracing_subscriber::registry().with(logging.layer());
/// tracing::subscriber::with_default(subscriber, || {
///     let quiet = r#"{"version": 1, "handlers": {"out": {"class": "null"}}, "root": {"level": "ERROR", "handlers": ["out"]}}"#;
///     logging.reload(&Config::from_json(quiet)?)?;
///     tracing::warn!("not heard");
///     logging.reload(&Config::from_json(&quiet.replace("ERROR", "INFO"))?)?;
///     tracing::warn!("heard, by the same handler");
///     assert_eq!(logging.handler("out").unwrap().handler().stats().written, 1);
///     Ok::<(), tracing_strata::Error>(())
/// })?;
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone)]
pub struct Logging(Arc<Inner>);

struct Inner {
    loggers: Loggers,
    setup: Setup,
    globals: Option<Fields>,
    trace_ids: bool,
    value_limit: Option<usize>,
    state: Heirloom<State>,
    /// Whether some filter changes records, so that they need a way.
    changes: AtomicBool,
    /// The subscriber that a layer was last put into, and a place in it.
    last: Heirloom<Option<(usize, WeakDispatch)>>,
}

#[derive(Clone, Default)]
struct State {
    /// Names the state: what is made without the lock counts only if nobody was faster.
    version: u64,
    formatters: BTreeMap<String, Formatter>,
    filters: BTreeMap<String, (Node, ConfigFilter)>,
    handlers: BTreeMap<String, Hung>,
    /// All that may still be in use, in the order they were made.
    made: Vec<Hung>,
    config: Option<Config>,
}

/// Why nothing was changed, with what was made in vain: it ends when nothing is locked.
struct Refused {
    error: Error,
    #[expect(dead_code, reason = "its end is all that matters")]
    made: Option<Box<Prepared>>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, made: None }
    }
}

impl Logging {
    /// A system with nothing configured: the root at WARN, and the last resort.
    pub fn new() -> Self {
        Self::builder().empty()
    }

    /// A system with options.
    pub fn builder() -> LoggingBuilder {
        LoggingBuilder::new()
    }

    /// A system configured by a file, with variables of the environment filled in
    /// ([`Config::expand_env`], [`Config::override_from_env`]).
    ///
    /// # Errors
    /// As for [`Config::from_path`] and [`reload`](Self::reload).
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let config = Config::from_path(path)?.expand_env()?.override_from_env()?;
        Self::builder().build(&config)
    }

    /// The layer for the subscriber: captures each event once, and gives it to the handlers of its logger and above. Twice
    /// in one subscriber, every record comes twice: the trap is told.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: tracing_core::Subscriber + for<'a> LookupSpan<'a>,
    {
        let entrance = Entrance { router: self.0.loggers.router(), inner: Arc::clone(&self.0) };
        let mut layer = entrance.into_layer().error_handler(self.0.setup.error_handler.clone());
        if let Some(clock) = &self.0.setup.clock {
            layer = layer.clock(Arc::clone(clock));
        }
        if let Some(globals) = &self.0.globals {
            layer = layer.globals(globals.clone());
        }
        if self.0.trace_ids {
            layer = layer.trace_ids();
        }
        if let Some(bytes) = self.0.value_limit {
            layer = layer.value_limit(bytes);
        }
        let inner = Arc::downgrade(&self.0);
        layer.install_check(move |dispatch| inner.upgrade()?.doubled(dispatch)).with_filter(self.0.loggers.clone())
    }

    /// The loggers: levels, switches and handlers by name, to be read and set.
    pub fn loggers(&self) -> &Loggers {
        &self.0.loggers
    }

    /// What would become of a record: which logger and level decide, and which handlers would get it.
    pub fn explain(&self, name: &str, severity: impl Into<Severity>) -> Explanation {
        self.0.loggers.explain(name, severity)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.get()
    }

    /// Makes something of the present state with nothing locked, since factories are somebody else's code, and puts it in
    /// place; again if the state has changed meanwhile.
    fn try_until_current<R, P>(&self, mut make: impl FnMut(&State) -> Result<P, Error>) -> Result<R, Error>
    where
        P: FnOnce(&mut State) -> Result<R, Refused>,
    {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let present = self.state().clone();
            let put = make(&present)?;
            let mut state = self.state();
            if state.version != present.version {
                drop(state);
                continue;
            }
            state.version += 1;
            let result = put(&mut state);
            drop(state);
            // The last to hold what was there, perhaps: not under the lock.
            drop(present);
            return result.map_err(|refused| refused.error);
        }
        Err(Error::config("the configuration is being changed by others all the time"))
    }

    /// The configuration that is in place; none was, or it was changed since by [`BasicConfig`](super::BasicConfig).
    pub fn config(&self) -> Option<Config> {
        self.state().config.clone()
    }

    /// The names of the handlers, sorted.
    pub fn handler_names(&self) -> Vec<String> {
        self.state().handlers.keys().filter(|name| !name.is_empty()).cloned().collect()
    }

    /// A handler by its name.
    pub fn handler(&self, name: &str) -> Option<HandlerHandle> {
        let hung = self.state().handlers.get(name).cloned()?;
        Some(HandlerHandle { hung, logging: self.clone() })
    }

    /// Flushes all handlers, then closes them: the latest first, so that one that hands on to another comes before it.
    /// Files open again with the next record.
    ///
    /// # Errors
    /// The first of the handlers' errors; all are closed, and all traps were told.
    pub fn shutdown(&self) -> Result<(), Error> {
        let made = self.state().made.clone();
        let mut first = Ok(());
        for hung in made.iter().rev() {
            first = first.and(hung.slot.close());
        }
        first
    }

    pub(in crate::config) fn setup(&self) -> &Setup {
        &self.0.setup
    }

    /// From which severity on records that no handler was found for go to stderr; `None`: they are dropped. Python:
    /// `logging.lastResort`.
    pub fn set_last_resort(&self, least: Option<Severity>) {
        self.0.loggers.set_last_resort(least.map(builder::last_resort));
    }
}

impl Inner {
    /// Whether another layer of this system is in the subscriber that one gets into now. Layers of one subscriber are told
    /// one after the other, and see the same one of them first.
    fn doubled(&self, dispatch: &Dispatch) -> Option<Error> {
        let first = std::ptr::from_ref(dispatch.downcast_ref::<HandlerLayer<Entrance>>()?).addr();
        let mut last = self.last.get();
        let is_alive = |known: &WeakDispatch| known.upgrade().is_some();
        let before = last.replace((first, dispatch.downgrade()));
        // What is at the same place and alive is the same one, which is not dropped here.
        before
            .filter(|(known, weak)| *known == first && is_alive(weak))
            .map(|_| Error::config("the layer of one `Logging` is in the subscriber twice: every record comes twice"))
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging").field("loggers", &self.0.loggers).field("handlers", &self.handler_names()).finish()
    }
}

/// The first handler of every record.
struct Entrance {
    router: Router,
    inner: Arc<Inner>,
}

impl Handler for Entrance {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let _way = if self.inner.changes.load(Ordering::Relaxed) { Way::begin() } else { None };
        self.router.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.router.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new("logging")
    }
}
