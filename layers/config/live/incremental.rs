//! `incremental`: changes levels and `propagate` of existing handlers and loggers.

use std::sync::Arc;

use super::{
    changes::Changes,
    logging::{Logging, State},
};
use crate::{
    Error, Loggers, Severity,
    config::{
        build::{Builder, Previous, unknown_logger_keys},
        configured_handler::ConfiguredHandler,
        document::Config,
        error::{ConfigError, ConfigErrors},
        handler_args,
        node::quoted_key,
    },
    loggers::AllLoggers,
    text::python_repr,
};

/// The new levels of handlers, and the new state of the loggers.
pub(super) struct Incremental {
    handlers: Vec<(Arc<ConfiguredHandler>, Severity)>,
    loggers: AllLoggers,
}

impl Logging {
    pub(super) fn apply_incremental(&self, config: &Config) -> Result<Changes, Error> {
        let (kept, former) = self.update(|present| {
            let Incremental { handlers, loggers } = self.plan_incremental(present, config)?;
            Ok(move |state: &mut State| {
                let former = self.0.loggers.replace_all(loggers)?;
                handlers.into_iter().for_each(|(configured, level)| configured.set_level(level));
                Ok((state.handlers.keys().cloned().collect(), former))
            })
        })?;
        drop(former);
        Ok(Changes { kept, ..Changes::default() })
    }

    pub(super) fn plan_incremental(&self, state: &State, config: &Config) -> Result<Incremental, Error> {
        let mut builder =
            Builder::new(&self.0.setup, config, Previous { filters: &state.filters, handlers: &state.handlers });
        builder.check_top();
        let mut problems = std::mem::take(&mut builder.problems);
        let exact = self.0.setup.as_python;
        let mut handlers = Vec::new();
        for (key, node) in config.root.section("handlers") {
            let path = format!("handlers.{}", quoted_key(&key.text));
            let Some(installed) = state.handlers.get(&key.text) else {
                let problem = ConfigError::new(path, key.at, format!("there is no handler {:?}", key.text));
                let problem = problem.python(format!("No handler found with name {}", python_repr(&key.text)));
                problems.push(problem.nearest(&key.text, state.handlers.keys().map(String::as_str)));
                continue;
            };
            if let Some(level) = node.get("level").filter(|level| level.is_true()) {
                match handler_args::level(level, exact, &format!("{path}.level")) {
                    Ok(level) => handlers.push((Arc::clone(&installed.configured), level)),
                    Err(problem) => {
                        problems
                            .push(problem.within(&format!("Unable to configure handler {}", python_repr(&key.text))));
                    }
                }
            }
        }
        let mut all = self.0.loggers.snapshot();
        let root = config.root.get("root").filter(|root| root.is_true());
        let loggers =
            config.root.section("loggers").map(|(key, node)| (&*key.text, node)).chain(root.map(|root| ("", root)));
        for (name, node) in loggers {
            let (path, outer) = match name {
                "" => ("root".to_owned(), "Unable to configure root logger".to_owned()),
                name => (
                    format!("loggers.{}", quoted_key(name)),
                    format!("Unable to configure logger {}", python_repr(name)),
                ),
            };
            let name = match Loggers::canonical_name(name) {
                Ok(name) => name,
                Err(error) => {
                    problems.push(ConfigError::new(path, node.at, error.to_string()));
                    continue;
                }
            };
            if let Some(map) = node.as_map().filter(|_| !exact) {
                problems.extend(unknown_logger_keys(&path, map));
            }
            let is_root = name.is_empty();
            let logger = all.entry(name).or_default();
            if let Some(level) = node.get("level").filter(|level| !level.is_null()) {
                match handler_args::level(level, exact, &format!("{path}.level")) {
                    Ok(level) => logger.level = Some(level).filter(|level| *level != Severity::ALL),
                    Err(problem) => problems.push(problem.within(&outer)),
                }
            }
            if !is_root {
                logger.disabled = false;
                if let Some(propagate) = node.get("propagate").filter(|propagate| !propagate.is_null()) {
                    logger.propagate = propagate.is_true();
                }
            }
        }
        ConfigErrors::check(problems)?;
        Ok(Incremental { handlers, loggers: all })
    }
}
