//! The configured system and its state.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_core::{Dispatch, dispatcher::WeakDispatch};
use tracing_subscriber::{Layer, registry::LookupSpan};

use super::reload::Ready;
use crate::{
    Delivery, Description, Error, Fields, Flush, Handler, HandlerExt as _, HandlerLayer, Loggers, NamedHandler,
    Outcome, Severity,
    config::{
        build::InstalledHandler,
        config_filter::{ConfigFilter, RecordScope},
        document::Config,
        formatting::{self, Formatter},
        node::Node,
        setup::Setup,
    },
    fork::ForkMutex,
    loggers::{Explanation, Router},
    output::Stream,
};

/// A configured logging system: a layer for the subscriber, and the handle to change it at run time. Cheap to clone; clones
/// share the same system.
///
/// Everything here may be called from any thread at any time. A change is prepared in full, then applied at once: a
/// record takes either the old route or the new one, and none is lost or duplicated. A handler whose declaration stays
/// the same keeps its file, its queue and its ledger; its new level, filters and format are set one after the other, so
/// a record at that moment may meet the new format and the old level. A replaced handler ends after its last record,
/// and writes what it has buffered.
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
pub struct Logging(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) loggers: Loggers,
    pub(super) setup: Setup,
    pub(super) globals: Option<Fields>,
    pub(super) trace_ids: bool,
    pub(super) value_limit: Option<usize>,
    pub(super) state: ForkMutex<State>,
    /// Whether some filter changes records, so that each record needs a [`RecordScope`].
    pub(super) changes_records: AtomicBool,
    /// The subscriber that the layer was last installed in, and the address of the layer there.
    pub(super) last_install: ForkMutex<Option<(usize, WeakDispatch)>>,
}

#[derive(Clone, Default)]
pub(super) struct State {
    /// Detects changes by other threads while something is made without the lock.
    pub(super) version: u64,
    pub(super) formatters: BTreeMap<String, Formatter>,
    pub(super) filters: BTreeMap<String, (Node, ConfigFilter)>,
    pub(super) handlers: BTreeMap<String, InstalledHandler>,
    /// All handlers that may still be in use, in the order they were made.
    pub(super) made: Vec<InstalledHandler>,
    pub(super) config: Option<Config>,
    /// The levels that the configuration gave to loggers; those of later are set by hand.
    pub(super) levels: BTreeMap<String, Option<Severity>>,
}

impl State {
    pub(super) fn set_declaration(&mut self, name: &str, declaration: Node) {
        self.version += 1;
        if let Some(installed) = self.handlers.get_mut(name) {
            installed.declaration = declaration;
        }
    }
}

/// Why nothing was changed, and what was made in vain, to be dropped when nothing is locked.
pub(super) struct Rejected {
    pub(super) error: Error,
    #[expect(dead_code, reason = "only dropped, outside the lock")]
    pub(super) unused: Option<Box<Ready>>,
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self { error, unused: None }
    }
}

impl Logging {
    /// The layer for the subscriber. It captures each event once and passes it to the handlers of its logger and of the
    /// loggers above. Installed twice in one subscriber, it duplicates every record: the error handler is called.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: tracing_core::Subscriber + for<'a> LookupSpan<'a>,
    {
        let handler = RootHandler { router: self.0.loggers.router(), inner: Arc::clone(&self.0) };
        let mut layer = handler.into_layer().error_handler(self.0.setup.error_handler.clone());
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
        layer
            .install_check(move |dispatch| inner.upgrade()?.installed_twice(dispatch))
            .with_filter(self.0.loggers.clone())
    }

    /// The loggers: read and set levels, flags and handlers by name.
    pub fn loggers(&self) -> &Loggers {
        &self.0.loggers
    }

    /// Explains what would happen to a record: which logger and level decide, and which handlers get it.
    pub fn explain(&self, name: &str, severity: impl Into<Severity>) -> Explanation {
        self.0.loggers.explain(name, severity)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.get()
    }

    /// Prepares a change with nothing locked, since factories are foreign code, then applies it; tries again if the state has
    /// changed meanwhile.
    pub(super) fn update<R, P>(&self, mut make: impl FnMut(&State) -> Result<P, Error>) -> Result<R, Error>
    where
        P: FnOnce(&mut State) -> Result<R, Rejected>,
    {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let present = self.state().clone();
            let apply = make(&present)?;
            let mut state = self.state();
            if state.version != present.version {
                drop(state);
                continue;
            }
            state.version += 1;
            let result = apply(&mut state);
            drop(state);
            // Perhaps the last reference to the old state: not under the lock.
            drop(present);
            return result.map_err(|rejected| rejected.error);
        }
        Err(Error::config("the configuration is being changed too often by other threads"))
    }

    /// The current configuration. `None` if there is none yet, or [`BasicConfig`](super::BasicConfig) changed it.
    pub fn config(&self) -> Option<Config> {
        self.state().config.clone()
    }

    /// The names of all handlers, sorted.
    pub fn handler_names(&self) -> Vec<String> {
        self.state().handlers.keys().filter(|name| !name.is_empty()).cloned().collect()
    }

    /// Flushes and closes all handlers, the latest first, so that a handler comes before its targets. The next record opens
    /// files again.
    ///
    /// # Errors
    /// The first error. All handlers are closed, and each error handler is called.
    pub fn shutdown(&self) -> Result<(), Error> {
        let made = self.state().made.clone();
        let mut first = Ok(());
        for installed in made.iter().rev() {
            first = first.and(installed.configured.close());
        }
        first
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.0.setup
    }

    /// Sets the lowest severity at which records without any handler go to stderr; `None` drops them. Python:
    /// `logging.lastResort`.
    pub fn set_last_resort(&self, min_level: Option<Severity>) {
        self.0.loggers.set_last_resort(min_level.map(last_resort));
    }
}

impl Inner {
    /// Called for each layer in turn when its subscriber is installed: an error if another layer of this system is in the
    /// same subscriber. All layers find the same first one by downcast.
    fn installed_twice(&self, dispatch: &Dispatch) -> Option<Error> {
        let first = std::ptr::from_ref(dispatch.downcast_ref::<HandlerLayer<RootHandler>>()?).addr();
        let mut last = self.last_install.get();
        let is_alive = |known: &WeakDispatch| known.upgrade().is_some();
        let before = last.replace((first, dispatch.downgrade()));
        // Same address and alive: the same layer, so this drop is not its last.
        before
            .filter(|(known, weak)| *known == first && is_alive(weak))
            .map(|_| Error::config("the layer of one `Logging` is in the subscriber twice: every record comes twice"))
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging").field("loggers", &self.0.loggers).field("handlers", &self.handler_names()).finish()
    }
}

/// The handler of the layer: opens the scope of a record and routes it.
pub(super) struct RootHandler {
    pub(super) router: Router,
    pub(super) inner: Arc<Inner>,
}

impl Handler for RootHandler {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let _scope = if self.inner.changes_records.load(Ordering::Relaxed) { RecordScope::enter() } else { None };
        self.router.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.router.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new("logging")
    }
}

/// Python's last resort: the bare message and the exception, unescaped, on stderr.
pub(super) fn last_resort(min_level: Severity) -> NamedHandler {
    let handler = Stream::stderr().format(formatting::bare(true)).named("last resort");
    handler.set_level(min_level);
    handler
}
