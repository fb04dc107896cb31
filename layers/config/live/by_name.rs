//! Adds and removes single handlers and filters.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use super::{
    handle::HandlerHandle,
    logging::{Logging, State},
};
use crate::{
    Error, Flush, Handler, NamedHandler, Severity,
    config::{
        build::{Builder, InstalledHandler, PendingUpdate, Prepared, Previous},
        classes::{filters, formatters},
        config_filter::ConfigFilter,
        document::Config,
        error::ConfigErrors,
        formatting::Formatter,
        node::{Data, Node, quoted_key},
    },
};

impl Logging {
    /// Adds a handler, or replaces the one of that name on every logger that has it. `declaration` is an entry of `handlers`
    /// that names formatters and filters of the configuration; its formatter may also be an inline mapping.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload); then nothing changes.
    pub fn set_handler(&self, name: &str, declaration: &impl serde::Serialize) -> Result<HandlerHandle, Error> {
        let node = Node::from_serialize(declaration, "declaration")?;
        let (installed, old) = self.update(|present| {
            let installed = self.make_handler(present, name, node.clone())?;
            Ok(move |state: &mut State| Ok((installed.clone(), self.swap(state, name, Some(&installed)))))
        })?;
        self.end(old);
        Ok(HandlerHandle { installed, logging: self.clone() })
    }

    /// Removes a handler from all loggers. `false` if there is none of that name.
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

    /// Ends a removed handler. Call it when nothing is locked.
    fn end(&self, ended: (Option<InstalledHandler>, Vec<NamedHandler>)) {
        let (old, taken) = ended;
        drop(taken);
        if let Some(old) = old {
            // The error handler gets failures.
            Handler::flush(&old.named, &Flush::END).unwrap_or_default();
        }
    }

    fn swap(
        &self,
        state: &mut State,
        name: &str,
        new: Option<&InstalledHandler>,
    ) -> (Option<InstalledHandler>, Vec<NamedHandler>) {
        let old = state.handlers.get(name).cloned();
        let mut taken = Vec::new();
        if let Some(old) = &old {
            taken = self.0.loggers.exchange_handler(&old.named, new.map(|new| &new.named));
            state.made.retain(|known| !known.named.is_same(&old.named));
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

    /// Makes a handler outside of a configuration, with its level, filters and format set.
    fn make_handler(&self, state: &State, name: &str, node: Node) -> Result<InstalledHandler, Error> {
        let mut made = self.prepare_handler(state, name, node)?;
        made.prepared.open()?;
        made.finish()
    }

    fn prepare_handler(&self, state: &State, name: &str, mut node: Node) -> Result<MadeByName, Error> {
        let setup = &self.0.setup;
        let path = format!("handlers.{}", quoted_key(name));
        let mut inline = None;
        if let Some(map) = node.as_map_mut() {
            if let Some(formatter) = map.get("formatter").filter(|formatter| formatter.as_map().is_some()).cloned() {
                let made = formatters::make(setup, &format!("{path}.formatter"), &formatter);
                inline = Some(made.map_err(ConfigErrors::into_error)?);
                map.0.retain(|(key, _)| key.text != "formatter");
            }
        }
        // A configuration of this one handler, which may name everything in the current one.
        let previous = Previous { filters: &state.filters, handlers: &BTreeMap::new() };
        let root = Node::map([("version", Node::new(Data::Int(1))), ("handlers", Node::map([(name, node.clone())]))]);
        let config = Config::from_node(root);
        let mut builder = Builder::new(setup, &config, previous);
        builder.preload(&state.formatters, &state.filters, &state.handlers);
        builder.handlers();
        builder.own_handlers();
        let prepared = builder.finish().map_err(ConfigErrors::into_error)?;
        let installed =
            prepared.handlers.iter().find(|(known, _)| known == name).map(|(_, installed)| installed.clone());
        let installed = installed.ok_or_else(|| Error::config(format_args!("{path}: it was not made")))?;
        Ok(MadeByName { installed, inline, prepared })
    }

    /// Makes a filter from its declaration (an entry of `filters`), for [`HandlerHandle::add_filter`] and
    /// [`add_filter`](Self::add_filter).
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn make_filter(&self, declaration: &impl serde::Serialize) -> Result<ConfigFilter, Error> {
        let node = Node::from_serialize(declaration, "declaration")?;
        filters::make(&self.0.setup, "filter", &node).map_err(ConfigErrors::into_error)
    }

    /// The filter of that name in the configuration.
    pub fn filter(&self, name: &str) -> Option<ConfigFilter> {
        self.state().filters.get(name).map(|(_, filter)| filter.clone())
    }

    /// Adds a filter to a logger; does nothing if it is there already.
    ///
    /// # Errors
    /// As for [`Loggers::add`](crate::Loggers::add).
    pub fn add_filter(&self, logger: &str, filter: &ConfigFilter) -> Result<(), Error> {
        self.note_filter(filter);
        self.0.loggers.add_filter(logger, filter.as_filter())
    }

    /// Removes a filter from a logger. `false` if it was not there.
    pub fn remove_filter(&self, logger: &str, filter: &ConfigFilter) -> bool {
        self.0.loggers.remove_filter(logger, &filter.as_filter())
    }

    pub(super) fn note_filter(&self, filter: &ConfigFilter) {
        if !filter.only_decides() {
            self.0.changes_records.store(true, Ordering::SeqCst);
        }
    }

    /// Adds handlers of [`BasicConfig`](super::BasicConfig) to the root. With `force`, it removes and closes the others.
    pub(super) fn add_basic(
        &self,
        handlers: Vec<(String, Node)>,
        formatter: &Formatter,
        level: Option<Severity>,
        force: bool,
    ) -> Result<(), Error> {
        let (ended, former) = self.update(|present| {
            let prepare = |(name, node): &(String, Node)| {
                let mut made = self.prepare_handler(present, name, node.clone())?;
                if !node.has_formatter() {
                    made.inline = Some(Formatter::clone(formatter));
                }
                Ok(made)
            };
            let mut all = handlers.iter().map(prepare).collect::<Result<Vec<_>, Error>>()?;
            all.iter_mut().try_for_each(|made| made.prepared.open())?;
            let made = all.into_iter().map(MadeByName::finish).collect::<Result<Vec<_>, _>>()?;
            Ok(move |state: &mut State| {
                let mut all = self.0.loggers.snapshot();
                let Some(root) = all.get_mut("") else {
                    return Err(Error::config("there is no root logger").into());
                };
                let mut ended = Vec::new();
                if force {
                    let taken = std::mem::take(&mut root.handlers);
                    ended = state
                        .made
                        .iter()
                        .filter(|installed| taken.iter().any(|named| named.is_same(&installed.named)))
                        .cloned()
                        .collect();
                    state.handlers.retain(|_, installed| {
                        !ended.iter().any(|old: &InstalledHandler| old.named.is_same(&installed.named))
                    });
                    state.made.retain(|installed| {
                        !ended.iter().any(|old: &InstalledHandler| old.named.is_same(&installed.named))
                    });
                }
                root.handlers.extend(made.iter().map(|installed| installed.named.clone()));
                if let Some(level) = level {
                    root.level = Some(level).filter(|level| *level != Severity::ALL);
                }
                let former = self.0.loggers.replace_all(all)?;
                for installed in made {
                    if !installed.configured.name.is_empty() {
                        state.handlers.insert(installed.configured.name.clone(), installed.clone());
                    }
                    state.made.push(installed);
                }
                state.config = None;
                Ok((ended, former))
            })
        })?;
        drop(former);
        for installed in ended.iter().rev() {
            // The error handler gets failures.
            installed.configured.close().unwrap_or_default();
        }
        Ok(())
    }
}

/// A handler that was checked, and is opened next.
struct MadeByName {
    installed: InstalledHandler,
    /// A format of its own.
    inline: Option<Formatter>,
    prepared: Prepared,
}

impl MadeByName {
    fn finish(self) -> Result<InstalledHandler, Error> {
        let Self { installed, inline, prepared } = self;
        prepared.updates.iter().try_for_each(PendingUpdate::activate)?;
        let Prepared { updates, creations, .. } = prepared;
        creations.keep();
        updates.into_iter().for_each(|update| update.apply().finish());
        if let Some(formatter) = inline {
            installed.configured.set_formatter(&formatter).finish();
        }
        Ok(installed)
    }
}
