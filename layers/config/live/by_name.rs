//! Handlers and filters one at a time, by name.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use super::{HandlerHandle, Logging, State};
use crate::{
    Error, Flush, Handler, NamedHandler, Severity,
    config::{
        build::{self, Before, Builder, Hung},
        document::Config,
        filters,
        formatters::{self, Formatter},
        node::{Data, Node},
        problem::ConfigErrors,
        sieve::ConfigFilter,
    },
};

impl Logging {
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
            Ok(move |state: &mut State| Ok((hung.clone(), self.swap(state, name, Some(&hung)))))
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
            self.swap(&mut state, name, None)
        };
        self.end(old);
        true
    }

    /// What was there before ends when nothing is locked.
    fn end(&self, ended: (Option<Hung>, Vec<NamedHandler>)) {
        let (old, taken) = ended;
        drop(taken);
        if let Some(old) = old {
            // What goes wrong now is told to the trap.
            Handler::flush(&old.shared, &Flush::END).unwrap_or_default();
        }
    }

    fn swap(&self, state: &mut State, name: &str, new: Option<&Hung>) -> (Option<Hung>, Vec<NamedHandler>) {
        let old = state.handlers.get(name).cloned();
        let mut taken = Vec::new();
        if let Some(old) = &old {
            taken = self.0.loggers.exchange_handler(&old.shared, new.map(|new| &new.shared));
            state.made.retain(|known| !known.shared.is_same(&old.shared));
        }
        match new {
            Some(new) => {
                state.handlers.insert(name.to_owned(), new.clone());
                state.made.push(new.clone());
            }
            None => drop(state.handlers.remove(name)),
        }
        (old, taken)
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
            inline = Some(made.map_err(ConfigErrors::into_error)?);
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
        let prepared = builder.finish().map_err(ConfigErrors::into_error)?;
        let hung = prepared.handlers.into_iter().find(|(known, _)| known == name).map(|(_, hung)| hung);
        for wear in prepared.wear {
            wear.begin()?;
            wear.put_on().end();
        }
        let hung = hung.ok_or_else(|| Error::config(format_args!("{path}: it was not made")))?;
        if let Some(formatter) = inline {
            hung.slot.set_formatter(&formatter).end();
        }
        Ok(hung)
    }

    /// A filter by its declaration (an entry of `filters`), for [`HandlerHandle::add_filter`] and
    /// [`add_filter`](Self::add_filter).
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn make_filter(&self, declaration: &impl serde::Serialize) -> Result<ConfigFilter, Error> {
        let node = to_node(declaration)?;
        filters::make(&self.0.setup, "filter", &node).map_err(ConfigErrors::into_error)
    }

    /// The filter of that name in the configuration.
    pub fn filter(&self, name: &str) -> Option<ConfigFilter> {
        self.state().filters.get(name).map(|(_, sieve)| sieve.clone())
    }

    /// Hangs a filter on a logger; nothing happens if it hangs there already.
    ///
    /// # Errors
    /// As for [`Loggers::add`](crate::Loggers::add)(crate::Loggers::add).
    pub fn add_filter(&self, logger: &str, filter: &ConfigFilter) -> Result<(), Error> {
        self.note_filter(filter);
        self.0.loggers.add_filter(logger, filter.as_filter())
    }

    /// Takes a filter off a logger. False if it did not hang there.
    pub fn remove_filter(&self, logger: &str, filter: &ConfigFilter) -> bool {
        self.0.loggers.remove_filter(logger, &filter.as_filter())
    }

    pub(super) fn note_filter(&self, filter: &ConfigFilter) {
        if !filter.only_decides() {
            self.0.changes.store(true, Ordering::SeqCst);
        }
    }

    /// Adds unnamed handlers of [`BasicConfig`](super::BasicConfig) to the root. With `force`, all others are taken off and closed.
    pub(in crate::config) fn basic(
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
                    hung.slot.set_formatter(formatter).end();
                }
                made.push(hung);
            }
            Ok(move |state: &mut State| {
                let mut all = self.0.loggers.snapshot();
                let Some(root) = all.iter_mut().find(|logger| logger.name.is_empty()) else {
                    return Err(Error::config("there is no root logger").into());
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
                let former = self.0.loggers.replace_all(all)?;
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

pub(super) fn to_node(declaration: &impl serde::Serialize) -> Result<Node, Error> {
    let value = serde_json::to_value(declaration);
    let value = value.map_err(|error| Error::config(format_args!("the declaration cannot be taken: {error}")))?;
    Ok(value.into())
}
