//! The running system: what is configured now, and how to change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_subscriber::{Layer, registry::LookupSpan};

use super::{
    Setup,
    build::{self, Before, Builder, Hung, LoggerSays, Order, Prepared},
    document::Config,
    formatters::{self, Formatter},
    keywords,
    migration::MigrationReport,
    node::{Data, Map, Node},
    problem::{Problem, Problems},
    registry::Registry,
    sieve::{Sieve, Way},
    slot::Target,
};
use crate::{
    Error, Fields, Handler, Loggers, Outcome, Record, Severity, Shared,
    clock::Clock,
    loggers::{Declared, Explanation, Former, Router},
    output::Stream,
    text::python_repr,
    trap::Trap,
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
///     assert_eq!(logging.handler("out").unwrap().shared().stats().written, 1);
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
    state: Mutex<State>,
    /// Whether some filter changes records, so that they need a way.
    changes: AtomicBool,
}

#[derive(Clone, Default)]
struct State {
    /// Names the state: what is made without the lock counts only if nobody was faster.
    version: u64,
    formatters: BTreeMap<String, Formatter>,
    filters: BTreeMap<String, (Node, Sieve)>,
    handlers: BTreeMap<String, Hung>,
    /// All that may still be in use, in the order they were made.
    made: Vec<Hung>,
    config: Option<Config>,
}

impl Logging {
    /// A system with nothing configured: the root at WARN, and the last resort.
    pub fn new() -> Self {
        Self::builder().empty()
    }

    /// A system with options.
    pub fn builder() -> LoggingBuilder {
        LoggingBuilder {
            registry: Registry::new(),
            clock: None,
            trap: Trap::default(),
            globals: None,
            as_python: false,
            loggers: None,
        }
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

    /// The layer for the subscriber: captures each event once, and gives it to the handlers of its logger and above.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: tracing_core::Subscriber + for<'a> LookupSpan<'a>,
    {
        let entrance = Entrance { router: self.0.loggers.router(), inner: Arc::clone(&self.0) };
        let mut layer = entrance.into_layer().trap(self.0.setup.trap.clone());
        if let Some(clock) = &self.0.setup.clock {
            layer = layer.clock(Arc::clone(clock));
        }
        if let Some(globals) = &self.0.globals {
            layer = layer.globals(globals.clone());
        }
        layer.with_filter(self.0.loggers.clone())
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
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- as a whole

    /// Puts a configuration in place of the present one, or tells all that is wrong with it and changes nothing.
    ///
    /// # Errors
    /// [`Problems`]; or a handler could not be made (its file cannot be opened), which is one of them.
    pub fn reload(&self, config: &Config) -> Result<Changes, Error> {
        if config.root.get("incremental").is_some_and(Node::is_true) && !config.is_ini {
            return self.adjust(config);
        }
        let Replaced { changes, ended, former } = self.try_until_current(|present| {
            let (prepared, plan) = self.prepare(present, config)?;
            Ok(move |state: &mut State| self.commit(state, prepared, plan, config))
        })?;
        // Handlers end when nothing is locked.
        drop(former);
        for hung in ended.iter().rev() {
            // What goes wrong now is told to the trap.
            hung.shared.flush().unwrap_or_default();
            if self.0.setup.as_python {
                hung.slot.close().unwrap_or_default();
            }
        }
        Ok(changes)
    }

    /// Makes something of the present state with nothing locked, since factories are somebody else's code, and puts it in
    /// place; again if the state has changed meanwhile.
    fn try_until_current<R, P>(&self, mut make: impl FnMut(&State) -> Result<P, Error>) -> Result<R, Error>
    where
        P: FnOnce(&mut State) -> Result<R, Error>,
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
            return result;
        }
        Err(Error::config("the configuration is being changed by others all the time"))
    }

    /// What is wrong with a configuration, without putting it in place, and what is doubtful: two handlers on one file,
    /// records that come twice, levels that nothing reaches, files without end, parts that nobody uses, secrets in addresses,
    /// loggers that would be switched off.
    ///
    /// # Errors
    /// As [`reload`](Self::reload). Handlers are made to see whether they can be: files may be created, empty.
    pub fn check(&self, config: &Config) -> Result<Vec<Problem>, Error> {
        let present = self.state().clone();
        let (prepared, plan) = self.prepare(&present, config)?;
        drop(prepared);
        let mut warnings = super::check::warnings(config, &self.0.setup.registry);
        warnings.extend(plan.disabled.iter().map(|name| {
            let message = format!("the logger {name:?} would be switched off: it exists, and is not named here");
            Problem::new("disable_existing_loggers", None, message)
        }));
        Ok(warnings)
    }

    /// What of a Python configuration is taken as it is, what is different here and why, and what there is not.
    pub fn migration_report(&self, config: &Config) -> MigrationReport {
        super::migration::report(config, &self.0.setup)
    }

    fn prepare(&self, state: &State, config: &Config) -> Result<(Prepared, Plan), Error> {
        let before = Before { filters: &state.filters, handlers: &state.handlers };
        let mut builder = Builder::new(&self.0.setup, config, before);
        builder.check_top();
        if config.root.as_map().is_none() {
            return Err(Problems::into_error(std::mem::take(&mut builder.problems)));
        }
        builder.formatters();
        builder.filters();
        builder.handlers();
        let loggers = builder.loggers();
        let root = builder.root();
        let plan = self.plan(config, loggers, root, &mut builder.problems);
        let prepared = builder.finish().map_err(|mut problems| {
            if !self.0.setup.as_python {
                // People read from the top; Python goes by the parts.
                problems.sort_by_key(|problem| problem.at.map(|at| (at.line, at.column)));
            }
            Problems::into_error(problems)
        })?;
        Ok((prepared, plan))
    }

    /// The loggers as they will be.
    fn plan(
        &self,
        config: &Config,
        says: Vec<(String, LoggerSays)>,
        root: Option<LoggerSays>,
        problems: &mut Vec<Problem>,
    ) -> Plan {
        let as_python = self.0.setup.as_python;
        let disables = config.root.get("disable_existing_loggers").and_then(Node::as_bool).unwrap_or(as_python);
        let present = self.0.loggers.declared();
        let mut all: BTreeMap<String, Declared> = BTreeMap::new();
        if as_python {
            all.extend(present.iter().map(|declared| (declared.name.clone(), declared.clone())));
        } else if let Ok(mut root) = Declared::new("") {
            root.level = Some(Severity::WARN);
            all.insert(String::new(), root);
        }
        let mut named = BTreeSet::new();
        let mut disabled = Vec::new();
        for (name, says) in says {
            let made = match Declared::new(&name) {
                Ok(made) => made,
                Err(error) => {
                    let path = format!("loggers.{}", build::quoted_key(&name));
                    problems.push(Problem::new(path, None, error.to_string()));
                    continue;
                }
            };
            named.insert(made.name.clone());
            let logger = all.entry(made.name.clone()).or_insert(made);
            if !logger.name.is_empty() {
                logger.disabled = false;
                logger.propagate = says.propagate.unwrap_or(logger.propagate);
            }
            put(logger, says, as_python, config.is_ini);
        }
        if let Some(says) = root
            && let Some(logger) = all.get_mut("")
        {
            put(logger, says, as_python, config.is_ini);
        }
        for declared in present {
            let name = &declared.name;
            if name.is_empty() || named.contains(name) {
                continue;
            }
            let is_below = name.match_indices('.').any(|(at, _)| named.contains(&name[..at]));
            let was_disabled = declared.disabled;
            let logger = match (as_python, is_below || !disables) {
                (true, _) => all.get_mut(name),
                (false, false) => Some(all.entry(name.clone()).or_insert_with(|| Declared {
                    level: None,
                    propagate: true,
                    handlers: Vec::new(),
                    filters: Vec::new(),
                    ..declared.clone()
                })),
                (false, true) => None,
            };
            let Some(logger) = logger else { continue };
            if is_below {
                (logger.level, logger.propagate, logger.handlers) = (None, true, Vec::new());
            } else {
                logger.disabled = disables;
                if disables && !was_disabled {
                    disabled.push(logger.name.clone());
                }
            }
        }
        Plan { loggers: all.into_values().collect(), disabled }
    }

    fn commit(&self, state: &mut State, prepared: Prepared, plan: Plan, config: &Config) -> Result<Replaced, Error> {
        let Prepared { formatters, filters, handlers, wear, kept } = prepared;
        let changes_records = filters.values().any(|(_, sieve)| !sieve.only_decides());
        if changes_records {
            self.0.changes.store(true, Ordering::SeqCst);
        }
        for wear in wear {
            // The one thing that can still go wrong: emptying a file that was opened a moment ago.
            wear.put_on()?;
        }
        let former = self.0.loggers.declare(plan.loggers)?;
        let new: BTreeMap<String, Hung> = handlers.iter().cloned().collect();
        let old = std::mem::replace(&mut state.handlers, new);
        let is_kept = |hung: &Hung| state.handlers.values().any(|kept| kept.shared.is_same(&hung.shared));
        let (mut made, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut state.made).into_iter().partition(is_kept);
        if self.0.setup.as_python {
            // Loggers that the configuration does not name keep handlers that were closed, and open them again.
            let hanging = self.0.loggers.declared();
            let hangs = |hung: &&Hung| {
                hanging.iter().flat_map(|logger| &logger.handlers).any(|shared| shared.is_same(&hung.shared))
            };
            made.extend(ended.iter().filter(hangs).cloned());
        }
        let mut changes = Changes { disabled: plan.disabled, ..Changes::default() };
        for (name, hung) in handlers {
            match old.contains_key(&name) {
                _ if kept.contains(&name) => changes.kept.push(name),
                true => changes.replaced.push(name),
                false => changes.added.push(name),
            }
            if !made.iter().any(|known| known.shared.is_same(&hung.shared)) {
                made.push(hung);
            }
        }
        changes.removed = old.keys().filter(|name| !state.handlers.contains_key(*name)).cloned().collect();
        (state.formatters, state.filters, state.made) = (formatters, filters, made);
        state.config = Some(config.clone());
        Ok(Replaced { changes, ended, former })
    }

    /// `incremental`: levels and `propagate` of what is there.
    fn adjust(&self, config: &Config) -> Result<Changes, Error> {
        let mut state = self.state();
        state.version += 1;
        let mut builder =
            Builder::new(&self.0.setup, config, Before { filters: &state.filters, handlers: &state.handlers });
        builder.check_top();
        let mut problems = std::mem::take(&mut builder.problems);
        let exact = self.0.setup.as_python;
        let entries = |key: &str| config.root.get(key).and_then(Node::as_map).into_iter().flat_map(Map::iter);
        let mut handlers = Vec::new();
        for (key, node) in entries("handlers") {
            let path = format!("handlers.{}", build::quoted_key(&key.text));
            let Some(hung) = state.handlers.get(&key.text) else {
                let problem = Problem::new(path, key.at, format!("there is no handler {:?}", key.text));
                let problem = problem.python(format!("No handler found with name {}", python_repr(&key.text)));
                problems.push(problem.nearest(&key.text, state.handlers.keys().map(String::as_str)));
                continue;
            };
            if let Some(level) = node.get("level").filter(|level| level.is_true()) {
                match keywords::level(level, exact) {
                    Ok(level) => handlers.push((Arc::clone(&hung.slot), level)),
                    Err(mut problem) => {
                        problem.path = format!("{path}.level");
                        problems
                            .push(problem.within(&format!("Unable to configure handler {}", python_repr(&key.text))));
                    }
                }
            }
        }
        let mut all: BTreeMap<String, Declared> =
            self.0.loggers.declared().into_iter().map(|declared| (declared.name.clone(), declared)).collect();
        let root = config.root.get("root").filter(|root| root.is_true());
        let loggers = entries("loggers").map(|(key, node)| (&*key.text, node)).chain(root.map(|root| ("", root)));
        for (name, node) in loggers {
            let (path, outer) = match name {
                "" => ("root".to_owned(), "Unable to configure root logger".to_owned()),
                name => (
                    format!("loggers.{}", build::quoted_key(name)),
                    format!("Unable to configure logger {}", python_repr(name)),
                ),
            };
            let made = match Declared::new(name) {
                Ok(made) => made,
                Err(error) => {
                    problems.push(Problem::new(path, node.at, error.to_string()));
                    continue;
                }
            };
            let logger = all.entry(made.name.clone()).or_insert(made);
            if let Some(level) = node.get("level").filter(|level| !level.is_null()) {
                match keywords::level(level, exact) {
                    Ok(level) => logger.level = Some(level).filter(|level| *level != Severity::ALL),
                    Err(mut problem) => {
                        problem.path = format!("{path}.level");
                        problems.push(problem.within(&outer));
                    }
                }
            }
            if !logger.name.is_empty() {
                logger.disabled = false;
                if let Some(propagate) = node.get("propagate").filter(|propagate| !propagate.is_null()) {
                    logger.propagate = propagate.is_true();
                }
            }
        }
        Problems::check(problems)?;
        handlers.into_iter().for_each(|(slot, level)| slot.set_level(level));
        let former = self.0.loggers.declare(all.into_values().collect())?;
        let kept = state.handlers.keys().cloned().collect();
        drop(state);
        drop(former);
        Ok(Changes { kept, ..Changes::default() })
    }

    /// The configuration that is in place; none was, or it was changed since by [`Basic`](super::Basic).
    pub fn config(&self) -> Option<Config> {
        self.state().config.clone()
    }

    // --- handlers by name

    /// The names of the handlers, sorted.
    pub fn handler_names(&self) -> Vec<String> {
        self.state().handlers.keys().filter(|name| !name.is_empty()).cloned().collect()
    }

    /// A handler by its name.
    pub fn handler(&self, name: &str) -> Option<HandlerHandle> {
        let hung = self.state().handlers.get(name).cloned()?;
        Some(HandlerHandle { hung, logging: self.clone() })
    }

    /// Declares one more handler, or puts another in place of one: on every logger the new one hangs where the old one
    /// hung. `declaration` is an entry of `handlers`, whose formatter and filters are the configuration's; an inline
    /// mapping is a formatter, too.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload); then nothing is changed.
    pub fn set_handler(&self, name: &str, declaration: &impl serde::Serialize) -> Result<HandlerHandle, Error> {
        let node = to_node(declaration)?;
        let (hung, old) = self.try_until_current(|present| {
            let hung = self.make_handler(present, name, node.clone())?;
            Ok(move |state: &mut State| self.swap(state, name, Some(&hung)).map(|old| (hung.clone(), old)))
        })?;
        self.end(old);
        Ok(HandlerHandle { hung, logging: self.clone() })
    }

    /// Takes a handler off all loggers and forgets it. False if there is none of that name.
    pub fn remove_handler(&self, name: &str) -> bool {
        let old = {
            let mut state = self.state();
            if !state.handlers.contains_key(name) {
                return false;
            }
            state.version += 1;
            // Fewer handlers on the same loggers: that there are too many cannot be.
            self.swap(&mut state, name, None).unwrap_or_default()
        };
        self.end(old);
        true
    }

    fn end(&self, old: (Option<Hung>, Option<Former>)) {
        let (old, former) = old;
        drop(former);
        if let Some(old) = old {
            // What goes wrong now is told to the trap.
            old.shared.flush().unwrap_or_default();
        }
    }

    fn swap(&self, state: &mut State, name: &str, new: Option<&Hung>) -> Result<(Option<Hung>, Option<Former>), Error> {
        let old = state.handlers.get(name).cloned();
        let mut former = None;
        if let Some(old) = &old {
            let mut all = self.0.loggers.declared();
            for logger in &mut all {
                let Some(index) = logger.handlers.iter().position(|known| known.is_same(&old.shared)) else { continue };
                match new {
                    Some(new) => logger.handlers[index] = new.shared.clone(),
                    None => drop(logger.handlers.remove(index)),
                }
            }
            former = Some(self.0.loggers.declare(all)?);
            state.made.retain(|known| !known.shared.is_same(&old.shared));
        }
        match new {
            Some(new) => {
                state.handlers.insert(name.to_owned(), new.clone());
                state.made.push(new.clone());
            }
            None => drop(state.handlers.remove(name)),
        }
        Ok((old, former))
    }

    /// Makes a handler outside of a configuration, dressed.
    fn make_handler(&self, state: &State, name: &str, mut node: Node) -> Result<Hung, Error> {
        let setup = &self.0.setup;
        let path = format!("handlers.{}", build::quoted_key(name));
        let mut inline = None;
        if let Some(map) = node.as_map_mut()
            && let Some(formatter) = map.get("formatter").filter(|formatter| formatter.as_map().is_some()).cloned()
        {
            let made = formatters::make(&format!("{path}.formatter"), &formatter, &setup.registry, setup.as_python);
            inline = Some(made.map_err(Problems::into_error)?);
            map.0.retain(|(key, _)| key.text != "formatter");
        }
        // A configuration of this one handler, in which the names of the present one are known.
        let mut known = Before { filters: &state.filters, handlers: &state.handlers };
        let none = BTreeMap::new();
        known.handlers = &none;
        let root = Node::map([("version", Node::new(Data::Int(1))), ("handlers", Node::map([(name, node.clone())]))]);
        let config = Config::from_node(root);
        let mut builder = Builder::new(setup, &config, known);
        builder.lend(&state.formatters, &state.filters, &state.handlers);
        builder.handlers();
        let prepared = builder.finish().map_err(Problems::into_error)?;
        let hung = prepared.handlers.into_iter().find(|(known, _)| known == name).map(|(_, hung)| hung);
        for wear in prepared.wear {
            wear.put_on()?;
        }
        let hung = hung.ok_or_else(|| Error::config(format_args!("{path}: it was not made")))?;
        if let Some(formatter) = inline {
            hung.slot.dress.set_formatter(&formatter);
        }
        Ok(hung)
    }

    /// A filter by its declaration (an entry of `filters`), for [`HandlerHandle::add_filter`] and
    /// [`add_filter`](Self::add_filter).
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn make_filter(&self, declaration: &impl serde::Serialize) -> Result<Sieve, Error> {
        let node = to_node(declaration)?;
        build::make_filter(&self.0.setup, "filter", &node).map_err(Problems::into_error)
    }

    /// The filter of that name in the configuration.
    pub fn filter(&self, name: &str) -> Option<Sieve> {
        self.state().filters.get(name).map(|(_, sieve)| sieve.clone())
    }

    /// Hangs a filter on a logger; nothing happens if it hangs there already.
    ///
    /// # Errors
    /// As for [`Loggers::add`].
    pub fn add_filter(&self, logger: &str, filter: &Sieve) -> Result<(), Error> {
        self.note_filter(filter);
        self.0.loggers.add_filter(logger, filter.as_filter())
    }

    /// Takes a filter off a logger. False if it did not hang there.
    pub fn remove_filter(&self, logger: &str, filter: &Sieve) -> bool {
        self.0.loggers.remove_filter(logger, &filter.as_filter())
    }

    fn note_filter(&self, filter: &Sieve) {
        if !filter.only_decides() {
            self.0.changes.store(true, Ordering::SeqCst);
        }
    }

    // --- the end

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

    pub(super) fn setup(&self) -> &Setup {
        &self.0.setup
    }

    /// Adds unnamed handlers of [`Basic`](super::Basic) to the root. With `force`, all others are taken off and closed.
    pub(super) fn basic(
        &self,
        handlers: Vec<(String, Node)>,
        formatter: &Formatter,
        level: Option<Severity>,
        force: bool,
    ) -> Result<(), Error> {
        let (ended, former) = self.try_until_current(|present| {
            let mut made = Vec::new();
            for (name, node) in &handlers {
                let wears = node.get("formatter").is_some_and(|formatter| !formatter.is_null());
                let hung = self.make_handler(present, name, node.clone())?;
                if !wears {
                    hung.slot.dress.set_formatter(formatter);
                }
                made.push(hung);
            }
            Ok(move |state: &mut State| {
                let mut all = self.0.loggers.declared();
                let Some(root) = all.iter_mut().find(|logger| logger.name.is_empty()) else {
                    return Err(Error::config("there is no root logger"));
                };
                let mut ended = Vec::new();
                if force {
                    let taken = std::mem::take(&mut root.handlers);
                    ended = state
                        .made
                        .iter()
                        .filter(|hung| taken.iter().any(|shared| shared.is_same(&hung.shared)))
                        .cloned()
                        .collect();
                    state.handlers.retain(|_, hung| !ended.iter().any(|old: &Hung| old.shared.is_same(&hung.shared)));
                    state.made.retain(|hung| !ended.iter().any(|old: &Hung| old.shared.is_same(&hung.shared)));
                }
                root.handlers.extend(made.iter().map(|hung| hung.shared.clone()));
                if let Some(level) = level {
                    root.level = Some(level).filter(|level| *level != Severity::ALL);
                }
                let former = self.0.loggers.declare(all)?;
                for hung in made {
                    if !hung.slot.name.is_empty() {
                        state.handlers.insert(hung.slot.name.clone(), hung.clone());
                    }
                    state.made.push(hung);
                }
                state.config = None;
                Ok((ended, former))
            })
        })?;
        drop(former);
        for hung in ended.iter().rev() {
            // What goes wrong now is told to the trap.
            hung.slot.close().unwrap_or_default();
        }
        Ok(())
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

fn to_node(declaration: &impl serde::Serialize) -> Result<Node, Error> {
    let value = serde_json::to_value(declaration);
    let value = value.map_err(|error| Error::config(format_args!("the declaration cannot be taken: {error}")))?;
    Ok(value.into())
}

/// What a logger's entry says, put onto the logger.
fn put(logger: &mut Declared, says: LoggerSays, as_python: bool, is_ini: bool) {
    if let Some(level) = says.level {
        logger.level = Some(level).filter(|level| *level != Severity::ALL);
    } else if is_ini && !logger.name.is_empty() {
        // `fileConfig` leaves the level as it is, too: a new logger has none.
    }
    if !as_python {
        logger.filters.clear();
    }
    logger.handlers = says.handlers;
    for filter in says.sieves.iter().map(Sieve::as_filter) {
        if !logger.filters.iter().any(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(&filter))) {
            logger.filters.push(filter);
        }
    }
}

struct Plan {
    loggers: Vec<Declared>,
    disabled: Vec<String>,
}

struct Replaced {
    changes: Changes,
    ended: Vec<Hung>,
    former: Former,
}

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    added: Vec<String>,
    replaced: Vec<String>,
    removed: Vec<String>,
    kept: Vec<String>,
    disabled: Vec<String>,
}

impl Changes {
    /// Handlers that were not there before.
    pub fn added(&self) -> &[String] {
        &self.added
    }

    /// Handlers whose declaration is another one.
    pub fn replaced(&self) -> &[String] {
        &self.replaced
    }

    /// Handlers that are not there any more.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// Handlers that go on, with their files and queues; level, filters or format may be others.
    pub fn kept(&self) -> &[String] {
        &self.kept
    }

    /// Loggers that were switched off, because `disable_existing_loggers` is on and they were not named.
    pub fn disabled(&self) -> &[String] {
        &self.disabled
    }
}

/// `added a, b; kept c`
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("added", &self.added),
            ("replaced", &self.replaced),
            ("removed", &self.removed),
            ("kept", &self.kept),
            ("disabled loggers", &self.disabled),
        ];
        let told = parts.into_iter().filter(|(_, names)| !names.is_empty());
        for (index, (what, names)) in told.enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{what} {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// What a system has from the start. Made by [`Logging::builder`].
#[must_use]
pub struct LoggingBuilder {
    registry: Registry,
    clock: Option<Arc<dyn Clock>>,
    trap: Trap,
    globals: Option<Fields>,
    as_python: bool,
    loggers: Option<Loggers>,
}

impl LoggingBuilder {
    /// The names that configurations may use (default: [`Registry::new`]).
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Which clock records and rotating files go by (default: the system's).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where the failures of all handlers go (default: [`Trap::stderr`]).
    pub fn trap(mut self, trap: Trap) -> Self {
        self.trap = trap;
        self
    }

    /// Fields that every record carries.
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(fields.into());
        self
    }

    /// The loggers to configure (default: new ones), for an application that has some already.
    pub fn loggers(mut self, loggers: Loggers) -> Self {
        self.loggers = Some(loggers);
        self
    }

    /// Restores every default of Python's: see [Differences](super#differences-from-python). For a team that moves, to
    /// have the same lines first and the safe ones later.
    pub fn python_defaults(mut self) -> Self {
        self.as_python = true;
        self
    }

    /// A system with nothing configured.
    pub fn empty(self) -> Logging {
        let Self { registry, clock, trap, globals, as_python, loggers } = self;
        let loggers = loggers.unwrap_or_default();
        if as_python {
            loggers.set_last_resort(Some(last_resort(Severity::WARN)));
        }
        let setup = Setup { registry: Arc::new(registry), clock, trap, as_python };
        Logging(Arc::new(Inner { loggers, setup, globals, state: Mutex::default(), changes: AtomicBool::new(false) }))
    }

    /// A system with a configuration.
    ///
    /// # Errors
    /// As for [`Logging::reload`].
    pub fn build(self, config: &Config) -> Result<Logging, Error> {
        let logging = self.empty();
        logging.reload(config)?;
        Ok(logging)
    }
}

/// Python's last resort: the bare message and the exception, as they are, on stderr.
fn last_resort(least: Severity) -> Shared {
    let handler = Stream::stderr().format(Formatter::bare(true).boxed()).shared("last resort");
    handler.set_level(least);
    handler
}

impl Logging {
    /// From which severity on records that no handler was found for go to stderr; `None`: they are dropped. Python:
    /// `logging.lastResort`.
    pub fn set_last_resort(&self, least: Option<Severity>) {
        self.0.loggers.set_last_resort(least.map(last_resort));
    }
}

/// The first handler of every record.
struct Entrance {
    router: Router,
    inner: Arc<Inner>,
}

impl Handler for Entrance {
    #[inline]
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let _way = if self.inner.changes.load(Ordering::Relaxed) { Way::begin() } else { None };
        self.router.handle(record)
    }

    fn flush(&self) -> Result<(), Error> {
        self.router.flush()
    }

    #[inline]
    fn keeps(&self) -> bool {
        self.router.keeps()
    }

    fn default_name(&self) -> String {
        "logging".into()
    }
}

/// A handler of a [`Logging`] by its name, to be changed while it runs. Made by [`Logging::handler`].
pub struct HandlerHandle {
    hung: Hung,
    logging: Logging,
}

impl HandlerHandle {
    /// The name.
    pub fn name(&self) -> &str {
        &self.hung.slot.name
    }

    /// The handler as it hangs on loggers, with its ledger.
    pub fn shared(&self) -> &Shared {
        &self.hung.shared
    }

    /// The least severity it takes.
    pub fn level(&self) -> Severity {
        self.hung.slot.least_level()
    }

    /// Changes the least severity.
    pub fn set_level(&self, least: impl Into<Severity>) {
        self.hung.slot.set_level(least.into());
    }

    /// The filters, in the order in which they are asked.
    pub fn filters(&self) -> Vec<Sieve> {
        self.hung.slot.sieves().to_vec()
    }

    /// Adds a filter; nothing happens if it is there already.
    pub fn add_filter(&self, filter: &Sieve) {
        self.logging.note_filter(filter);
        let _alone = self.logging.state();
        let mut filters = self.filters();
        if !filters.iter().any(|known| known.is_same(filter)) {
            filters.push(filter.clone());
            self.hung.slot.set_sieves(filters);
        }
    }

    /// Takes a filter away. False if it was not there.
    pub fn remove_filter(&self, filter: &Sieve) -> bool {
        let _alone = self.logging.state();
        let mut filters = self.filters();
        let before = filters.len();
        filters.retain(|known| !known.is_same(filter));
        let removed = filters.len() < before;
        self.hung.slot.set_sieves(filters);
        removed
    }

    /// Changes the format: an entry of `formatters`, or the name of one in the configuration; `null` is the message alone.
    ///
    /// # Errors
    /// As for [`Logging::reload`].
    pub fn set_formatter(&self, declaration: &impl serde::Serialize) -> Result<(), Error> {
        let node = to_node(declaration)?;
        let setup = self.logging.setup();
        let formatter = match &node.data {
            Data::Null => Formatter::bare(setup.as_python),
            Data::Str(name) => {
                let found = self.logging.state().formatters.get(name).cloned();
                found.ok_or_else(|| Error::config(format_args!("there is no formatter {name:?}")))?
            }
            _ => {
                formatters::make("formatter", &node, &setup.registry, setup.as_python).map_err(Problems::into_error)?
            }
        };
        self.hung.slot.dress.set_formatter(&formatter);
        Ok(())
    }

    /// Changes one argument of its declaration (`maxBytes`, `stream` …) or, under `.`, an attribute (`terminator`,
    /// `ident` …). A new output with all the old arguments takes the place of the old one; files go on where they are.
    ///
    /// # Errors
    /// As for [`Logging::reload`]; then nothing is changed.
    pub fn set(&self, key: &str, value: &impl serde::Serialize) -> Result<(), Error> {
        let value = to_node(value)?;
        let (name, is_attribute) = match key.strip_prefix('.') {
            Some(name) => (name, true),
            None => (key, false),
        };
        let old = {
            // A copy: factories are somebody else's code, and run with nothing locked.
            let state = self.logging.state().clone();
            let mut whole =
                state.handlers.get(self.name()).map_or_else(|| self.hung.whole.clone(), |hung| hung.whole.clone());
            let Some(map) = whole.as_map_mut() else { return Err(Error::config("the handler has no declaration")) };
            if is_attribute {
                let mut dot = map.get(".").cloned().unwrap_or_else(|| Node::map([]));
                if let Some(dot) = dot.as_map_mut() {
                    dot.set(name, value);
                }
                map.set(".", dot);
            } else {
                map.set(name, value);
            }
            let Some(map) = whole.as_map() else { return Err(Error::config("the handler has no declaration")) };
            let path = format!("handlers.{}", build::quoted_key(self.name()));
            let mut problems = Vec::new();
            let slot = &self.hung.slot;
            let has_formatter = map.get("formatter").is_some_and(|node| !node.is_null());
            let is_ini = state.config.as_ref().is_some_and(|config| config.is_ini);
            let order =
                Order { name: self.name(), path: &path, node: &whole, map, is_ini, has_formatter, goes_on: true };
            let finished = |name: &str| state.handlers.get(name).map(|hung| Arc::clone(&hung.slot));
            if is_attribute && name == "terminator" {
                // Nothing but the lines changes: the file stays open.
                return self.set_terminator(whole.clone());
            }
            // What is held back comes first.
            slot.output().handler.flush()?;
            // The old one is gone before the next record.
            let output = crate::sink::succeeding(|| {
                build::make_output(self.logging.setup(), &order, &slot.dress, &finished, &mut problems)
            });
            Problems::check(problems)?;
            let Some(output) = output else { return Err(Error::config(format_args!("{path}: it was not made"))) };
            let old = slot.set_output(output);
            let mut state = self.logging.state();
            state.version += 1;
            if let Some(hung) = state.handlers.get_mut(self.name()) {
                hung.whole = whole;
            }
            old
        };
        // Ends when nothing is locked.
        drop(old);
        Ok(())
    }

    fn set_terminator(&self, whole: Node) -> Result<(), Error> {
        let terminator = whole.get(".").and_then(|dot| dot.get("terminator")).and_then(Node::as_str);
        let Some(terminator) = terminator else { return Err(Error::config(".terminator: expected a text")) };
        self.hung.slot.dress.set_terminator(terminator);
        let mut state = self.logging.state();
        state.version += 1;
        if let Some(hung) = state.handlers.get_mut(self.name()) {
            hung.whole = whole;
        }
        Ok(())
    }

    /// Another target for a memory, or none.
    ///
    /// # Errors
    /// There is no handler of that name, or this one has no target.
    pub fn set_target(&self, target: Option<&str>) -> Result<(), Error> {
        let target = match target {
            None => None,
            Some(name) => {
                let slot = self.logging.state().handlers.get(name).map(|hung| Arc::clone(&hung.slot));
                let slot = slot.ok_or_else(|| Error::config(format_args!("there is no handler {name:?}")))?;
                Some(Target { slot, with_level: false })
            }
        };
        match self.hung.slot.output().control.set_target(target) {
            true => Ok(()),
            false => Err(self.cannot("be given a target")),
        }
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        self.hung.shared.flush()
    }

    /// Flushes it and lets go of what is open. A file opens again with the next record.
    ///
    /// # Errors
    /// What the handler could not do.
    pub fn close(&self) -> Result<(), Error> {
        let closed = self.hung.slot.close();
        if self.logging.setup().as_python {
            // Python forgets the name of a closed handler.
            self.logging.state().handlers.remove(self.name());
        }
        closed
    }

    /// Ends the present file of a rotating one now.
    ///
    /// # Errors
    /// It is no rotating file, or what that could not do.
    pub fn rollover(&self) -> Result<(), Error> {
        self.hung.slot.output().control.rollover().unwrap_or_else(|| Err(self.cannot("roll over")))
    }

    /// Starts or stops the listener of a queue. Stopping waits for what is queued.
    ///
    /// # Errors
    /// It is no queue, or what is queued could not be brought to its place in time.
    pub fn listen(&self, on: bool) -> Result<(), Error> {
        self.hung.slot.output().control.listen(on).unwrap_or_else(|| Err(self.cannot("listen")))
    }

    /// Whether the listener of a queue runs; none if it is no queue.
    pub fn listens(&self) -> Option<bool> {
        self.hung.slot.output().control.listens()
    }

    /// How many records a memory or queue holds.
    pub fn held(&self) -> Option<usize> {
        self.hung.slot.output().control.held()
    }

    fn cannot(&self, what: &str) -> Error {
        Error::config(format_args!("handler {:?} cannot {what}", self.name()))
    }
}

impl fmt::Debug for HandlerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerHandle").field(&self.name()).finish()
    }
}
