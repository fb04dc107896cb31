//! Replaces the configuration: prepares the new one in full, then applies it at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use super::{
    changes::Changes,
    logging::{Logging, Rejected, State},
};
use crate::{
    Error, Flush, Handler, Loggers, NamedHandler, Severity,
    config::{
        build::{Builder, InstalledHandler, LoggerSpec, PendingUpdate, Prepared, Previous, Turn},
        check,
        config_filter::ConfigFilter,
        configured_handler::Retired,
        document::Config,
        error::{ConfigError, ConfigErrors},
        migration::{self, MigrationReport},
        node::{Node, quoted_key},
    },
    loggers::{AllLoggers, LoggerState, RetiredLoggers},
};

impl Logging {
    /// Replaces the configuration. If the new one has mistakes, the error lists all of them and nothing changes.
    ///
    /// # Errors
    /// [`ConfigErrors`]; a handler that cannot be made (its file cannot be opened) is one of them.
    pub fn reload(&self, config: &Config) -> Result<Changes, Error> {
        self.replace(config, |_| Ok(()))
    }

    /// As [`reload`](Self::reload), but tries the new configuration first: each handler that is new or replaced is opened
    /// beside the old ones, gets a record (INFO, target `tracing_strata`, "a new configuration is tried") and is flushed.
    /// If one fails, drops the record or panics, the new handlers are closed and everything goes on as before; the error
    /// names each that failed and says why. Otherwise the swap is at once, as ever: no record is lost, and none but the
    /// trial's is written twice. That record stays in files that are appended to, and takes part in what handlers send.
    ///
    /// It takes as long as the handlers' flushes, each of which has its own timeout.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), and those of the trial, at `handlers.NAME`.
    pub fn reload_with_trial(&self, config: &Config) -> Result<Changes, Error> {
        self.replace(config, |ready| ConfigErrors::check(ready.prepared.try_handlers(&self.0.setup.error_handler)))
    }

    fn replace(&self, config: &Config, check: impl Fn(&Ready) -> Result<(), Error>) -> Result<Changes, Error> {
        if is_incremental(config) {
            return self.apply_incremental(config);
        }
        let Applied { changes, ended, former, retired } = self.update(|present| {
            let mut ready = self.prepare(present, config, Turn::Make)?;
            ready.prepared.open()?;
            check(&ready)?;
            Ok(move |state: &mut State| self.commit(state, ready, config))
        })?;
        // Dropped when nothing is locked.
        drop(former);
        retired.into_iter().for_each(Retired::finish);
        for installed in ended.into_iter().rev() {
            // The error handler gets failures.
            Handler::flush(&installed.named, &Flush::END).unwrap_or_default();
            if self.0.setup.as_python {
                installed.configured.close().unwrap_or_default();
            }
        }
        Ok(changes)
    }

    /// Checks a configuration without applying it, and returns warnings: two handlers on one file, duplicate records, levels
    /// that no record reaches, files that grow without limit, unused parts, unknown keys, two names of one logger, handlers
    /// without targets, a host and port as the path of a socket, secrets in addresses, loggers that would be disabled.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), but for what only opening a file shows. It opens nothing, and starts no thread; the
    /// application's [own classes](crate::config::ClassRegistry::handler) are made and dropped.
    pub fn check(&self, config: &Config) -> Result<Vec<ConfigError>, Error> {
        let present = self.state().clone();
        if is_incremental(config) {
            self.plan_incremental(&present, config)?;
            return Ok(Vec::new());
        }
        let Ready { plan, .. } = self.prepare(&present, config, Turn::Make)?;
        let mut warnings = check::warnings(config, &self.0.setup.registry);
        warnings.extend(plan.disabled.iter().map(|name| {
            let message = format!("the logger {name:?} would be switched off: it exists, and is not named here");
            ConfigError::new("disable_existing_loggers", None, message)
        }));
        Ok(warnings)
    }

    /// Reports which parts of a Python configuration work unchanged, which differ and why, and which are not supported. It tries
    /// to build all but the application's [own classes](crate::config::ClassRegistry::handler), as a [`reload`](Self::reload)
    /// of this system would, and opens nothing.
    pub fn migration_report(&self, config: &Config) -> MigrationReport {
        let present = self.state().clone();
        let tried = match is_incremental(config) {
            true => self.plan_incremental(&present, config).map(drop),
            false => self.prepare(&present, config, Turn::Check).map(drop),
        };
        let problems = tried.as_ref().err().and_then(ConfigErrors::of);
        migration::report(config, &self.0.setup, problems.into_iter().flat_map(ConfigErrors::iter))
    }

    /// Checks all, and opens nothing.
    pub(super) fn prepare(&self, state: &State, config: &Config, turn: Turn) -> Result<Ready, Error> {
        let previous = Previous { filters: &state.filters, handlers: &state.handlers };
        let mut builder = Builder::new(&self.0.setup, config, previous);
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
        if turn == Turn::Make {
            builder.own_handlers();
        }
        let prepared = builder.finish().map_err(|mut problems| {
            if !self.0.setup.as_python {
                // In the order of the source; Python goes by section.
                problems.sort_by_key(|problem| problem.at);
            }
            ConfigErrors::into_error(problems)
        })?;
        Ok(Ready { plan, prepared })
    }

    /// The handlers and levels of loggers that no configuration has set. A reload replaces them.
    pub(super) fn set_by_hand(&self, state: &State, loggers: &AllLoggers) -> Vec<String> {
        // Python's defaults leave loggers as they are unless the configuration names them.
        if self.0.setup.as_python {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (name, logger) in loggers {
            let shown = || match &**name {
                "" => "the root logger".to_owned(),
                name => format!("the logger {name:?}"),
            };
            let is_ours = |named: &NamedHandler| state.handlers.values().any(|ours| ours.named.is_same(named));
            let by_hand = logger.handlers.iter().filter(|named| !is_ours(named));
            found.extend(by_hand.map(|named| format!("handler {:?} of {}", named.name(), shown())));
            let unset = name.is_empty().then_some(Severity::WARN);
            let given = state.levels.get(name).copied().unwrap_or(unset);
            if let Some(level) = logger.level.filter(|level| Some(*level) != given) {
                found.push(format!("level {level} of {}", shown()));
            }
        }
        found
    }

    /// Computes the new state of the loggers.
    fn plan(
        &self,
        config: &Config,
        spec: Vec<(String, LoggerSpec)>,
        root: Option<LoggerSpec>,
        problems: &mut Vec<ConfigError>,
    ) -> Plan {
        let as_python = self.0.setup.as_python;
        let disables = config.root.get("disable_existing_loggers").and_then(Node::as_bool).unwrap_or(as_python);
        let present = self.0.loggers.snapshot();
        let mut all = match as_python {
            true => present.clone(),
            false => AllLoggers::from([(String::new(), LoggerState::root())]),
        };
        let mut named = BTreeSet::new();
        let mut disabled = Vec::new();
        for (name, spec) in spec {
            let canonical = match Loggers::canonical_name(&name) {
                Ok(canonical) => canonical,
                Err(error) => {
                    let path = format!("loggers.{}", quoted_key(&name));
                    problems.push(ConfigError::new(path, spec.at, error.to_string()));
                    continue;
                }
            };
            named.insert(canonical.clone());
            let is_root = canonical.is_empty();
            let logger = all.entry(canonical).or_default();
            if !is_root {
                logger.disabled = false;
                logger.propagate = spec.propagate.unwrap_or(logger.propagate);
            }
            apply_spec(logger, spec, as_python);
        }
        if let Some(spec) = root {
            if let Some(logger) = all.get_mut("") {
                apply_spec(logger, spec, as_python);
            }
        }
        for (name, declared) in &present {
            if name.is_empty() || named.contains(name) {
                continue;
            }
            let is_below = name.match_indices('.').any(|(at, _)| named.contains(&name[..at]));
            let was_disabled = declared.disabled;
            let logger = match (as_python, is_below || !disables) {
                (true, _) => all.get_mut(name),
                (false, false) => Some(all.entry(name.clone()).or_default()),
                (false, true) => None,
            };
            let Some(logger) = logger else { continue };
            if is_below {
                (logger.level, logger.propagate, logger.handlers) = (None, true, Vec::new());
            } else {
                logger.disabled = disables;
                if disables && !was_disabled {
                    disabled.push(name.clone());
                }
            }
        }
        if let Err(error) = Loggers::check_count(&all) {
            let at = config.root.get("loggers").and_then(|node| node.at);
            problems.push(ConfigError::new("loggers", at, error.to_string()));
        }
        Plan { loggers: all, disabled, present }
    }

    pub(super) fn commit(&self, state: &mut State, ready: Ready, config: &Config) -> Result<Applied, Rejected> {
        if let Err(error) = ready.prepared.updates.iter().try_for_each(PendingUpdate::activate) {
            return Err(Rejected { error, unused: Some(Box::new(ready)) });
        }
        let Ready { plan, prepared } = ready;
        let Prepared { formatters, filters, handlers, updates, reused, creations } = prepared;
        creations.keep();
        if filters.values().any(|(_, filter)| !filter.only_decides()) {
            self.0.changes_records.store(true, Ordering::SeqCst);
        }
        // Levels, filters and formats first: then loggers may use the handlers.
        let retired = updates.into_iter().map(PendingUpdate::apply).collect();
        let overridden = self.set_by_hand(state, &plan.present);
        let levels = plan.loggers.iter().map(|(name, logger)| (name.clone(), logger.level)).collect();
        let former = self.0.loggers.replace_all(plan.loggers)?;
        state.levels = levels;
        let new: BTreeMap<String, InstalledHandler> = handlers.iter().cloned().collect();
        let old = std::mem::replace(&mut state.handlers, new);
        let is_kept = |installed: &InstalledHandler| {
            state.handlers.values().any(|present| present.named.is_same(&installed.named))
        };
        let (mut made, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut state.made).into_iter().partition(is_kept);
        if self.0.setup.as_python {
            // Loggers that the configuration does not name keep their closed handlers, and open them again.
            let loggers = self.0.loggers.snapshot();
            let is_attached = |installed: &&InstalledHandler| {
                loggers.values().flat_map(|logger| &logger.handlers).any(|named| named.is_same(&installed.named))
            };
            made.extend(ended.iter().filter(is_attached).cloned());
        }
        let mut changes = Changes { disabled: plan.disabled, overridden, ..Changes::default() };
        for (name, installed) in handlers {
            match old.contains_key(&name) {
                _ if reused.contains(&name) => changes.kept.push(name),
                true => changes.replaced.push(name),
                false => changes.added.push(name),
            }
            if !made.iter().any(|known| known.named.is_same(&installed.named)) {
                made.push(installed);
            }
        }
        changes.removed = old.keys().filter(|name| !state.handlers.contains_key(*name)).cloned().collect();
        (state.formatters, state.filters, state.made) = (formatters, filters, made);
        state.config = Some(config.clone());
        Ok(Applied { changes, ended, former, retired })
    }
}

/// Applies an entry to a logger.
fn apply_spec(logger: &mut LoggerState, spec: LoggerSpec, as_python: bool) {
    if let Some(level) = spec.level {
        logger.level = Some(level).filter(|level| *level != Severity::ALL);
    }
    if !as_python {
        logger.filters.clear();
    }
    logger.handlers = spec.handlers;
    spec.filters.iter().map(ConfigFilter::as_filter).for_each(|filter| logger.add_filter(filter));
}

/// A configuration that was checked. Its loggers let go of its handlers first.
pub(super) struct Ready {
    plan: Plan,
    pub(super) prepared: Prepared,
}

struct Plan {
    loggers: AllLoggers,
    disabled: Vec<String>,
    /// The loggers as they are.
    present: AllLoggers,
}

pub(super) struct Applied {
    changes: Changes,
    ended: Vec<InstalledHandler>,
    former: RetiredLoggers,
    pub(super) retired: Vec<Retired>,
}

/// Whether it only changes levels and `propagate` of what is there.
pub(super) fn is_incremental(config: &Config) -> bool {
    config.root.get("incremental").is_some_and(Node::is_true) && !config.is_ini
}
