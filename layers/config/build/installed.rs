//! A handler with its declaration, and what to set on it.

use std::sync::Arc;

use crate::{
    Error, NamedHandler, Severity,
    config::{
        config_filter::ConfigFilter,
        configured_handler::{ConfiguredHandler, Retired, Steps},
        error::ConfigError,
        formatting::Formatter,
        node::{Node, Position, quoted_key},
    },
    text::python_repr,
};

/// A handler that is, or can be, attached to loggers.
#[derive(Clone)]
pub(in crate::config) struct InstalledHandler {
    pub(in crate::config) configured: Arc<ConfiguredHandler>,
    pub(in crate::config) named: NamedHandler,
    /// The part of the declaration that cannot be changed in place.
    pub(in crate::config) fixed: Node,
    /// The whole declaration.
    pub(in crate::config) declaration: Node,
}

/// What to set on a handler once the configuration is accepted.
pub(in crate::config) struct PendingUpdate {
    pub(super) configured: Arc<ConfiguredHandler>,
    pub(super) level: Severity,
    pub(super) filters: Vec<ConfigFilter>,
    pub(super) formatter: Formatter,
    /// Whether the output is new.
    pub(super) is_new: bool,
    pub(super) steps: Steps,
    pub(super) at: Option<Position>,
}

impl PendingUpdate {
    pub(super) fn open(&mut self) -> Result<(), ConfigError> {
        self.steps.open().map_err(|error| self.failed(&error))
    }

    pub(super) fn start(&mut self) -> Result<(), ConfigError> {
        self.steps.start().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &Error) -> ConfigError {
        let (name, error) = (&self.configured.name, error.to_string());
        let problem = ConfigError::new(format!("handlers.{}", quoted_key(name)), self.at, error.clone());
        problem.python(error).within(&format!("Unable to configure handler {}", python_repr(name)))
    }

    /// The last step before the first record, which can still fail: truncating a file that was just opened.
    pub(in crate::config) fn activate(&self) -> Result<(), Error> {
        if self.is_new { self.configured.output().control.activate() } else { Ok(()) }
    }

    pub(in crate::config) fn apply(self) -> Retired {
        self.configured.set_level(self.level);
        let filters = self.configured.set_filters(self.filters);
        filters.merge(self.configured.set_formatter(&self.formatter))
    }
}
