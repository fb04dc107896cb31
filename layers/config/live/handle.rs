//! Changes one handler at run time.

use std::{fmt, sync::Arc};

use super::logging::Logging;
use crate::{
    Error, Flush, NamedHandler, Severity, barrier,
    config::{
        build::{self, HandlerSpec, InstalledHandler, Turn},
        class::as_target,
        classes::formatters,
        config_filter::ConfigFilter,
        error::{ConfigError, ConfigErrors},
        formatting,
        node::{Data, Node, quoted_key},
    },
};

/// Changes a named handler of a [`Logging`] at run time. Made by [`Logging::handler`].
pub struct HandlerHandle {
    pub(super) installed: InstalledHandler,
    pub(super) logging: Logging,
}

impl Logging {
    /// A handler by its name.
    pub fn handler(&self, name: &str) -> Option<HandlerHandle> {
        let installed = self.state().handlers.get(name).cloned()?;
        Some(HandlerHandle { installed, logging: self.clone() })
    }
}

impl HandlerHandle {
    /// The name.
    pub fn name(&self) -> &str {
        &self.installed.configured.name
    }

    /// The handler that loggers hold, with its ledger.
    pub fn handler(&self) -> &NamedHandler {
        &self.installed.named
    }

    /// The lowest severity that it handles.
    pub fn level(&self) -> Severity {
        self.installed.configured.min_level()
    }

    /// Sets the lowest severity that it handles.
    pub fn set_level(&self, min_level: impl Into<Severity>) {
        self.installed.configured.set_level(min_level.into());
    }

    /// The filters, in the order they apply.
    pub fn filters(&self) -> Vec<ConfigFilter> {
        self.installed.configured.filters().to_vec()
    }

    /// Adds a filter; nothing happens if it is there already.
    pub fn add_filter(&self, filter: &ConfigFilter) {
        self.logging.note_filter(filter);
        let add = |filters: &mut Vec<ConfigFilter>| {
            if !filters.iter().any(|known| known.is_same(filter)) {
                filters.push(filter.clone());
            }
        };
        self.installed.configured.change_filters(add).finish();
    }

    /// Removes a filter. `false` if it was not there.
    pub fn remove_filter(&self, filter: &ConfigFilter) -> bool {
        let mut removed = false;
        let remove = |filters: &mut Vec<ConfigFilter>| {
            let before = filters.len();
            filters.retain(|known| !known.is_same(filter));
            removed = filters.len() < before;
        };
        self.installed.configured.change_filters(remove).finish();
        removed
    }

    /// Sets the format: an entry of `formatters`, or the name of one in the configuration; `null` is the message alone.
    ///
    /// # Errors
    /// As for [`Logging::reload`].
    pub fn set_formatter(&self, declaration: &impl serde::Serialize) -> Result<(), Error> {
        let node = Node::from_serialize(declaration, "declaration")?;
        let setup = self.logging.setup();
        let formatter = match &node.data {
            Data::Null => formatting::bare(setup.as_python),
            Data::Str(name) => {
                let found = self.logging.state().formatters.get(name).cloned();
                found.ok_or_else(|| Error::config(format_args!("there is no formatter {name:?}")))?
            }
            _ => formatters::make(setup, "formatter", &node).map_err(ConfigErrors::into_error)?,
        };
        barrier::wait();
        self.installed.configured.set_formatter(&formatter).finish();
        Ok(())
    }

    /// Sets one argument of its declaration (`maxBytes`, `stream` …) or, with a leading `.`, an attribute (`.terminator`,
    /// `.ident` …). A new output replaces the old one; files are appended to.
    ///
    /// # Errors
    /// As for [`Logging::reload`]; then nothing is changed.
    pub fn set(&self, key: &str, value: &impl serde::Serialize) -> Result<(), Error> {
        let value = Node::from_serialize(value, "value")?;
        // A copy: factories are foreign code and run with nothing locked.
        let state = self.logging.state().clone();
        let setup = self.logging.setup();
        let is_ini = state.config.as_ref().is_some_and(|config| config.is_ini);
        let known = state.handlers.get(self.name()).unwrap_or(&self.installed);
        // Positional arguments can be set by name.
        let mut declaration = match is_ini {
            true => build::with_named_args(&known.declaration, &setup.registry),
            false => known.declaration.clone(),
        };
        let Some(map) = declaration.as_map_mut() else {
            return Err(Error::config("the handler has no declaration"));
        };
        match key.strip_prefix('.') {
            Some(attribute) => map.child(".").set(attribute, value),
            None => map.set(key, value),
        }
        if key == ".terminator" {
            // The file stays open.
            return self.set_terminator(declaration);
        }
        let path = format!("handlers.{}", quoted_key(self.name()));
        let configured = &self.installed.configured;
        let targets = build::targets(&setup.registry, &declaration);
        let mut problems = Vec::new();
        let mut forwards = Vec::new();
        for target in &targets {
            match state.handlers.get(&target.name) {
                Some(installed) if installed.configured.forwards.reaches(&configured.forwards) => {
                    problems.push(target.cycle(&path))
                }
                Some(installed) => forwards.push(Arc::clone(&installed.configured.forwards)),
                None => problems.push(target.unknown(&path, state.handlers.keys().map(String::as_str))),
            }
        }
        ConfigErrors::check(std::mem::take(&mut problems))?;
        // Buffered records come first.
        barrier::wait();
        configured.output().handler.flush(&Flush::PLAIN)?;
        let spec = HandlerSpec {
            name: self.name(),
            path: &path,
            node: &declaration,
            is_ini,
            filters: &state.filters,
            turn: Turn::Replace,
        };
        let find_handler = |name: &str| state.handlers.get(name).map(|installed| Arc::clone(&installed.configured));
        // The old output is gone before the next record.
        let output = crate::sink::allow_takeover(|| {
            build::make_output(setup, &spec, &configured.formatting, &find_handler, &mut problems)
        });
        ConfigErrors::check(problems)?;
        let Some(output) = output else { return Err(Error::config(format_args!("{path}: it was not made"))) };
        let output = output.opened().map_err(|error| ConfigError::new(&path, None, error.to_string()))?;
        let old = {
            let mut state = self.logging.state();
            if let Some(index) = forwards.iter().position(|target| target.reaches(&configured.forwards)) {
                // By a concurrent change.
                drop(state);
                return Err(targets[index].cycle(&path).into());
            }
            configured.forwards.set_targets(forwards);
            state.set_declaration(self.name(), declaration);
            configured.set_output(output)
        };
        // Dropped when nothing is locked.
        drop(old);
        Ok(())
    }

    fn set_terminator(&self, declaration: Node) -> Result<(), Error> {
        let terminator = declaration.get(".").and_then(|dot| dot.get("terminator")).and_then(Node::as_str);
        let Some(terminator) = terminator else { return Err(Error::config(".terminator: expected a text")) };
        barrier::wait();
        self.installed.configured.formatting.set_terminator(terminator);
        self.logging.state().set_declaration(self.name(), declaration);
        Ok(())
    }

    /// Sets or removes the target of a memory buffer.
    ///
    /// # Errors
    /// There is no handler of that name, it leads back to this one, or this one has no target.
    pub fn set_target(&self, target: Option<&str>) -> Result<(), Error> {
        let configured = match target {
            None => None,
            Some(name) => {
                let configured =
                    self.logging.state().handlers.get(name).map(|installed| Arc::clone(&installed.configured));
                Some(configured.ok_or_else(|| Error::config(format_args!("there is no handler {name:?}")))?)
            }
        };
        let handler = configured.as_ref().map(|configured| as_target(Arc::clone(configured), false));
        let output = self.installed.configured.output();
        let forwards = &self.installed.configured.forwards;
        let before = {
            let mut state = self.logging.state();
            if configured.as_ref().is_some_and(|configured| configured.forwards.reaches(forwards)) {
                drop(state);
                let message = format!("{:?} leads back to it", target.unwrap_or_default());
                let path = format!("handlers.{}.target", quoted_key(self.name()));
                return Err(ConfigError::new(path, None, message).into());
            }
            let before = output.control.set_target(handler);
            if before.is_ok() {
                forwards.set_targets(configured.iter().map(|configured| Arc::clone(&configured.forwards)).collect());
                state.version += 1;
                if let Some(map) =
                    state.handlers.get_mut(self.name()).and_then(|installed| installed.declaration.as_map_mut())
                {
                    map.set("target", target.map_or_else(Node::default, Node::text));
                }
            }
            before
        };
        // The old target is dropped when nothing is locked.
        before.map(drop).map_err(|_| self.cannot("be given a target"))
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The handler's error; its error handler is called, too.
    pub fn flush(&self) -> Result<(), Error> {
        barrier::wait();
        self.installed.named.flush()
    }

    /// Flushes it and closes its file or connection. The next record opens a file again.
    ///
    /// # Errors
    /// The handler's error.
    pub fn close(&self) -> Result<(), Error> {
        barrier::wait();
        let closed = self.installed.configured.close();
        if self.logging.setup().as_python {
            // Python forgets the name of a closed handler.
            let gone = self.logging.state().handlers.remove(self.name());
            drop(gone);
        }
        closed
    }

    /// Rotates the file now.
    ///
    /// # Errors
    /// It is not a rotating file, or the rotation failed.
    pub fn rollover(&self) -> Result<(), Error> {
        barrier::wait();
        self.installed.configured.output().control.rollover().unwrap_or_else(|| Err(self.cannot("roll over")))
    }

    /// Starts or stops the listener of a queue. Stopping waits up to 30 seconds for the queued records.
    ///
    /// # Errors
    /// It is not a queue, or the queued records were not handled in time.
    pub fn listen(&self, on: bool) -> Result<(), Error> {
        self.installed.configured.output().control.listen(on).unwrap_or_else(|| Err(self.cannot("listen")))
    }

    /// Whether the listener of a queue runs; `None` if it is not a queue.
    pub fn is_running(&self) -> Option<bool> {
        self.installed.configured.output().control.is_running()
    }

    /// The number of records in a memory buffer or queue.
    pub fn buffered(&self) -> Option<usize> {
        self.installed.configured.output().control.buffered()
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
