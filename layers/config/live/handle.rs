//! A handler by its name, to be changed while it runs.

use std::{fmt, sync::Arc};

use super::{Logging, by_name::to_node};
use crate::{
    Error, Flush, NamedHandler, Severity, barrier,
    config::{
        build::{self, Hung, Order},
        classes::as_target,
        formatters::{self, Formatter},
        node::{Data, Node},
        problem::{ConfigError, ConfigErrors},
        sieve::ConfigFilter,
    },
};

/// A handler of a [`Logging`] by its name, to be changed while it runs. Made by [`Logging::handler`].
pub struct HandlerHandle {
    pub(super) hung: Hung,
    pub(super) logging: Logging,
}

impl HandlerHandle {
    /// The name.
    pub fn name(&self) -> &str {
        &self.hung.slot.name
    }

    /// The handler as it hangs on loggers, with its ledger.
    pub fn handler(&self) -> &NamedHandler {
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
    pub fn filters(&self) -> Vec<ConfigFilter> {
        self.hung.slot.sieves().to_vec()
    }

    /// Adds a filter; nothing happens if it is there already.
    pub fn add_filter(&self, filter: &ConfigFilter) {
        self.logging.note_filter(filter);
        let add = |filters: &mut Vec<ConfigFilter>| {
            if !filters.iter().any(|known| known.is_same(filter)) {
                filters.push(filter.clone());
            }
        };
        self.hung.slot.change_sieves(add).end();
    }

    /// Takes a filter away. False if it was not there.
    pub fn remove_filter(&self, filter: &ConfigFilter) -> bool {
        let mut removed = false;
        let remove = |filters: &mut Vec<ConfigFilter>| {
            let before = filters.len();
            filters.retain(|known| !known.is_same(filter));
            removed = filters.len() < before;
        };
        self.hung.slot.change_sieves(remove).end();
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
            _ => formatters::make("formatter", &node, &setup.registry, setup.as_python)
                .map_err(ConfigErrors::into_error)?,
        };
        barrier::wait();
        self.hung.slot.set_formatter(&formatter).end();
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
            if state.config.as_ref().is_some_and(|config| config.is_ini) {
                // What is among `args` has a name, too.
                whole = build::named(&whole, &self.logging.setup().registry);
            }
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
            let order = Order {
                name: self.name(),
                path: &path,
                node: &whole,
                map,
                is_ini,
                has_formatter,
                filters: &state.filters,
                goes_on: true,
            };
            let finished = |name: &str| state.handlers.get(name).map(|hung| Arc::clone(&hung.slot));
            if is_attribute && name == "terminator" {
                // Nothing but the lines changes: the file stays open.
                return self.set_terminator(whole.clone());
            }
            let targets = build::targets(&self.logging.setup().registry, &whole);
            let mut onward = Vec::new();
            for target in &targets {
                match state.handlers.get(&target.name) {
                    Some(hung) if hung.slot.onward.leads_to(&slot.onward) => problems.push(target.leads_back(&path)),
                    Some(hung) => onward.push(Arc::clone(&hung.slot.onward)),
                    None => problems.push(target.unknown(&path, state.handlers.keys().map(String::as_str))),
                }
            }
            ConfigErrors::check(std::mem::take(&mut problems))?;
            // What waits or is held back comes first.
            barrier::wait();
            slot.output().handler.flush(&Flush::PLAIN)?;
            // The old one is gone before the next record.
            let output = crate::sink::allow_takeover(|| {
                build::make_output(self.logging.setup(), &order, &slot.dress, &finished, &mut problems)
            });
            ConfigErrors::check(problems)?;
            let Some(output) = output else { return Err(Error::config(format_args!("{path}: it was not made"))) };
            let mut state = self.logging.state();
            if let Some(index) = onward.iter().position(|target| target.leads_to(&slot.onward)) {
                // By a change that was made meanwhile.
                drop(state);
                return Err(ConfigErrors::into_error(vec![targets[index].leads_back(&path)]));
            }
            slot.onward.set(onward);
            state.version += 1;
            if let Some(hung) = state.handlers.get_mut(self.name()) {
                hung.whole = whole;
            }
            slot.set_output(output)
        };
        // Ends when nothing is locked.
        drop(old);
        Ok(())
    }

    fn set_terminator(&self, whole: Node) -> Result<(), Error> {
        let terminator = whole.get(".").and_then(|dot| dot.get("terminator")).and_then(Node::as_str);
        let Some(terminator) = terminator else { return Err(Error::config(".terminator: expected a text")) };
        barrier::wait();
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
    /// There is no handler of that name, it leads back to this one, or this one has no target.
    pub fn set_target(&self, target: Option<&str>) -> Result<(), Error> {
        let slot = match target {
            None => None,
            Some(name) => {
                let slot = self.logging.state().handlers.get(name).map(|hung| Arc::clone(&hung.slot));
                Some(slot.ok_or_else(|| Error::config(format_args!("there is no handler {name:?}")))?)
            }
        };
        let shared = slot.as_ref().map(|slot| as_target(Arc::clone(slot), false));
        let output = self.hung.slot.output();
        let onward = &self.hung.slot.onward;
        let before = {
            let mut state = self.logging.state();
            if slot.as_ref().is_some_and(|slot| slot.onward.leads_to(onward)) {
                drop(state);
                let message = format!("{:?} leads back to it", target.unwrap_or_default());
                let path = format!("handlers.{}.target", build::quoted_key(self.name()));
                return Err(ConfigError::new(path, None, message).into());
            }
            let before = output.control.set_target(shared);
            if before.is_ok() {
                onward.set(slot.iter().map(|slot| Arc::clone(&slot.onward)).collect());
                state.version += 1;
                if let Some(map) = state.handlers.get_mut(self.name()).and_then(|hung| hung.whole.as_map_mut()) {
                    map.set("target", target.map_or_else(Node::default, Node::text));
                }
            }
            before
        };
        // What is not the target any more ends here, when nothing is locked.
        before.map(drop).map_err(|_| self.cannot("be given a target"))
    }

    /// Brings what is held back to its place.
    ///
    /// # Errors
    /// What the handler could not do; the trap was told, too.
    pub fn flush(&self) -> Result<(), Error> {
        barrier::wait();
        self.hung.shared.flush()
    }

    /// Flushes it and lets go of what is open. A file opens again with the next record.
    ///
    /// # Errors
    /// What the handler could not do.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        let closed = self.hung.slot.close();
        if self.logging.setup().as_python {
            // Python forgets the name of a closed handler.
            let gone = self.logging.state().handlers.remove(self.name());
            drop(gone);
        }
        closed
    }

    /// Ends the present file of a rotating one now.
    ///
    /// # Errors
    /// It is no rotating file, or what that could not do.
    pub fn rollover(&self) -> Result<(), Error> {
        barrier::wait();
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
    pub fn is_running(&self) -> Option<bool> {
        self.hung.slot.output().control.is_running()
    }

    /// How many records a memory or queue holds.
    pub fn buffered(&self) -> Option<usize> {
        self.hung.slot.output().control.buffered()
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
