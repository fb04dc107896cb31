//! Another configuration in place of the present one: prepared in full, then put in place at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use super::{Changes, Logging, Refused, State};
use crate::{
    Error, Flush, Handler, Loggers, Severity,
    config::{
        build::{self, Before, Builder, Hung, LoggerSays, Prepared, Wear},
        check,
        document::Config,
        migration::{self, MigrationReport},
        node::Node,
        problem::{ConfigError, ConfigErrors},
        sieve::ConfigFilter,
        slot::Displaced,
    },
    loggers::{LoggerState, RetiredLoggers},
};

impl Logging {
    /// Puts a configuration in place of the present one, or tells all that is wrong with it and changes nothing.
    ///
    /// # Errors
    /// [`ConfigErrors`]; or a handler could not be made (its file cannot be opened), which is one of them.
    pub fn reload(&self, config: &Config) -> Result<Changes, Error> {
        if is_incremental(config) {
            return self.adjust(config);
        }
        let Replaced { changes, ended, former, displaced } = self.try_until_current(|present| {
            let (prepared, plan) = self.prepare(present, config)?;
            Ok(move |state: &mut State| self.commit(state, prepared, plan, config))
        })?;
        // Handlers end when nothing is locked.
        drop(former);
        displaced.into_iter().for_each(Displaced::end);
        for hung in ended.into_iter().rev() {
            // What goes wrong now is told to the trap.
            Handler::flush(&hung.shared, &Flush::END).unwrap_or_default();
            if self.0.setup.as_python {
                hung.slot.close().unwrap_or_default();
            }
        }
        Ok(changes)
    }

    /// What is wrong with a configuration, without putting it in place, and what is doubtful: two handlers on one file,
    /// records that come twice, levels that nothing reaches, files without end, parts that nobody uses, keys that mean
    /// nothing, two names of one logger, handlers that hand on to nobody, a host and port as the path of a socket, secrets in
    /// addresses, loggers that would be switched off.
    ///
    /// # Errors
    /// As [`reload`](Self::reload). Handlers are made to see whether they can be: files may be created, empty.
    pub fn check(&self, config: &Config) -> Result<Vec<ConfigError>, Error> {
        let present = self.state().clone();
        if is_incremental(config) {
            self.adjusted(&present, config)?;
            return Ok(Vec::new());
        }
        let (prepared, plan) = self.prepare(&present, config)?;
        drop(prepared);
        let mut warnings = check::warnings(config, &self.0.setup.registry);
        warnings.extend(plan.disabled.iter().map(|name| {
            let message = format!("the logger {name:?} would be switched off: it exists, and is not named here");
            ConfigError::new("disable_existing_loggers", None, message)
        }));
        Ok(warnings)
    }

    /// What of a Python configuration is taken as it is, what is different here and why, and what there is not.
    pub fn migration_report(&self, config: &Config) -> MigrationReport {
        migration::report(config, &self.0.setup)
    }

    fn prepare(&self, state: &State, config: &Config) -> Result<(Prepared, Plan), Error> {
        let before = Before { filters: &state.filters, handlers: &state.handlers };
        let mut builder = Builder::new(&self.0.setup, config, before);
        builder.check_top();
        if config.root.as_map().is_none() {
            return Err(ConfigErrors::into_error(std::mem::take(&mut builder.problems)));
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
            ConfigErrors::into_error(problems)
        })?;
        Ok((prepared, plan))
    }

    /// The loggers as they will be.
    fn plan(
        &self,
        config: &Config,
        says: Vec<(String, LoggerSays)>,
        root: Option<LoggerSays>,
        problems: &mut Vec<ConfigError>,
    ) -> Plan {
        let as_python = self.0.setup.as_python;
        let disables = config.root.get("disable_existing_loggers").and_then(Node::as_bool).unwrap_or(as_python);
        let present = self.0.loggers.snapshot();
        let mut all: BTreeMap<String, LoggerState> = BTreeMap::new();
        if as_python {
            all.extend(present.iter().map(|declared| (declared.name.clone(), declared.clone())));
        } else if let Ok(mut root) = LoggerState::new("") {
            root.level = Some(Severity::WARN);
            all.insert(String::new(), root);
        }
        let mut named = BTreeSet::new();
        let mut disabled = Vec::new();
        for (name, says) in says {
            let made = match LoggerState::new(&name) {
                Ok(made) => made,
                Err(error) => {
                    let path = format!("loggers.{}", build::quoted_key(&name));
                    problems.push(ConfigError::new(path, None, error.to_string()));
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
                (false, false) => Some(all.entry(name.clone()).or_insert_with(|| LoggerState {
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

    fn commit(&self, state: &mut State, prepared: Prepared, plan: Plan, config: &Config) -> Result<Replaced, Refused> {
        let begin = || prepared.wear.iter().try_for_each(Wear::begin);
        if let Err(error) = Loggers::check_count(&plan.loggers).and_then(|()| begin()) {
            return Err(Refused { error, made: Some(Box::new(prepared)) });
        }
        let Prepared { formatters, filters, handlers, wear, kept } = prepared;
        let changes_records = filters.values().any(|(_, sieve)| !sieve.only_decides());
        if changes_records {
            self.0.changes.store(true, Ordering::SeqCst);
        }
        // Handlers are dressed when they are hung up.
        let displaced = wear.into_iter().map(Wear::put_on).collect();
        let former = self.0.loggers.replace_all(plan.loggers)?;
        let new: BTreeMap<String, Hung> = handlers.iter().cloned().collect();
        let old = std::mem::replace(&mut state.handlers, new);
        let is_kept = |hung: &Hung| state.handlers.values().any(|kept| kept.shared.is_same(&hung.shared));
        let (mut made, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut state.made).into_iter().partition(is_kept);
        if self.0.setup.as_python {
            // Loggers that the configuration does not name keep handlers that were closed, and open them again.
            let hanging = self.0.loggers.snapshot();
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
        Ok(Replaced { changes, ended, former, displaced })
    }
}

/// What a logger's entry says, put onto the logger.
fn put(logger: &mut LoggerState, says: LoggerSays, as_python: bool, is_ini: bool) {
    if let Some(level) = says.level {
        logger.level = Some(level).filter(|level| *level != Severity::ALL);
    } else if is_ini && !logger.name.is_empty() {
        // `fileConfig` leaves the level as it is, too: a new logger has none.
    }
    if !as_python {
        logger.filters.clear();
    }
    logger.handlers = says.handlers;
    for filter in says.sieves.iter().map(ConfigFilter::as_filter) {
        if !logger.filters.iter().any(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(&filter))) {
            logger.filters.push(filter);
        }
    }
}

struct Plan {
    loggers: Vec<LoggerState>,
    disabled: Vec<String>,
}

struct Replaced {
    changes: Changes,
    ended: Vec<Hung>,
    former: RetiredLoggers,
    displaced: Vec<Displaced>,
}

/// Whether it only changes levels and `propagate` of what is there.
fn is_incremental(config: &Config) -> bool {
    config.root.get("incremental").is_some_and(Node::is_true) && !config.is_ini
}
