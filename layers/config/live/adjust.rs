//! `incremental`: levels and `propagate` of what is there.

use std::{collections::BTreeMap, sync::Arc};

use super::{Changes, Logging, State};
use crate::{
    Error, Severity,
    config::{
        build::{self, Before, Builder},
        document::Config,
        keywords,
        node::{Map, Node},
        problem::{ConfigError, ConfigErrors},
        slot::Slot,
    },
    loggers::LoggerState,
    text::python_repr,
};

/// The levels of handlers, and the loggers, as they will be.
pub(super) struct Adjusted {
    handlers: Vec<(Arc<Slot>, Severity)>,
    loggers: Vec<LoggerState>,
}

impl Logging {
    /// `incremental`: levels and `propagate` of what is there.
    pub(super) fn adjust(&self, config: &Config) -> Result<Changes, Error> {
        let (kept, former) = self.try_until_current(|present| {
            let Adjusted { handlers, loggers } = self.adjusted(present, config)?;
            Ok(move |state: &mut State| {
                let former = self.0.loggers.replace_all(loggers)?;
                handlers.into_iter().for_each(|(slot, level)| slot.set_level(level));
                Ok((state.handlers.keys().cloned().collect(), former))
            })
        })?;
        drop(former);
        Ok(Changes { kept, ..Changes::default() })
    }

    pub(super) fn adjusted(&self, state: &State, config: &Config) -> Result<Adjusted, Error> {
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
                let problem = ConfigError::new(path, key.at, format!("there is no handler {:?}", key.text));
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
        let mut all: BTreeMap<String, LoggerState> =
            self.0.loggers.snapshot().into_iter().map(|declared| (declared.name.clone(), declared)).collect();
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
            let made = match LoggerState::new(name) {
                Ok(made) => made,
                Err(error) => {
                    problems.push(ConfigError::new(path, node.at, error.to_string()));
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
        ConfigErrors::check(problems)?;
        Ok(Adjusted { handlers, loggers: all.into_values().collect() })
    }
}
